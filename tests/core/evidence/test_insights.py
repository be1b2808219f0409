"""Figures that follow from the insights, and the arrays in which they are stored."""

import math

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix

from core.dataset import CLASS_NAMES, to_input
from core.evidence import insights
from core.evidence.insights import Insights
from core.evidence.measure import compute
from core.network import Network

CLASSES = len(CLASS_NAMES)


def of_probabilities(probabilities):
    nothing = np.zeros(0, np.float32)
    return Insights({}, {}, probabilities, nothing, nothing, nothing, nothing)


def test_means_are_over_all_images(network, split, computed):
    found = computed.means(split.labels)
    assert list(found) == ["conv", "pool"]
    for name, means in found.items():
        outputs = [network.activations(to_input(one[np.newaxis]))[name] for one in split.images]
        for filter_ in range(3):
            cells = np.stack(outputs)[..., filter_].ravel().tolist()
            assert means[filter_] == pytest.approx(math.fsum(cells) / len(cells), rel=1e-5)


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


def test_selectivity_is_its_formula(computed):
    for index in range(3):
        *others, best = sorted(computed.class_means["conv"][:, index].tolist())
        mean = math.fsum(others) / 9
        expected = (best - mean) / (best + mean)
        assert computed.selectivity("conv")[index] == pytest.approx(expected, rel=1e-5)


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
