import math
import os
import resource
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.manifold import trustworthiness
from sklearn.metrics import confusion_matrix, roc_auc_score

from core.dataset import CLASS_NAMES, Split, load_split, to_input
from core.evidence import insights
from core.evidence.ablation import Tally
from core.evidence.insights import QUANTILES, Insights, compute
from core.models import model_files, model_folder
from core.network import Conv2D, Dense, Flatten, MaxPooling2D, Network, Slide

CLASSES = len(CLASS_NAMES)


def make_network(outputs=CLASSES, seed=1):
    rng = np.random.default_rng(seed)

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
    return compute(network, split, epochs=[make_network(seed=5), network])


@pytest.fixture(scope="module")
def maps(network, split):
    """The convolution's output for each image, (n, 8, 8, 3)."""
    return np.concatenate([network.layers[0](to_input(one[np.newaxis])) for one in split.images])


def of_probabilities(probabilities):
    nothing = np.zeros(0, np.float32)
    return Insights({}, {}, probabilities, nothing, nothing, nothing, nothing)


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


def test_means_are_over_all_images(network, split, computed):
    found = computed.means(split.labels)
    assert list(found) == ["conv", "pool"]
    for name, means in found.items():
        outputs = [network.activations(to_input(one[np.newaxis]))[name] for one in split.images]
        for filter_ in range(3):
            cells = np.stack(outputs)[..., filter_].ravel().tolist()
            assert means[filter_] == pytest.approx(math.fsum(cells) / len(cells), rel=1e-5)


def test_probabilities_are_the_networks_output(network, split, computed):
    one_by_one = [network.predict(to_input(image[np.newaxis]))[0] for image in split.images]
    np.testing.assert_allclose(computed.probabilities, one_by_one, rtol=1e-5)
    assert computed.probabilities.dtype == np.float32


def test_the_highest_peaks(computed, maps):
    found = computed.filters["conv"]
    for index in range(3):
        peaks = [float(one[:, :, index].max()) for one in maps]
        order = sorted(range(len(peaks)), key=lambda image: (-peaks[image], image))[:9]
        assert found.top_images[index].tolist() == order
        assert found.top_values[index] == pytest.approx([peaks[image] for image in order], rel=1e-6)
        for image, (row, col) in zip(order, found.top_positions[index].tolist(), strict=True):
            cells = maps[image, :, :, index].ravel().tolist()
            assert 8 * row + col == cells.index(max(cells))


def test_dead_filters(network, split):
    first, *rest = network.layers
    kernel = first.weights["kernel"].copy()
    bias = first.weights["bias"].copy()
    kernel[..., 1], bias[1] = 0, -1
    dead = Network((28, 28, 1), [first.with_weights({"kernel": kernel, "bias": bias}), *rest])
    found = compute(dead, split)
    assert found.filters["conv"].dead.tolist() == [False, True, False]
    assert not found.filters["conv"].correlations[1].any()
    assert (found.filters["conv"].auc[1] == 0.5).all()
    assert found.selectivity("conv")[1] == 0
    whole = found.accuracy(split.labels)
    assert found.filters["conv"].ablation_accuracy[1] == pytest.approx(whole)


def test_near_duplicates(network, split):
    first, *rest = network.layers
    kernel = first.weights["kernel"].copy()
    bias = first.weights["bias"].copy()
    kernel[..., 2], bias[2] = 2 * kernel[..., 0], 2 * bias[0]
    twins = Network((28, 28, 1), [first.with_weights({"kernel": kernel, "bias": bias}), *rest])
    found = compute(twins, split).filters["conv"]
    assert found.duplicate_pairs == [(0, 2)]


def test_correlations_are_numpys(computed, maps):
    expected = np.corrcoef(maps.reshape(-1, 3).astype(np.float64), rowvar=False)
    np.testing.assert_allclose(computed.filters["conv"].correlations, expected, atol=1e-5)


def test_selectivity_is_its_formula(computed):
    for index in range(3):
        *others, best = sorted(computed.class_means["conv"][:, index].tolist())
        mean = math.fsum(others) / 9
        expected = (best - mean) / (best + mean)
        assert computed.selectivity("conv")[index] == pytest.approx(expected, rel=1e-5)


def test_what_is_known_of_each_class(computed, maps, split):
    found = computed.filters["conv"]
    for label in range(CLASSES):
        of_class = maps[split.labels == label].astype(np.float64)
        expected = np.quantile(of_class.mean(axis=(1, 2)), QUANTILES, axis=0)
        np.testing.assert_allclose(found.response_quantiles[:, label], expected.T, rtol=1e-5)
        np.testing.assert_allclose(found.class_maps[label], of_class.mean(axis=0), rtol=1e-3)


def test_separation_of_two_classes_is_scikit_learns(computed, maps, split):
    responses = maps.mean(axis=(1, 2), dtype=np.float64)
    found = computed.filters["conv"]
    for first in range(CLASSES):
        for second in set(range(CLASSES)) - {first}:
            pair = np.isin(split.labels, (first, second))
            for index in range(3):
                expected = roc_auc_score(split.labels[pair] == first, responses[pair, index])
                assert found.auc[index, first, second] == pytest.approx(expected, abs=1e-6)
                error = found.auc_error[index, first, second]
                assert error == found.auc_error[index, second, first]
                assert 0 <= error <= 0.5


def test_each_filter_off(network, computed, split, maps):
    whole, without = Tally(1), Tally(3)
    _, *rest = network.layers
    for tally, variants in ((whole, [None]), (without, range(3))):
        for label, output in zip(split.labels, maps, strict=True):
            logits = []
            for index in variants:
                x = output[np.newaxis].copy()
                x[..., [] if index is None else index] = 0
                for layer in rest[:-1]:
                    x = layer(x)
                logits.append(rest[-1].pre_activation(x))
            tally.add(np.stack(logits), np.array([label]))
    found = computed.filters["conv"]
    np.testing.assert_allclose(computed.pair_accuracy, whole.pair_accuracy[0], rtol=1e-6)
    np.testing.assert_allclose(found.ablation_accuracy, without.accuracy, rtol=1e-6)
    np.testing.assert_allclose(found.ablation_class_accuracy, without.class_accuracy, rtol=1e-6)
    np.testing.assert_allclose(found.ablation_pair_accuracy, without.pair_accuracy, rtol=1e-6)


def test_the_map_of_images(network, computed, split):
    """By what the last layer with weights takes."""
    x = to_input(split.images)
    for layer in network.layers[:-1]:
        x = layer(x)
    expected = PCA(2).fit_transform(x.astype(np.float64))
    signs = np.sign((computed.components * expected).sum(axis=0))
    np.testing.assert_allclose(computed.components * signs, expected, rtol=1e-4, atol=1e-5)
    # Neighbours in the embedding are neighbours among the features: more so than by chance.
    assert trustworthiness(x, computed.embedding) > 0.8


def test_the_same_embedding_each_time(network, split, computed):
    again = compute(network, split)
    np.testing.assert_allclose(again.embedding, computed.embedding, atol=1e-2)


def test_the_accuracy_at_each_epoch(computed, split):
    expected = [
        (
            make_network(seed=5).predict(to_input(split.images)).argmax(axis=1) == split.labels
        ).mean(),
        computed.accuracy(split.labels),
    ]
    assert computed.epoch_accuracy.tolist() == pytest.approx(expected)


def test_accuracies():
    probabilities = np.eye(CLASSES, dtype=np.float32)[[0, 0, 1, 2, *range(3, 10)]]
    labels = np.array([0, 1, 1, 2, *range(3, 10)], np.uint8)
    found = of_probabilities(probabilities)
    assert found.predictions.tolist() == [0, 0, 1, 2, *range(3, 10)]
    assert found.accuracy(labels) == pytest.approx(10 / 11)
    assert found.class_accuracy(labels).tolist() == [1, 0.5] + [1] * 8


def test_loss_is_the_mean_cross_entropy():
    probabilities = np.full((3, CLASSES), 0.05, np.float32)
    probabilities[[0, 1], [4, 5]] = 0.55
    probabilities[2] = np.eye(CLASSES)[0]
    # The last one is certain and wrong, which Keras counts as 1e-7.
    expected = -(math.log(0.55) + math.log(0.05) + math.log(1e-7)) / 3
    loss = of_probabilities(probabilities).loss(np.array([4, 4, 4], np.uint8))
    assert loss == pytest.approx(expected, rel=1e-6)


@pytest.fixture
def guesses():
    """Probabilities and labels of 500 images, right more often than not."""
    rng = np.random.default_rng(3)
    labels = rng.integers(0, CLASSES, 500).astype(np.uint8)
    logits = rng.normal(0, 1, (500, CLASSES))
    logits[np.arange(500), labels] += 2
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return of_probabilities(probabilities.astype(np.float32)), labels


def test_confusion_is_scikit_learns(guesses):
    found, labels = guesses
    expected = confusion_matrix(labels, found.predictions)
    assert found.confusion(labels).tolist() == expected.tolist()


def test_the_images_of_a_cell_come_most_confident_first(guesses):
    found, labels = guesses
    for true, predicted in ((0, 0), (3, 7), (9, 1)):
        images = found.taken_for(labels, true, predicted).tolist()
        assert len(images) == found.confusion(labels)[true, predicted]
        sure = [float(found.probabilities[image].max()) for image in images]
        assert sure == sorted(sure, reverse=True)
        for image in images:
            assert (labels[image], found.predictions[image]) == (true, predicted)


def test_calibration_counts_every_image_once(guesses):
    found, labels = guesses
    bins = found.calibration(labels)
    assert sum(each.count for each in bins) == 500
    assert sum(each.right for each in bins) == round(500 * found.accuracy(labels))
    for each in bins:
        sure = found.confidences.astype(np.float64)
        inside = [i for i in range(500) if each.low <= sure[i] < each.high]
        assert each.count == len(inside)
        assert each.confidence == pytest.approx(np.mean(sure[inside]))
        assert each.accuracy == pytest.approx(np.mean(found.predictions[inside] == labels[inside]))
    error = math.fsum(abs(each.accuracy - each.confidence) * each.count for each in bins) / 500
    assert insights.calibration_error(bins) == pytest.approx(error)


def test_certainty_falls_into_the_last_bin():
    (only,) = of_probabilities(np.eye(CLASSES, dtype=np.float32)).calibration(
        np.arange(CLASSES, dtype=np.uint8)
    )
    assert (only.low, only.high, only.count, only.accuracy) == (0.9, 1, CLASSES, 1)


def test_a_label_is_doubted_when_all_models_agree_and_are_sure():
    def model(*rows):
        probabilities = np.full((len(rows), CLASSES), 0.0, np.float32)
        for image, (prediction, confidence) in enumerate(rows):
            probabilities[image] = (1 - confidence) / (CLASSES - 1)
            probabilities[image, prediction] = confidence
        return of_probabilities(probabilities)

    one = model((1, 0.95), (1, 0.99), (1, 0.99), (2, 0.99), (0, 0.99))
    two = model((1, 0.99), (1, 0.98), (2, 0.99), (2, 0.80), (0, 0.99))
    labels = np.zeros(5, np.uint8)
    assert insights.doubted_labels([one, two], labels, 0.9).tolist() == [1, 0]
    assert insights.doubted_labels([one], labels, 0.9).tolist() == [1, 2, 3, 0]


def test_ties_go_to_the_lowest_class():
    assert of_probabilities(np.full((1, CLASSES), 0.1, np.float32)).predictions.tolist() == [0]


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
        ("top_images/conv", np.zeros((3, 9), np.int64)),
        ("top_positions/conv", None),
        ("auc/conv", np.full((3, CLASSES, CLASSES), np.inf, np.float32)),
        ("embedding", np.zeros((56, 2), np.float32)),
        ("epoch_accuracy", np.float32(0.5)),
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


def test_a_class_without_two_images_is_refused(network):
    with pytest.raises(ValueError, match="no two images of Ankle boot"):
        compute(network, make_split(19))


def test_a_network_for_other_classes_is_refused(split):
    with pytest.raises(ValueError, match="not 10 classes"):
        compute(make_network(outputs=7), split)


def test_progress_rises_to_1(network, split):
    shares = []
    compute(network, split, lambda share, _words: shares.append(share))
    assert shares == sorted(shares)
    assert shares[-1] == 1


@pytest.mark.usefixtures("quick_embedding")
def test_results_do_not_depend_on_the_number_of_threads(network, monkeypatch):
    split = make_split(400)  # 13 batches, more than the threads have ahead
    monkeypatch.setattr(insights, "_THREADS", 1)
    expected = compute(network, split, epochs=[network]).to_arrays()
    monkeypatch.setattr(insights, "_THREADS", 4)
    found = compute(network, split, epochs=[network]).to_arrays()
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array)


@pytest.mark.usefixtures("quick_embedding")
def test_progress_is_reported_after_each_batch(network):
    counts = []
    compute(network, make_split(100), lambda _share, words: counts.append(words))
    assert [words for words in counts if words.endswith("of 100 images")] == [
        f"insights: {done} of 100 images" for done in (0, 32, 64, 96, 100)
    ]


@pytest.mark.usefixtures("quick_embedding")
def test_an_error_in_a_thread_is_raised(network, monkeypatch):
    def fail(_pixels):
        raise MemoryError("no memory")

    monkeypatch.setattr(insights, "to_input", fail)
    with pytest.raises(MemoryError, match="no memory"):
        compute(network, make_split())


@pytest.fixture(scope="module", params=model_folder.find(), ids=lambda folder: folder.name)
def shipped(request):
    return request.param


@pytest.fixture(scope="module")
def outputs(shipped):
    """Of each convolution two filters' maps, and what the last layer gets."""
    network, kept = shipped.read().network(), {"conv_layer_1": [], "conv_layer_3": []}
    hidden = []
    for _, outputs in network.batches(to_input(load_split("test").images)):
        for name, maps in kept.items():
            maps.append(outputs[name][..., FILTERS].copy())
        hidden.append(outputs["dense_layer_6"])
    maps = {name: np.concatenate(batches) for name, batches in kept.items()}
    return maps, np.concatenate(hidden)


class TestShipped:
    """What is shipped agrees with the plain forward pass over all test images."""

    @pytest.mark.parametrize("layer", ["conv_layer_1", "conv_layer_3"])
    def test_peaks_and_classes(self, shipped, outputs, layer):
        maps, labels = outputs[0][layer], load_split("test").labels
        found = shipped.read().insights().filters[layer]
        cells = maps.reshape(len(maps), -1, len(FILTERS))
        for position, index in enumerate(FILTERS):
            peaks = cells[:, :, position].max(axis=1)
            order = np.lexsort((np.arange(len(peaks)), -peaks))[:9]
            np.testing.assert_allclose(found.top_values[index], peaks[order], rtol=1e-5)
            for image, place in zip(
                found.top_images[index], found.top_positions[index], strict=True
            ):
                assert maps[image, *place, position] == pytest.approx(peaks[image], rel=1e-5)
            responses = cells[:, :, position].mean(axis=1, dtype=np.float64)
            pair = np.isin(labels, (2, 6))
            area = roc_auc_score(labels[pair] == 2, responses[pair])
            assert found.auc[index, 2, 6] == pytest.approx(area, abs=1e-6)
            quantiles = np.quantile(responses[labels == 4], QUANTILES)
            np.testing.assert_allclose(found.response_quantiles[index, 4], quantiles, rtol=1e-4)

    @pytest.mark.parametrize("layer", ["conv_layer_1", "conv_layer_3"])
    def test_a_filter_off(self, shipped, layer):
        network, split = shipped.read().network(), load_split("test")
        index = FILTERS[0]
        off = {name: dict(weights) for name, weights in _weights(network).items()}
        # A kernel and bias of 0 make a map of 0.
        for name, weight in off[layer].items():
            off[layer][name] = weight.copy()
            off[layer][name][..., index] = 0
        predictions = network.with_weights(off).predict(to_input(split.images)).argmax(axis=1)
        found = shipped.read().insights().filters[layer]
        accuracy = np.mean(predictions == split.labels)
        assert found.ablation_accuracy[index] == pytest.approx(accuracy, abs=2e-4)
        shirts = split.labels == 6
        accuracy = np.mean(predictions[shirts] == 6)
        assert found.ablation_class_accuracy[index, 6] == pytest.approx(accuracy, abs=2e-3)

    def test_components(self, shipped, outputs):
        expected = PCA(2, svd_solver="full").fit_transform(outputs[1].astype(np.float64))
        found = shipped.read().insights().components
        signs = np.sign((found * expected).sum(axis=0))
        np.testing.assert_allclose(found * signs, expected, rtol=1e-4, atol=1e-4)

    def test_epochs(self, shipped):
        insights = shipped.read().insights()
        assert len(insights.epoch_accuracy) == len(shipped.read().checkpoints())
        whole = insights.accuracy(load_split("test").labels)
        assert insights.epoch_accuracy[-1] == pytest.approx(whole, abs=2e-4)
        assert insights.epoch_accuracy[0] < 0.3


FILTERS = [5, 40]


def _weights(network):
    return {layer.name: layer.weights for layer in network.layers if layer.weights}


@pytest.mark.usefixtures("quick_embedding")
class TestCommand:
    @pytest.fixture
    def folder(self, tmp_path, monkeypatch, network, split):
        """A model folder whose network and data are the small ones."""
        (tmp_path / model_files.NETWORK_FILE).write_bytes(b"the network")
        monkeypatch.setattr(model_files.ModelFiles, "network", lambda _self: network)
        monkeypatch.setattr(model_files.Network, "load", lambda _file, _name: network)
        monkeypatch.setattr(insights, "load_split", lambda _name: split)
        return model_folder.ModelFolder(tmp_path)

    def test_writes_what_the_folder_reads(self, folder, computed, capsys):
        assert insights.main([str(folder.path)]) == 0
        written = folder.path / model_files.INSIGHTS_FILE
        assert capsys.readouterr().out.strip() == str(written)
        np.testing.assert_array_equal(
            folder.read().insights().probabilities, computed.probabilities
        )
        assert len(list(folder.path.iterdir())) == 2

    @pytest.mark.parametrize(
        ("error", "status"),
        [(OSError(28, "No space left on device"), 1), (KeyboardInterrupt(), 130)],
    )
    def test_failure_leaves_the_earlier_file(self, folder, capsys, monkeypatch, error, status):
        earlier = folder.path / model_files.INSIGHTS_FILE
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
        assert capsys.readouterr().err.startswith("There is no folder ")

    def test_a_network_that_does_not_fit(self, folder, capsys, monkeypatch):
        monkeypatch.setattr(
            model_files.ModelFiles, "network", lambda _self: make_network(outputs=7)
        )
        assert insights.main([str(folder.path)]) == 1
        assert "not 10 classes" in capsys.readouterr().err


@pytest.fixture
def copied(tmp_path):
    """A copy of the shipped tutorial model without its insights."""
    folder = model_folder.ModelFolder(tmp_path / "copy")
    shutil.copytree(model_folder.MODELS_DIR / "tutorial", folder.path)
    (folder.path / model_files.INSIGHTS_FILE).unlink()
    return folder


def start(script, *arguments):
    """Start a Python script in the repository's folder; its errors come as text."""
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        cwd=model_folder.MODELS_DIR.parents[1],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


WITHOUT_OPENTSNE = """
import sys
sys.modules["openTSNE"] = None  # importing it raises ImportError
"""


def test_the_command_names_a_missing_package_before_it_starts(copied):
    script = WITHOUT_OPENTSNE + "from core.insights import main; sys.exit(main(sys.argv[1:]))"
    process = start(script, copied.path)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 1
    # No line of the progress bar comes before.
    (line,) = errors.splitlines()
    assert line.startswith("Insights need the package openTSNE (")
    assert line.endswith("install it with `pip install -r requirements.txt`.")
    assert copied.read().insights() is None


def test_measuring_without_the_package_raises_one_sentence(copied):
    script = (
        WITHOUT_OPENTSNE
        + """
from pathlib import Path
from core.dataset import load_split
from core.insights import InsightsError
from core.models.model_folder import ModelFolder

def refuse_progress(share, words):
    sys.exit("the work began")

try:
    ModelFolder(Path(sys.argv[1])).measure(load_split("test"), refuse_progress)
except InsightsError as error:
    print(error, file=sys.stderr)
"""
    )
    process = start(script, copied.path)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0
    (line,) = errors.splitlines()
    assert "openTSNE" in line
    assert "pip install" in line


def test_ctrl_c_ends_the_command_and_its_threads(copied):
    script = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # whatever the parent does with it
from core import insights

class EachCall(insights.ProgressBar):  # the bar itself draws only now and then
    def __call__(self, share, words):
        print(words, file=sys.stderr, flush=True)
        super().__call__(share, words)

insights.ProgressBar = EachCall
sys.exit(insights.main(sys.argv[1:]))
"""
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    process = start(script, copied.path)
    try:
        assert any("64 of 10,000 images" in line for line in process.stderr)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
    # The threads do not go on with the other 311 batches, which take 20 s of CPU time or more.
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before < 12
    assert errors.splitlines()[-1] == "Interrupted: nothing was written."
    assert "Traceback" not in errors
    assert copied.read().insights() is None
