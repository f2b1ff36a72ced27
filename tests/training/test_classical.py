"""Classical training: what markers and masks say, the search, and numbers without pickle."""

from __future__ import annotations

import numpy as np
import pytest

from napari_steatosis.core.dataset import ArraySource, Marks, Sample
from napari_steatosis.core.errors import BadValueError, SteatosisWarning
from napari_steatosis.models.classical.candidates import find_candidates
from napari_steatosis.models.classical.model import ClassicalRule
from napari_steatosis.models.classical.predictors import LEARNERS, predictor_of
from napari_steatosis.training.candidate_labels import (
    UNLABELLED,
    Examples,
    examples_of,
    marked_classes,
    painted_classes,
)
from napari_steatosis.training.classical import (
    PUBLISHED_DRAWS,
    Search,
    fit_classifier,
    folds_of,
    some_of,
    space_of,
    train_classical,
)
from napari_steatosis.training.classical_numbers import numbers_of
from napari_steatosis.training.kind_scores import kind_scores
from napari_steatosis.training.white_thresholds import fit_white, otsu_white, white_roc
from training.droplets import PINK, droplets_and_slits, sample


@pytest.fixture(scope="module")
def examples() -> Examples:
    """Two classes that overlap, and three, from numbers alone."""
    rng = np.random.default_rng(1)
    y = rng.integers(0, 2, 160)
    x = rng.normal(size=(160, 6)) * [1, 10, 0.1, 1, 5, 1] + y[:, None] * [0.8, 5, 0, 0.5, 0, 1]
    return Examples(x, y, np.array([f"p{i % 8}" for i in range(160)]))


@pytest.fixture(scope="module")
def of_three(examples: Examples) -> Examples:
    y = examples.y + (examples.x[:, 4] > 3)
    return Examples(examples.x, y, examples.group)


def test_a_marker_labels_what_it_lies_in_or_the_nearest_or_nothing():
    labels = np.zeros((40, 60), np.int32)
    labels[5:15, 5:15], labels[5:15, 30:40], labels[25:35, 5:15] = 1, 2, 3
    places = np.array([[10, 10], [10, 42.4], [20, 58], [-3, 5], [30, 10], [30, 12]], float)
    found, dropped, both = marked_classes(labels, places, np.array([1, 0, 1, 1, 1, 0]), within_px=4)
    assert found.tolist() == [1, 0, UNLABELLED]
    assert (dropped, both) == (2, 1)  # one far off and one outside; two that contradict


def test_markers_where_there_is_no_candidate_are_counted():
    found, dropped, _ = marked_classes(
        np.zeros((9, 9), np.int32), np.ones((3, 2)), np.array([1, 1, 0]), within_px=4
    )
    assert len(found) == 0
    assert dropped == 3


def test_unmarked_candidates_are_unlabelled_not_negative():
    one = sample(1, points=True)
    marks = one.points()
    some = ArraySource(one.image(), marks=Marks(marks.places[:3], marks.labels[:3]))
    found = examples_of(
        [Sample("some", some)], ClassicalRule(), classes=("tissue", "fat"), um_per_px=0.5
    )
    assert len(found.y) == 3
    assert found.unlabelled == len(marks.labels) - 3


def test_a_mask_labels_what_lies_in_it_by_half():
    labels = np.zeros((4, 40), np.int32)
    for i in range(4):
        labels[:, 10 * i : 10 * i + 8] = i + 1
    mask = np.zeros((4, 40), np.uint8)
    mask[:, 0:4], mask[:, 10:13], mask[:, 20:28], mask[:, 30:35] = 1, 1, 2, 255
    assert painted_classes(labels, mask, 3).tolist() == [1, 0, 2, UNLABELLED]


def test_points_and_masks_give_the_same_examples():
    rule, asked = ClassicalRule(), {"classes": ("tissue", "fat"), "um_per_px": 0.5}
    marked = examples_of([sample(1, points=True)], rule, **asked)
    painted = examples_of([sample(1)], rule, **asked)
    assert np.array_equal(marked.y, painted.y)
    assert np.array_equal(marked.x, painted.x)
    assert marked.dropped == marked.unlabelled == marked.contradictory == 0


@pytest.mark.parametrize("points", [False, True])
def test_it_tells_droplets_from_slits_on_images_it_never_saw(points: bool):
    samples = [sample(i, f"patient {i}", points=points) for i in range(3)]
    made = train_classical(samples, search=Search(draws=0, given={"n_estimators": 20}))
    rgb, mask = droplets_and_slits(9)
    judged = made.model.judge(rgb)
    truth = painted_classes(judged.labels, mask, 2)
    assert np.array_equal(judged.probabilities.argmax(1), truth)
    scores = kind_scores(made.model, [sample(9)])
    assert scores["accuracy"][0] == 1
    assert scores["kinds"]["fat"]["n"] == int(truth.sum())


GIVEN = {"gradient-boosting": {"n_estimators": 25}, "random-forest": {"n_estimators": 25}}


@pytest.mark.parametrize("learner", LEARNERS)
@pytest.mark.parametrize("classes", [2, 3])
def test_the_numbers_give_what_scikit_learn_gives(examples, of_three, learner: str, classes: int):
    own = examples if classes == 2 else of_three
    search = Search(draws=0, folds=3, given=GIVEN.get(learner, {}))
    estimator, _, _ = fit_classifier(own, learner, search)
    numbers = numbers_of(learner, estimator)
    x = np.random.default_rng(7).normal(size=(3000, 6)) * [1, 10, 0.1, 1, 5, 1]
    if "threshold" in numbers:  # on the very thresholds, and a hair beside them
        thresholds = numbers["threshold"][np.arange(3000) % len(numbers["threshold"])]
        x[:, 0] = thresholds
        x[1::3, 1] = np.nextafter(thresholds, np.float32(np.inf))[1::3]
    found = predictor_of(learner, numbers).scores(x)
    assert found.shape == (3000, classes)
    assert np.abs(found - estimator.predict_proba(x)).max() < 1e-6
    assert np.abs(found.sum(1) - 1).max() < 1e-12
    assert predictor_of(learner, numbers).scores(x[:0]).shape == (0, classes)
    assert all(array.dtype.kind in "if" for array in numbers.values())


def test_the_spaces_are_those_of_the_specification():
    assert PUBLISHED_DRAWS == 350
    assert {name.split("__")[-1] for name in space_of("gradient-boosting")} == {
        *("n_estimators", "max_depth", "max_features", "learning_rate")
    }
    gamma = space_of("svm-rbf")["learn__gamma"]
    assert gamma.support() == (1e-4, 1e1)
    assert space_of("svm-rbf", several=True).keys() == {
        *("learn__estimator__gamma", "learn__estimator__C")
    }
    trees = space_of("random-forest")
    assert trees["learn__max_depth"] == [None, *range(3, 21)]
    assert trees["learn__max_features"].support() == (0.1, 1.0)
    drawn = space_of("gradient-boosting")["learn__max_depth"].rvs(200, random_state=0)
    assert (drawn.min(), drawn.max()) == (2, 8)


@pytest.mark.parametrize("learner", ["logistic", "svm-rbf"])
def test_the_search_is_seeded_and_scored(examples: Examples, learner: str):
    search = Search(draws=4, folds=3, seed=3)
    first = fit_classifier(examples, learner, search)
    again = fit_classifier(examples, learner, search)
    assert first[1] == again[1]
    assert first[2] == again[2] > 0.6
    assert fit_classifier(examples, learner, Search(draws=4, folds=3, seed=4))[1] != first[1]


def test_a_search_may_look_at_some_patients_and_the_best_learns_from_all(examples: Examples):
    search = Search(draws=4, folds=2, seed=3, most=45)
    some = some_of(examples, search)
    assert len(some.y) == 40
    assert all(np.sum(some.group == one) == 20 for one in set(some.group))
    assert some_of(examples, Search(most=160)) is examples
    found, best, score = fit_classifier(examples, "logistic", search)
    assert fit_classifier(some, "logistic", Search(draws=4, folds=2, seed=3))[1:] == (best, score)
    whole, _, _ = fit_classifier(examples, "logistic", Search(draws=0, given=best))
    part, _, _ = fit_classifier(some, "logistic", Search(draws=0, given=best))
    called = [one.predict_proba(examples.x) for one in (found, whole, part)]
    np.testing.assert_allclose(called[0], called[1])
    assert not np.allclose(called[0], called[2])


def test_patients_stay_together(examples: Examples):
    folds = folds_of(examples, Search())
    for train, test in folds.split(examples.x, examples.y, examples.group):
        assert not set(examples.group[train]) & set(examples.group[test])


@pytest.mark.filterwarnings("ignore:The groups parameter is ignored")
def test_one_patient_is_said_to_be_too_few(examples: Examples):
    alone = Examples(examples.x, examples.y, np.full(160, "p"))
    with pytest.warns(SteatosisWarning, match="one patient"):
        fit_classifier(alone, "logistic", Search(draws=2, folds=3))


def test_a_class_of_one_patient_cannot_be_held_out(examples: Examples):
    alone = np.where(examples.group == "p3", 2, examples.y)
    own = Examples(examples.x, alone, examples.group)
    with pytest.raises(BadValueError, match=r"class 2 .* held out together"):
        fit_classifier(own, "logistic", Search(draws=2))


def test_a_rare_class_weighs_as_much_as_a_common_one():
    """Without weights a droplet of ten would always be taken for the other nine."""
    rng = np.random.default_rng(0)
    y = (np.arange(400) % 10 == 0).astype(np.int64)
    x = rng.normal(size=(400, 1)) + 0.8 * y[:, None]
    own = Examples(x, y, np.array([f"p{i % 7}" for i in range(400)]))
    for learner in LEARNERS:
        given = {"n_estimators": 20, "max_depth": 2} if learner in GIVEN else {}
        estimator, _, _ = fit_classifier(own, learner, Search(draws=0, given=given))
        called = estimator.predict_proba(x)[:, 1] >= 0.5
        assert called[y == 1].mean() > 0.4


def test_thresholds_are_fitted_by_the_roc():
    samples = [sample(i) for i in range(2)]
    rule = fit_white(samples)
    roc = white_roc(samples)
    assert roc.fat.sum() == sum(int(one.mask().sum()) for one in samples)
    at = round(rule.saturation * 255), round(rule.value * 255)
    assert (roc.recall - roc.false_alarm)[at] == (roc.recall - roc.false_alarm).max()
    assert roc.recall[255, 0] == roc.false_alarm[255, 0] == 1
    both = roc.jaccard.max()
    assert white_roc(samples).best("jaccard") != (0, 0)
    assert 0.5 < both <= 1


def test_otsu_needs_no_mask():
    rgb, mask = droplets_and_slits(3)
    rule = otsu_white(rgb)
    labels = find_candidates(rgb, rule, 0.5)
    assert np.all(painted_classes(labels, mask, 2)[:3] >= 0)
    assert (labels[mask == 1] > 0).mean() > 0.95
    with pytest.raises(BadValueError, match="one colour"):
        otsu_white(np.full((9, 9, 3), 200, np.uint8))


@pytest.mark.parametrize(
    ("made", "word"),
    [
        (lambda: Sample("bare", ArraySource(droplets_and_slits(1)[0])), "neither points nor"),
        (
            lambda: Sample("coarse", ArraySource(*droplets_and_slits(1)), um_per_px=1.0),
            "1 um per pixel",
        ),
        (
            lambda: Sample(
                "cut", ArraySource(droplets_and_slits(1)[0], np.zeros((9, 9), np.uint8))
            ),
            r"mask \(9, 9\)",
        ),
        (
            lambda: Sample(
                "values",
                ArraySource(droplets_and_slits(1)[0], np.full((160, 160), 7, np.uint8)),
            ),
            "value 7",
        ),
        (
            lambda: Sample(
                "empty",
                ArraySource(np.full((50, 50, 3), PINK, np.uint8), np.zeros((50, 50), np.uint8)),
            ),
            "no example",
        ),
        (
            lambda: Sample(
                "white",
                ArraySource(droplets_and_slits(1)[0], np.zeros((160, 160), np.uint8)),
            ),
            "one class",
        ),
    ],
)
def test_what_cannot_be_learned_from_is_named(made, word: str):
    with pytest.raises(BadValueError, match=word):
        train_classical([made()], search=Search(draws=0))


def test_a_marker_that_is_no_class_is_named():
    kinds = ("tissue", "fat", "vein")
    with pytest.raises(BadValueError, match="'vessel' is none of the classes tissue, fat, vein"):
        train_classical([sample(1, points=True)], classes=kinds, search=Search(draws=0))
