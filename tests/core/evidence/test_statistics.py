"""The statistics, held to scikit-learn, SciPy and plain loops."""

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from sklearn.decomposition import PCA
from sklearn.metrics import roc_auc_score

from core.evidence import statistics

VALUES = st.integers(-5, 5) | st.floats(-1, 1)
# Few different values, so that many are equal.
GROUPS = st.lists(st.integers(-5, 5), min_size=2, max_size=40).map(
    lambda values: np.sort(np.array(values, float))
)


@given(st.integers(1, 500), st.data())
def test_wilson_is_scipys(count, data):
    right = data.draw(st.integers(0, count))
    interval = scipy.stats.binomtest(right, count).proportion_ci(method="wilson")
    assert statistics.wilson(right, count) == pytest.approx(interval, abs=1e-12)


@pytest.mark.parametrize(("right", "count"), [(0, 0), (3, 2), (-1, 2)])
def test_wilson_of_no_share(right, count):
    with pytest.raises(ValueError, match="is not a share"):
        statistics.wilson(right, count)


@given(GROUPS, GROUPS)
def test_auc_is_scikit_learns(above, below):
    truth = np.repeat([1, 0], [len(above), len(below)])
    expected = roc_auc_score(truth, np.concatenate([above, below]))
    assert statistics.auc(above, below)[0] == pytest.approx(expected, abs=1e-12)


@given(GROUPS, GROUPS)
def test_the_aucs_error_is_that_of_its_definition(above, below):
    """DeLong's structural components, pair by pair."""
    kernel = [[(x > y) + (x == y) / 2 for y in below] for x in above]
    area = math.fsum(map(math.fsum, kernel)) / (len(above) * len(below))

    def variance(means):
        return math.fsum((mean - area) ** 2 for mean in means) / (len(means) - 1) / len(means)

    rows = [math.fsum(row) / len(below) for row in kernel]
    columns = [math.fsum(column) / len(above) for column in zip(*kernel, strict=True)]
    expected = math.sqrt(variance(rows) + variance(columns))
    assert statistics.auc(above, below)[1] == pytest.approx(expected, abs=1e-12)


@given(
    st.integers(3, 40).flatmap(lambda n: st.tuples(*[st.lists(VALUES, min_size=n, max_size=n)] * 2))
)
def test_spearman_is_scipys(lists):
    first, second = (np.array(values) for values in lists)
    found = statistics.spearman(first, second)
    if min(len(set(values)) for values in lists) == 1:
        assert found == 0
    else:
        expected = scipy.stats.spearmanr(first, second).statistic
        assert found == pytest.approx(expected, abs=1e-12)


def test_spearman_of_one_pair():
    assert statistics.spearman(np.array([0.3]), np.array([0.1])) == 0


@pytest.mark.parametrize(("n", "dimensions"), [(200, 128), (50, 3), (30, 2)])
def test_principal_components_are_scikit_learns(n, dimensions):
    rng = np.random.default_rng(n)
    points = rng.normal(size=(n, dimensions)) * rng.uniform(0.1, 5, dimensions) + 3
    expected = PCA(2, svd_solver="full").fit_transform(points)
    found = statistics.principal_components(points)
    signs = np.sign((found * expected).sum(axis=0))
    np.testing.assert_allclose(found * signs, expected, atol=1e-6)


def test_principal_components_of_too_few_dimensions():
    found = statistics.principal_components(np.array([[1.0], [2.0], [6.0]]))
    np.testing.assert_allclose(found, [[-2, 0], [-1, 0], [3, 0]])


def test_a_components_sign_does_not_depend_on_the_order_of_the_points():
    points = np.random.default_rng(0).normal(size=(40, 6))
    found = statistics.principal_components(points)
    np.testing.assert_allclose(statistics.principal_components(points[::-1])[::-1], found)
