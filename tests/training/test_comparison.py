from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from napari_steatosis.core.errors import BadValueError
from napari_steatosis.training.comparison import anova, delong, holm, mcnemar, paired_bootstrap


def test_mcnemar_is_the_binomial_test_of_what_only_one_got_right():
    first = np.array([1] * 15 + [0] * 5 + [1] * 60, bool)
    second = np.array([0] * 15 + [1] * 5 + [1] * 60, bool)
    found = mcnemar(first, second)
    assert found.p == pytest.approx(stats.binomtest(15, 20).pvalue)
    assert found.value == pytest.approx(10 / 80)
    assert mcnemar(first, first).p == 1


def test_delong_holds_its_level_and_its_areas():
    """Two models of equal quality are called different in about one in twenty data sets."""
    sklearn = pytest.importorskip("sklearn.metrics")
    random, called = np.random.default_rng(2), 0
    truth = np.r_[np.zeros(60), np.ones(40)].astype(bool)
    for _ in range(400):
        shared = truth + random.normal(0, 1, 100)
        first, second = shared + random.normal(0, 1, (2, 100))
        found = delong(truth, first, second)
        called += found.p < 0.05
    areas = [sklearn.roc_auc_score(truth, one) for one in (first, second)]
    assert found.value == pytest.approx(areas[0] - areas[1])
    assert 0.02 <= called / 400 <= 0.09
    assert delong(truth, first, first).p == 1
    with pytest.raises(BadValueError, match="two of each"):
        delong(truth[:61], first[:61], second[:61])


def test_a_paired_bootstrap_draws_patients():
    """The same units as one patient each, and as ten patients: the latter is less sure."""
    random = np.random.default_rng(7)
    patient = np.repeat(np.arange(10), 20)
    better = np.repeat(random.normal(0.05, 0.2, 10), 20) + random.normal(0, 0.05, 200)

    def score(index):
        return float(better[index].mean()), 0.0

    by_patient = paired_bootstrap(score, patient.astype(str), draws=300)
    by_unit = paired_bootstrap(score, [str(n) for n in range(200)], draws=300)
    assert by_patient.value == by_unit.value == pytest.approx(better.mean())
    assert by_patient.high - by_patient.low > 2 * (by_unit.high - by_unit.low)
    assert by_patient.p > by_unit.p
    assert (by_patient.n, by_unit.n) == (10, 200)


def test_holm_never_lowers_a_probability_and_keeps_their_order():
    p = np.random.default_rng(0).random(8) ** 3
    corrected = holm(p)
    assert (corrected >= p).all()
    assert (np.diff(corrected[np.argsort(p)]) >= 0).all()
    assert corrected.max() <= 1


def test_anova_over_replicates_is_labelled_and_shown_to_be_wrong():
    """Equal true sensitivities, one test set: replicates make any difference significant."""
    random, called = np.random.default_rng(3), 0
    for _ in range(40):
        first, second = random.random((2, 300)) < 0.8
        draws = random.integers(0, 300, (300, 300))
        found = anova(
            {"first": first[draws].mean(1), "second": second[draws].mean(1)}, units="bootstrap"
        )
        called += found.p < 0.05
    assert called / 40 > 0.7
    assert "not valid" in found.note
    assert "independent" in anova({"a": [1, 2], "b": [2, 4]}, units="patient").note
    with pytest.raises(BadValueError, match="two models"):
        anova({"a": [1, 2]}, units="fold")


def test_one_patient_gives_a_difference_and_no_interval():
    found = paired_bootstrap(lambda index: (0.5, 0.25), ["a"] * 5, draws=10)
    assert found.value == 0.25
    assert np.isnan([found.low, found.high, found.p]).all()
