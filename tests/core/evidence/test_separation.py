"""Evidence and effect of each filter, held to plain loops."""

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from core.evidence.separation import LEAST_IMAGES, Separation, separation
from core.models import model_folder

IMAGES = 2000


def make(auc, lost, half=0.02):
    auc = np.array(auc, float)
    return Separation(
        auc, (auc - half).clip(0, 1), (auc + half).clip(0, 1), IMAGES, 1900, np.array(lost)
    )


# Few different values, so that many are equal.
FILTERS = st.lists(
    st.tuples(st.integers(0, 20).map(lambda share: share / 20), st.integers(-12, 12)),
    min_size=1,
    max_size=130,
)


@given(FILTERS)
def test_the_best_and_the_needed_are_their_definition(filters):
    found = make(*zip(*filters, strict=True))
    count = max(len(filters) // 8, 1)
    strengths = [abs(auc - 0.5) for auc, _ in filters]
    for index, (strength, (auc, lost)) in enumerate(zip(strengths, filters, strict=True)):
        # Fewer than `count` filters are ahead of it.
        best = sum(other > strength for other in strengths) < count
        assert found.separates[index] == (best and abs(auc - 0.5) > 0.02)
        most = sum(other > lost for _, other in filters) < count
        assert found.needed[index] == (most and lost >= LEAST_IMAGES)
        assert found.drop[index] == pytest.approx(lost / 20)


@given(FILTERS)
def test_the_orders_are_stable(filters):
    found = make(*zip(*filters, strict=True))
    numbers = range(len(filters))
    assert found.falling == sorted(numbers, key=lambda index: (-filters[index][0], index))
    strengths = found.strength.tolist()
    assert found.strongest == sorted(numbers, key=lambda index: (-strengths[index], index))


def test_agreement_is_scipys():
    rng = np.random.default_rng(0)
    auc, lost = rng.random(64), rng.integers(-9, 9, 64)
    expected = scipy.stats.spearmanr(np.abs(auc - 0.5), lost).statistic
    assert make(auc, lost).agreement == pytest.approx(expected, abs=1e-12)
    assert make(auc, [3] * 64).agreement == 0
    assert make([0.5] * 64, lost).agreement == 0


def test_equal_filters_are_all_best_or_none():
    assert make([0.7] * 9, [8] * 9).separates.all()
    assert make([0.7] * 9, [8] * 9).needed.all()
    assert not make([0.5] * 9, [0] * 9, half=0).separates.any()
    assert not make([0.5] * 9, [0] * 9, half=0).needed.any()


def test_few_images_are_no_need():
    # As likely as five tosses that come out alike: more often than once in twenty times.
    assert scipy.stats.binomtest(LEAST_IMAGES - 1, LEAST_IMAGES - 1).pvalue > 0.05
    assert scipy.stats.binomtest(LEAST_IMAGES, LEAST_IMAGES).pvalue < 0.05
    assert make([0.7, 0.6], [LEAST_IMAGES - 1, 0]).needed.tolist() == [False, False]
    assert make([0.7, 0.6], [LEAST_IMAGES, 0]).needed.tolist() == [True, False]


@pytest.mark.parametrize("model", ["tutorial", "tuned"])
@pytest.mark.parametrize(("first", "second"), [(0, 6), (6, 0), (7, 9)])
def test_what_is_shown_was_measured(model, first, second):
    insights = model_folder.ModelFolder(model_folder.MODELS_DIR / model).read().insights()
    for layer, measured in insights.filters.items():
        found = separation(insights, layer, first, second, IMAGES)
        for index in range(len(measured.auc)):
            area = float(measured.auc[index, first, second])
            error = float(measured.auc_error[index, first, second])
            assert found.auc[index] == area
            assert found.low[index] == pytest.approx(max(area - 1.96 * error, 0), abs=1e-5)
            assert found.high[index] == pytest.approx(min(area + 1.96 * error, 1), abs=1e-5)
            without = float(measured.ablation_pair_accuracy[index, first, second])
            whole = float(insights.pair_accuracy[first, second])
            assert found.drop[index] == pytest.approx(100 * (whole - without), abs=1e-4)
            # Whole images: what was measured is a share of them.
            assert found.lost[index] == pytest.approx(IMAGES * (whole - without), abs=1e-3)


def test_a_class_and_itself():
    insights = model_folder.ModelFolder(model_folder.MODELS_DIR / "tutorial").read().insights()
    found = separation(insights, "conv_layer_3", 4, 4, IMAGES)
    assert (found.auc == 0.5).all()
    assert not found.lost.any()
