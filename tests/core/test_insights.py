import math
import time

import numpy as np
import pytest

from core import insights, model_folder
from core.dataset import CLASS_NAMES, Split, to_input
from core.insights import Insights, ProgressBar, compute
from core.network import Conv2D, Dense, Flatten, MaxPooling2D, Network, Slide

CLASSES = len(CLASS_NAMES)


def make_network(outputs=CLASSES):
    rng = np.random.default_rng(1)

    def weights(*shape):
        normal = rng.normal(0, 0.3, (*shape,)).astype(np.float32)
        return {"kernel": normal, "bias": normal[(0,) * (len(shape) - 1)].copy()}

    wide, pair = Slide(28, kernel=5, stride=3), Slide(8, kernel=2, stride=2)
    return Network(
        (28, 28, 1),
        [
            Conv2D("conv", (28, 28, 1), wide, wide, weights(5, 5, 1, 3), "relu"),
            MaxPooling2D("pool", (8, 8, 3), pair, pair),
            Flatten("flat", (4, 4, 3)),
            Dense("dense", (48,), weights(48, outputs), "softmax"),
        ],
    )


def make_split(n=57):
    rng = np.random.default_rng(2)
    labels = np.arange(n, dtype=np.uint8) % CLASSES
    return Split(rng.integers(0, 256, (n, 28, 28), dtype=np.uint8), rng.permutation(labels))


@pytest.fixture(scope="module")
def network():
    return make_network()


@pytest.fixture(scope="module")
def split():
    return make_split()


@pytest.fixture(scope="module")
def computed(network, split):
    return compute(network, split)


def test_class_means_equal_a_plain_loop(network, split, computed):
    assert list(computed.class_means) == ["conv", "pool"]
    for name, means in computed.class_means.items():
        assert means.dtype == np.float32
        assert means.shape == (CLASSES, 3)
        for label in range(CLASSES):
            for filter_ in range(3):
                responses = []
                for image in split.images[split.labels == label]:
                    maps = network.activations(to_input(image[np.newaxis]))[name]
                    cells = maps[0, :, :, filter_].ravel().tolist()
                    responses.append(math.fsum(cells) / len(cells))
                expected = math.fsum(responses) / len(responses)
                assert means[label, filter_] == pytest.approx(expected, rel=1e-5)


def test_probabilities_are_the_networks_output(network, split, computed):
    one_by_one = [network.predict(to_input(image[np.newaxis]))[0] for image in split.images]
    np.testing.assert_allclose(computed.probabilities, one_by_one, rtol=1e-5)
    assert computed.probabilities.dtype == np.float32


def test_accuracies():
    probabilities = np.eye(CLASSES, dtype=np.float32)[[0, 0, 1, 2, *range(3, 10)]]
    labels = np.array([0, 1, 1, 2, *range(3, 10)], np.uint8)
    found = Insights({}, probabilities)
    assert found.predictions.tolist() == [0, 0, 1, 2, *range(3, 10)]
    assert found.accuracy(labels) == pytest.approx(10 / 11)
    assert found.class_accuracy(labels).tolist() == [1, 0.5] + [1] * 8


def test_loss_is_the_mean_cross_entropy():
    probabilities = np.full((3, CLASSES), 0.05, np.float32)
    probabilities[[0, 1], [4, 5]] = 0.55
    probabilities[2] = np.eye(CLASSES)[0]
    # The last one is certain and wrong, which Keras counts as 1e-7.
    expected = -(math.log(0.55) + math.log(0.05) + math.log(1e-7)) / 3
    loss = Insights({}, probabilities).loss(np.array([4, 4, 4], np.uint8))
    assert loss == pytest.approx(expected, rel=1e-6)


def test_ties_go_to_the_lowest_class():
    assert Insights({}, np.full((1, CLASSES), 0.1, np.float32)).predictions.tolist() == [0]


def test_arrays_are_read_only(computed):
    with pytest.raises(ValueError, match="read-only"):
        computed.probabilities[0] = 0
    with pytest.raises(ValueError, match="read-only"):
        computed.class_means["conv"][0] = 0


def test_round_trip(network, computed):
    again = Insights.from_arrays(computed.to_arrays(), network)
    assert again.to_arrays().keys() == computed.to_arrays().keys()
    for name, array in computed.to_arrays().items():
        np.testing.assert_array_equal(again.to_arrays()[name], array)


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("class_means/conv", None),
        ("class_means/conv", np.zeros((CLASSES, 4), np.float32)),
        ("class_means/pool", np.zeros((9, 3), np.float32)),
        ("class_means/pool", np.full((CLASSES, 3), np.nan, np.float32)),
        ("probabilities", None),
        ("probabilities", np.zeros((5, CLASSES), np.float64)),
        ("probabilities", np.zeros(CLASSES, np.float32)),
        ("probabilities", np.array("text")),
    ],
)
def test_arrays_that_do_not_fit_are_refused(network, computed, name, array):
    arrays = computed.to_arrays()
    del arrays[name]
    if array is not None:
        arrays[name] = array
    with pytest.raises(ValueError, match=name):
        Insights.from_arrays(arrays, network)


def test_a_class_without_an_image_is_refused(network):
    with pytest.raises(ValueError, match="no image of Ankle boot"):
        compute(network, make_split(9))


def test_a_network_for_other_classes_is_refused(split):
    with pytest.raises(ValueError, match="not 10 classes"):
        compute(make_network(outputs=7), split)


def test_progress_rises_to_1(network, split):
    shares = []
    compute(network, split, lambda share, _words: shares.append(share))
    assert shares == sorted(shares)
    assert shares[-1] == 1


def test_bar_in_a_log_writes_a_line_only_now_and_then(capsys):
    with ProgressBar() as bar:
        bar(0, "starting")
        for step in range(1, 101):
            bar(step / 100, "working")
    assert capsys.readouterr().err.splitlines() == [
        f"[{' ' * ProgressBar.WIDTH}]   0%  starting",
        f"[{'#' * ProgressBar.WIDTH}] 100%  working  0:00 left",
    ]


def test_bar_on_a_terminal_stays_on_its_line(capsys, monkeypatch):
    clock = iter(range(0, 1000, 30))
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with ProgressBar() as bar:
        bar(0.25, "first")
        bar(0.5, "first")
        bar(0.25, "second")
        bar(0.5, "second")
    nothing, *lines = capsys.readouterr().err.split("\r")
    assert nothing == ""
    assert [line.split("%  ")[1].rstrip() for line in lines] == [
        "first  1:30 left",
        "first  1:00 left",
        "second  0:00 left",
        "second  0:30 left",
    ]
    assert "\n" not in "".join(lines[:-1])
    assert lines[-1].endswith("\n")


class TestCommand:
    @pytest.fixture
    def folder(self, tmp_path, monkeypatch, network, split):
        """A model folder whose network and data are the small ones."""
        (tmp_path / model_folder.NETWORK_FILE).write_bytes(b"the network")
        monkeypatch.setattr(model_folder.ModelFolder, "network", lambda _self: network)
        monkeypatch.setattr(insights, "load_split", lambda _name: split)
        return model_folder.ModelFolder(tmp_path)

    def test_writes_what_the_folder_reads(self, folder, computed, capsys):
        assert insights.main([str(folder.path)]) == 0
        written = folder.path / model_folder.INSIGHTS_FILE
        assert capsys.readouterr().out.strip() == str(written)
        np.testing.assert_array_equal(folder.insights().probabilities, computed.probabilities)
        assert len(list(folder.path.iterdir())) == 2

    @pytest.mark.parametrize(
        ("error", "status"),
        [(OSError(28, "No space left on device"), 1), (KeyboardInterrupt(), 130)],
    )
    def test_failure_leaves_the_earlier_file(self, folder, capsys, monkeypatch, error, status):
        earlier = folder.path / model_folder.INSIGHTS_FILE
        earlier.write_bytes(b"earlier")

        def fail(path, **_arrays):
            path.write_bytes(b"half")
            raise error

        monkeypatch.setattr(np, "savez", fail)
        assert insights.main([str(folder.path)]) == status
        assert earlier.read_bytes() == b"earlier"
        assert len(list(folder.path.iterdir())) == 2
        assert capsys.readouterr().err.splitlines()[-1].endswith(".")

    def test_a_folder_without_a_model(self, tmp_path, capsys):
        assert insights.main([str(tmp_path / "none")]) == 1
        assert "model.keras is missing" in capsys.readouterr().err

    def test_a_network_that_does_not_fit(self, folder, capsys, monkeypatch):
        monkeypatch.setattr(
            model_folder.ModelFolder, "network", lambda _self: make_network(outputs=7)
        )
        assert insights.main([str(folder.path)]) == 1
        assert "not 10 classes" in capsys.readouterr().err
