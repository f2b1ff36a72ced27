"""Train the classical model: candidates, descriptors, and the best of many classifiers."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.dataset import Sample
from ..core.errors import BadValueError, SteatosisWarning
from ..core.model import ModelSpec
from ..models.classical.model import ClassicalModel, ClassicalRule
from ..models.classical.predictors import LEARNERS
from .candidate_labels import Examples, examples_of
from .classical_numbers import Calibrated, numbers_of

PUBLISHED_DRAWS = 350
"""Parameter sets that were tried for each classifier in the published study."""


@dataclass(frozen=True)
class Search:
    """How the parameters of a classifier are looked for.

    Parameters
    ----------
    draws : int
        Parameter sets that are tried; 0 takes `given` as it is.
    folds : int
        Parts of the cross-validation; patients stay together.
    seed : int
        Decides the draws, the folds and the classifier.
    jobs : int
        Processes at work.
    given : dict
        Parameters of the classifier that are not looked for: ``{"n_estimators": 100}``.
    most : int
        Examples that parameter sets are judged on, at most, of patients drawn at random; the best
        set is fitted to all. 0: all. The published study had 1700.
    """

    draws: int = PUBLISHED_DRAWS
    folds: int = 5
    seed: int = 0
    jobs: int = 1
    given: dict[str, Any] = field(default_factory=dict)
    most: int = 0


@dataclass(frozen=True, eq=False)
class Trained:
    """A trained classical model, and how it came about.

    Parameters
    ----------
    model : ClassicalModel
    estimator : object
        The pipeline of scikit-learn; the model gives the same probabilities.
    examples : Examples
        What it learned from.
    parameters : dict
        Those that were found best.
    score : float
        Balanced accuracy of these in cross-validation; NaN where nothing was looked for.
    """

    model: ClassicalModel
    estimator: Any
    examples: Examples
    parameters: dict[str, Any]
    score: float


def train_classical(
    samples: Iterable[Sample],
    *,
    name: str = "classical",
    classes: Sequence[str] = ("tissue", "fat"),
    rule: ClassicalRule | None = None,
    search: Search | None = None,
    **about: Any,
) -> Trained:
    """Train on images with point markers or masks.

    Each candidate that is labelled is an example; classes are weighted ``N / (K n_c)``.

    Parameters
    ----------
    samples : iterable of Sample
        With points, which label candidates (`marked_classes`), or masks (`painted_classes`).
    name : str
        Of the model.
    classes : sequence of str
        The first is what is none of the others, the second ``"fat"``; with more than two the
        model tells white places apart by kind.
    rule : ClassicalRule, optional
        Candidates, descriptors and classifier.
    search : Search, optional
        350 parameter sets in five folds by default, as published; that takes hours for
        gradient boosting.
    **about
        `um_per_px` (0.5), and fields of `ModelSpec`: `stain`, `licence`, `training_data`.

    Returns
    -------
    Trained

    Raises
    ------
    BadValueError
        Where there are examples of one class only, or the samples cannot be used.

    Warns
    -----
    SteatosisWarning
        Where all examples are of one patient: the score of the search is then too good.

    Examples
    --------
    >>> from napari_steatosis.training.drawn_whites import drawn_whites
    >>> samples = drawn_whites(1, seed=1, side_px=256, kinds=False)
    >>> rule = ClassicalRule(learner="logistic")
    >>> made = train_classical(samples, rule=rule, search=Search(draws=0), name="mine")
    >>> made.model.spec.classes
    ('tissue', 'fat')
    """
    rule, search = rule or ClassicalRule(), search or Search()
    um_per_px = float(about.pop("um_per_px", 0.5))
    examples = examples_of(samples, rule, classes=classes, um_per_px=um_per_px)
    estimator, parameters, score = fit_classifier(examples, rule.learner, search)
    known = np.unique(examples.y)
    spec = ModelSpec(
        name=name,
        architecture="classical",
        task="segmentation",
        classes=tuple(classes),
        um_per_px=um_per_px,
        tolerance=0.0 if len(classes) == 2 else 1.0,
        parameters=rule.to_json(),
        **rule.tiling(um_per_px),
        **about,
    )
    numbers = {"class_index": known.astype(np.int32), **numbers_of(rule.learner, estimator)}
    return Trained(ClassicalModel(spec, numbers), estimator, examples, parameters, score)


def fit_classifier(
    examples: Examples, learner: str, search: Search
) -> tuple[Any, dict[str, Any], float]:
    """Look for the best parameters of a classifier and fit it to all examples.

    Parameters
    ----------
    examples : Examples
    learner : str
        One of `napari_steatosis.models.classical.predictors.LEARNERS`.
    search : Search

    Returns
    -------
    estimator, parameters, score
        As in `Trained`.
    """
    from sklearn.model_selection import RandomizedSearchCV
    from sklearn.utils.class_weight import compute_sample_weight

    _check_classes(examples)
    several = len(np.unique(examples.y)) > 2
    pipeline = pipeline_of(learner, search, several=several)

    def weights(of: Examples) -> dict[str, Any]:
        if learner == "svm-rbf":  # which weights classes by itself
            return {}
        return {"learn__sample_weight": compute_sample_weight("balanced", of.y)}

    best, score = {}, float("nan")
    if search.draws:
        some = some_of(examples, search)
        _check_classes(some)
        looking = RandomizedSearchCV(
            pipeline,
            space_of(learner, several=several),
            n_iter=search.draws,
            scoring="balanced_accuracy",
            cv=folds_of(some, search),
            random_state=search.seed,
            n_jobs=search.jobs,
            refit=False,
        )
        with warnings.catch_warnings():  # a rare class need not be in every fold
            warnings.filterwarnings("ignore", "y_pred contains classes not in y_true")
            found = looking.fit(some.x, some.y, groups=some.group, **weights(some))
        best, score = found.best_params_, float(found.best_score_)
        pipeline.set_params(**best)
    pipeline.fit(examples.x, examples.y, **weights(examples))
    plain = {key.rsplit("__", 1)[1]: value for key, value in best.items()} | search.given
    if learner == "svm-rbf":
        return _calibrated(pipeline, examples, search), plain, score
    return pipeline, plain, score


def some_of(examples: Examples, search: Search) -> Examples:
    """Return the examples that a search looks at: those of patients drawn at random.

    Parameters
    ----------
    examples : Examples
    search : Search
        `most` says how many at most, unless two patients have more; `seed` decides which.

    Examples
    --------
    >>> of_six = np.repeat([f"p{i}" for i in range(6)], 4)
    >>> examples = Examples(np.zeros((24, 2)), np.tile([0, 1], 12), of_six)
    >>> some = some_of(examples, Search(most=13))
    >>> len(some.y), len(set(some.group))
    (12, 3)
    """
    if not search.most or len(examples.y) <= search.most:
        return examples
    patients, index = np.unique(examples.group, return_inverse=True)
    order = np.random.default_rng(search.seed).permutation(len(patients))
    fit = np.cumsum(np.bincount(index)[order]) <= search.most
    kept = np.isin(index, order[: max(2, int(fit.sum()))])
    return replace(examples, x=examples.x[kept], y=examples.y[kept], group=examples.group[kept])


def pipeline_of(learner: str, search: Search, *, several: bool) -> Any:
    """Return an unfitted pipeline of scikit-learn for a classifier."""
    from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    given, seed = search.given, search.seed
    scale: Any = "passthrough" if learner in ("gradient-boosting", "random-forest") else None
    if learner == "gradient-boosting":
        learn: Any = GradientBoostingClassifier(random_state=seed, **given)
    elif learner == "random-forest":
        learn = RandomForestClassifier(random_state=seed, **given)
    elif learner == "logistic":
        learn = LogisticRegression(max_iter=5000, **given)
    elif learner == "svm-rbf":
        learn = SVC(kernel="rbf", class_weight="balanced", **given)
        learn = OneVsRestClassifier(learn) if several else learn
    else:
        raise BadValueError(
            f"There is no classifier named {learner!r}. Known: {', '.join(LEARNERS)}."
        )
    return Pipeline([("scale", scale or StandardScaler()), ("learn", learn)])


def space_of(learner: str, *, several: bool = False) -> dict[str, Any]:
    """Return where the parameters of a classifier are looked for: names to distributions."""
    from scipy.stats import loguniform, randint, uniform

    share = uniform(0.1, 0.9)
    spaces: dict[str, dict[str, Any]] = {
        "svm-rbf": {"gamma": loguniform(1e-4, 1e1), "C": loguniform(1e-2, 1e3)},
        "random-forest": {
            "max_features": share,
            "max_depth": [None, *range(3, 21)],
            "n_estimators": randint(50, 601),
        },
        "logistic": {"C": loguniform(1e-4, 1e3)},
        "gradient-boosting": {
            "n_estimators": randint(50, 601),
            "max_depth": randint(2, 9),
            "max_features": share,
            "learning_rate": loguniform(0.01, 0.3),
        },
    }
    step = "learn__estimator__" if several and learner == "svm-rbf" else "learn__"
    return {step + name: where for name, where in spaces[learner].items()}


def folds_of(examples: Examples, search: Search) -> Any:
    """Return how examples are cut into parts: patients stay together, classes in proportion.

    Raises
    ------
    BadValueError
        Where all examples of a class would be held out at once.
    """
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    groups = len(np.unique(examples.group))
    if groups > 1:
        folds = StratifiedGroupKFold(
            min(search.folds, groups), shuffle=True, random_state=search.seed
        )
        _check_folds(folds, examples)
        return folds
    warnings.warn(
        "All examples are of one patient, so parameters are judged on white places of the "
        "images that they were fitted to: the score is too good. Name patients, or add images.",
        SteatosisWarning,
        stacklevel=3,
    )
    least = min(Counter(examples.y.tolist()).values())
    return StratifiedKFold(max(2, min(search.folds, least)), shuffle=True, random_state=search.seed)


def _check_classes(examples: Examples) -> None:
    counts = Counter(examples.y.tolist())
    if len(counts) < 2:
        raise BadValueError(
            f"All {len(examples.y)} examples are of one class, so there is nothing to tell "
            f"apart. Mark some of the others: vessels, tears, sinusoids."
        )
    if min(counts.values()) < 2:
        raise BadValueError(
            f"A class has a single example ({dict(counts)}, by index); it needs two at least. "
            f"Mark more, or leave the class out."
        )


def _check_folds(folds: Any, examples: Examples) -> None:
    classes = np.unique(examples.y)
    for train, _ in folds.split(examples.x, examples.y, examples.group):
        missing = np.setdiff1d(classes, examples.y[train])
        if len(missing):
            raise BadValueError(
                f"All examples of class {int(missing[0])} (by index) are of patients that would be "
                f"held out together, so parameters cannot be judged. Mark more patients, or "
                f"choose fewer classes or none to look for (draws=0)."
            )


def _calibrated(pipeline: Any, examples: Examples, search: Search) -> Calibrated:
    """Fit what makes probabilities of the decisions for examples that were held out (Platt)."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_predict

    held_out: NDArray[np.float64] = cross_val_predict(
        pipeline,
        examples.x,
        examples.y,
        groups=examples.group,
        cv=folds_of(examples, search),
        method="decision_function",
    )
    logistic = LogisticRegression(class_weight="balanced", max_iter=5000)
    logistic.fit(held_out.reshape(len(examples.y), -1), examples.y)
    return Calibrated(pipeline, logistic)
