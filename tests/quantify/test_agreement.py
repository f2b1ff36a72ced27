from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from napari_steatosis.core.errors import BadValueError
from napari_steatosis.quantify.agreement import STATISTICS, agreement, icc
from napari_steatosis.quantify.kappa import kappa_interval, weighted_kappa


@pytest.fixture(scope="module")
def pairs():
    random = np.random.default_rng(3)
    expert = random.uniform(2, 80, 40)
    return 0.9 * expert + random.normal(2, 6, 40), expert


def test_it_agrees_with_scipy(pairs):
    measured, expert = pairs
    found = agreement(measured, expert)
    assert found["pearson_r"].value == pytest.approx(stats.pearsonr(measured, expert)[0])
    assert found["spearman_rho"].value == pytest.approx(stats.spearmanr(measured, expert)[0])
    line = stats.linregress(expert, measured)
    assert found["slope"].value == pytest.approx(line.slope)
    assert found["intercept"].value == pytest.approx(line.intercept)
    gap = measured - expert
    assert found["bias"].value == pytest.approx(gap.mean())
    assert found["limit_high"].value == pytest.approx(gap.mean() + 1.96 * gap.std(ddof=1))
    line = stats.linregress((measured + expert) / 2, gap)
    assert found["proportional_bias"].value == pytest.approx(line.slope)


def test_correlation_is_not_agreement():
    """Area is about a quarter of the expert's share: r squared is high, identity is not."""
    random = np.random.default_rng(0)
    expert = random.uniform(1, 90, 107)
    found = agreement(expert / 4 + random.normal(0, 1.6, 107), expert)
    assert found["r_squared"].value > 0.9
    assert found["r_squared_identity"].value < 0
    assert found["ccc"].value < 0.3
    assert found["icc_3_1"].value > found["icc_2_1"].value


def test_equal_series_agree_in_everything():
    values = np.array([1.0, 4, 9, 16, 25])
    found = agreement(values, values)
    for name in ("pearson_r", "r_squared_identity", "icc_2_1", "icc_3_1", "ccc", "slope"):
        assert found[name].value == pytest.approx(1)
    assert found["bias"].value == found["limit_low"].value == found["limit_high"].value == 0


def test_the_interval_of_the_bias_is_that_of_students_t(pairs):
    gap = pairs[0] - pairs[1]
    found = agreement(*pairs)["bias"]
    low, high = stats.ttest_1samp(gap, 0).confidence_interval()
    assert (found.low, found.high) == pytest.approx((low, high))


def test_each_interval_holds_its_value_and_what_has_none_says_why(pairs):
    for one in agreement(*pairs).statistics:
        assert one.low < one.value < one.high, one.name
        assert one.note == ""
        assert "Interval: " in one.definition
    straight = agreement([1.0, 2, 3, 4, 5, 6, 7], [2.0, 4, 6, 8, 10, 12, 14])
    assert np.isnan(straight["pearson_r"].low)
    assert "agree perfectly" in straight["pearson_r"].note
    assert np.isnan(straight["intercept"].low)
    assert straight["bias"].low < -4 < straight["bias"].high
    three = agreement([1.0, 2, 4], [1.0, 3, 4])
    assert np.isnan(three["spearman_rho"].low)
    assert three["spearman_rho"].note == "No interval: 3 pairs are too few."
    level = agreement([2.0, 2, 2, 2], [1.0, 2, 3, 4])["pearson_r"]
    assert (level.note, str(level)) == ("Undefined: the values do not vary.", "undefined")


def test_the_interval_of_kappa_and_where_there_is_none():
    first = [0, 1, 2, 3, 0, 1, 2, 3]
    low, high = kappa_interval(first, [0, 1, 2, 3, 1, 1, 2, 2])
    assert low < weighted_kappa(first, [0, 1, 2, 3, 1, 1, 2, 2], grades=4) < high < 1
    assert kappa_interval(first, first) is None
    assert kappa_interval([1, 1], [1, 1]) is None
    assert kappa_interval([1, 1, 1], [1, 1, 1]) is None


def test_what_is_missing_is_counted_and_too_few_are_refused():
    found = agreement([1.0, np.nan, 3, 4, 5], [1.1, 2, 3.2, 4.1, 5])
    assert (found.n, found.dropped) == (4, 1)
    with pytest.raises(BadValueError, match="2 of 3 pairs"):
        agreement([1.0, 2, np.nan], [1.0, 2, 3])
    with pytest.raises(BadValueError, match="cannot be paired"):
        agreement([1.0, 2], [1.0])


def test_a_series_without_spread_is_undefined_and_says_so():
    found = agreement([2.0, 2, 2, 2], [1.0, 2, 3, 4])
    assert np.isnan(found["pearson_r"].value)
    assert "undefined" in STATISTICS["pearson_r"][1]
    assert np.isfinite(found["bias"].value)


def test_icc_of_four_judges_is_that_of_its_paper():
    """Shrout and Fleiss 1979, table 2: six targets, four judges."""
    targets = np.array(
        [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
    )
    assert icc(targets.T) == pytest.approx(0.29, abs=0.005)
    assert icc(targets.T, consistency=True) == pytest.approx(0.71, abs=0.005)


def test_weighted_kappa_is_that_of_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    random = np.random.default_rng(5)
    first = random.integers(0, 4, 60)
    second = np.clip(first + random.integers(-1, 2, 60), 0, 3)
    ours = weighted_kappa(first, second, grades=4)
    assert ours == pytest.approx(metrics.cohen_kappa_score(first, second, weights="quadratic"))


def test_grades_that_are_none_are_refused():
    with pytest.raises(BadValueError, match="whole numbers from 0 to 3"):
        weighted_kappa([0, 4], [1, 1], grades=4)
    assert np.isnan(weighted_kappa([1, 1], [1, 1], grades=4))
