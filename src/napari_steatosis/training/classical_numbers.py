"""Fitted classifiers of scikit-learn as plain arrays: nothing that must be unpickled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True, eq=False)
class Calibrated:
    """Support vector machines, and a logistic regression on their decisions.

    Parameters
    ----------
    machines : sklearn.pipeline.Pipeline
        With `decision_function`.
    logistic : sklearn.linear_model.LogisticRegression
    """

    machines: Any
    logistic: Any

    def predict_proba(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Map descriptors ``(n, k)`` to probabilities ``(n, class)``."""
        decisions = self.machines.decision_function(x).reshape(len(x), -1)
        found: NDArray[np.float64] = self.logistic.predict_proba(decisions)
        return found


def numbers_of(learner: str, estimator: Any) -> Arrays:
    """Return the arrays from which `napari_steatosis.models.classical.predictors` computes.

    Parameters
    ----------
    learner : str
        One of `napari_steatosis.models.classical.predictors.LEARNERS`.
    estimator : object
        As `napari_steatosis.training.classical.fit_classifier` returns it.
    """
    if learner == "svm-rbf":
        return _of_machines(estimator)
    learn = estimator.named_steps["learn"]
    if learner == "logistic":
        return {
            **_of_scale(estimator),
            "weight": np.asarray(learn.coef_),
            "bias": np.asarray(learn.intercept_),
        }
    if learner == "gradient-boosting":
        return _of_boosting(learn)
    trees = [tree.tree_ for tree in learn.estimators_]
    shares = np.concatenate([tree.value[:, 0] for tree in trees])
    return {**_of_trees(trees), "value": shares / shares.sum(1, keepdims=True)}


def _of_boosting(learn: Any) -> Arrays:
    rounds, columns = learn.estimators_.shape
    trees = [tree.tree_ for tree in learn.estimators_.ravel()]
    value = learn.learning_rate * np.concatenate([tree.value[:, 0, 0] for tree in trees])
    nothing = np.zeros((1, learn.n_features_in_))
    ends = [tree.apply(nothing.astype(np.float32))[0] for tree in trees]
    numbers = _of_trees(trees)
    added = value[numbers["root"] + np.array(ends)].reshape(rounds, columns).sum(0)
    raw = np.atleast_2d(learn.decision_function(nothing)).reshape(1, -1)[0]
    return {
        **numbers,
        "value": value,
        "column": np.tile(np.arange(columns, dtype=np.int32), rounds),
        "first": raw - added,
    }


def _of_trees(trees: Sequence[Any]) -> Arrays:
    """Put trees one behind the other; leaves lead to themselves."""
    count = np.array([tree.node_count for tree in trees])
    root = np.cumsum(count) - count
    shift, own = np.repeat(root, count), np.arange(count.sum())
    left, right, feature, threshold = (
        np.concatenate([getattr(tree, name) for tree in trees])
        for name in ("children_left", "children_right", "feature", "threshold")
    )
    leaf = left < 0
    return {
        "root": root.astype(np.int32),
        "left": np.where(leaf, own, left + shift).astype(np.int32),
        "right": np.where(leaf, own, right + shift).astype(np.int32),
        "feature": np.where(leaf, 0, feature).astype(np.int16),
        "threshold": np.where(leaf, 0, _single(threshold)).astype(np.float32),
    }


def _single(threshold: NDArray[np.float64]) -> NDArray[np.float32]:
    """Round down to single precision: descriptors of that precision are told apart alike."""
    rounded = threshold.astype(np.float32)
    return np.where(rounded > threshold, np.nextafter(rounded, np.float32(-np.inf)), rounded)


def _of_scale(pipeline: Any) -> Arrays:
    scaler = pipeline.named_steps["scale"]
    return {"mean": np.asarray(scaler.mean_), "scale": np.asarray(scaler.scale_)}


def _of_machines(estimator: Calibrated) -> Arrays:
    learn = estimator.machines.named_steps["learn"]
    machines = getattr(learn, "estimators_", [learn])
    vectors, place = np.unique(
        np.concatenate([machine.support_vectors_ for machine in machines]),
        axis=0,
        return_inverse=True,
    )
    dual, begin = np.zeros((len(machines), len(vectors))), 0
    for row, machine in zip(dual, machines, strict=True):
        coefficients = machine.dual_coef_[0]
        np.add.at(row, place.ravel()[begin : begin + len(coefficients)], coefficients)
        begin += len(coefficients)
    return {
        **_of_scale(estimator.machines),
        "gamma": np.array([machines[0]._gamma]),
        "vectors": vectors,
        "dual": dual,
        "offset": np.array([machine.intercept_[0] for machine in machines]),
        "weight": np.asarray(estimator.logistic.coef_),
        "bias": np.asarray(estimator.logistic.intercept_),
    }
