"""Insights are those of plain loops over the images, for a small network and the shipped ones."""

import math

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.metrics import roc_auc_score

from core.dataset import CLASS_NAMES, load_split, to_input
from core.evidence import measure
from core.evidence.answers import Tally
from core.evidence.insights import QUANTILES
from core.evidence.measure import compute
from core.models import model_folder
from tests.core.evidence.small_model import make_network, make_split

CLASSES = len(CLASS_NAMES)


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


def test_correlations_are_numpys(computed, maps):
    expected = np.corrcoef(maps.reshape(-1, 3).astype(np.float64), rowvar=False)
    np.testing.assert_allclose(computed.filters["conv"].correlations, expected, atol=1e-5)


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


def test_the_accuracy_at_each_epoch(computed, split):
    expected = [
        (
            make_network(seed=5).predict(to_input(split.images)).argmax(axis=1) == split.labels
        ).mean(),
        computed.accuracy(split.labels),
    ]
    assert computed.epoch_accuracy.tolist() == pytest.approx(expected)


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
    monkeypatch.setattr(measure, "_THREADS", 1)
    expected = compute(network, split, epochs=[network]).to_arrays()
    monkeypatch.setattr(measure, "_THREADS", 4)
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

    monkeypatch.setattr(measure, "to_input", fail)
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
