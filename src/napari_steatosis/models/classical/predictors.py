"""Trained classifiers as plain numbers: what scikit-learn fitted, computed by numpy alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ...core.errors import BadValueError, UnknownNameError
from .parts import Doubles

Numbers = Mapping[str, NDArray[Any]]
"""Arrays by name, as they are stored."""

AT_ONCE = 1 << 21
"""Values that are held at a time: samples times trees, or times support vectors."""


class Predictor(Protocol):
    """A trained classifier."""

    def scores(self, x: Doubles) -> Doubles:
        """Map descriptors ``(n, k)`` to probabilities ``(n, class)`` that sum to 1."""
        ...


def predictor_of(learner: str, numbers: Numbers) -> Predictor:
    """Return the predictor of a learner from its numbers.

    Parameters
    ----------
    learner : str
        One of `LEARNERS`.
    numbers : mapping of str to array
        As `napari_steatosis.training.classical` writes them.

    Raises
    ------
    UnknownNameError
        Where there is no such learner.
    BadValueError
        Where the numbers are of another one.
    """
    if learner not in LEARNERS:
        raise UnknownNameError(
            f"There is no classifier named {learner!r}. Known: {', '.join(LEARNERS)}."
        )
    try:
        return LEARNERS[learner](numbers)
    except (KeyError, IndexError, ValueError) as error:
        raise BadValueError(f"These are not the numbers of {learner!r} ({error!r}).") from error


@dataclass(frozen=True, eq=False)
class Linear:
    """Logistic regression on standardised descriptors.

    Parameters
    ----------
    numbers : mapping
        ``mean`` and ``scale`` (k,), ``weight`` (1 or class, k), ``bias`` (1 or class,).
    """

    numbers: Numbers

    def __post_init__(self) -> None:
        _need(self.numbers, "mean", "scale", "weight", "bias")

    def scores(self, x: Doubles) -> Doubles:
        """Map descriptors to probabilities."""
        standard = (x - self.numbers["mean"]) / self.numbers["scale"]
        return _linked(standard @ self.numbers["weight"].T + self.numbers["bias"])


@dataclass(frozen=True, eq=False)
class Kernel:
    """Support vector machines, one per class (one for two), and what makes probabilities of them.

    Parameters
    ----------
    numbers : mapping
        ``mean`` and ``scale`` (k,); ``gamma`` (1,); ``vectors`` (v, k), standardised; ``dual``
        (machine, v), 0 where a vector is none of a machine's; ``offset`` (machine,); ``weight``
        and ``bias`` of the logistic regression on the machines' decisions.
    """

    numbers: Numbers

    def __post_init__(self) -> None:
        names = ("mean", "scale", "gamma", "vectors", "dual", "offset", "weight", "bias")
        _need(self.numbers, *names)

    def decisions(self, x: Doubles) -> Doubles:
        """Map descriptors to the distance from the border of each machine, ``(n, machine)``."""
        own, found = self.numbers, []
        standard = (x - own["mean"]) / own["scale"]
        vectors, gamma = own["vectors"], float(own["gamma"][0])
        lengths = (vectors**2).sum(1)
        for part in _pieces(standard, len(vectors)):
            apart = (part**2).sum(1)[:, None] + lengths - 2 * part @ vectors.T
            found.append(np.exp(-gamma * np.maximum(apart, 0)) @ own["dual"].T + own["offset"])
        return np.concatenate(found) if found else np.zeros((0, len(own["dual"])))

    def scores(self, x: Doubles) -> Doubles:
        """Map descriptors to probabilities."""
        return _linked(self.decisions(x) @ self.numbers["weight"].T + self.numbers["bias"])


class Trees:
    """Decision trees side by side.

    Parameters
    ----------
    numbers : mapping
        ``root`` (tree,), and per node ``feature``, ``threshold``, ``left``, ``right``; leaves
        lead to themselves. A sample goes left where its descriptor, in single precision, is at
        most the threshold.
    """

    def __init__(self, numbers: Numbers) -> None:
        self.root = numbers["root"].astype(np.int64)
        self._feature = numbers["feature"].astype(np.int64)
        self._threshold = numbers["threshold"]
        nodes = len(self._feature)
        children = np.stack([numbers["left"], numbers["right"]], 1).astype(np.int64)
        inside = (children >= 0) & (children < nodes)
        if not inside.all() or not ((self.root >= 0) & (self.root < nodes)).all():
            raise ValueError("a node leads out of its tree")
        self._children = children.ravel()
        self._depth = _depth(children, self.root)

    def leaves(self, x: Doubles) -> NDArray[np.int64]:
        """Return the node in which each sample ends, ``(n, tree)``."""
        single = x.astype(np.float32)
        rows = np.arange(len(x))[:, None] * x.shape[1]
        flat = single.ravel()
        node = np.broadcast_to(self.root, (len(x), len(self.root))).copy()
        for _ in range(self._depth):
            right = flat[rows + self._feature[node]] > self._threshold[node]
            node = self._children[2 * node + right]
        return node


def _depth(children: NDArray[np.int64], roots: NDArray[np.int64]) -> int:
    """Return how many steps it takes until every sample is in a leaf."""
    level, depth = np.unique(roots), 0
    while True:
        below = np.unique(children[level])
        if np.array_equal(below, level):
            return depth
        inner = (children[below] != below[:, None]).any(1)
        level, depth = below[inner], depth + 1
        if not inner.any():
            return depth
        if depth > len(children):
            raise ValueError("a tree has no end")


class Boosted:
    """Gradient boosting: the values of the trees of a class are added up.

    Parameters
    ----------
    numbers : mapping
        As for `Trees`; ``value`` (node,), learning rate included; ``column`` (tree,): to which
        raw score a tree adds; ``first`` (1 or class,): the raw scores before the first tree.
    """

    def __init__(self, numbers: Numbers) -> None:
        self._trees = Trees(numbers)
        self._value, self._first = numbers["value"], numbers["first"]
        self._to = np.eye(len(self._first))[numbers["column"].astype(np.int64)]

    def scores(self, x: Doubles) -> Doubles:
        """Map descriptors to probabilities."""
        found = [
            self._first + self._value[self._trees.leaves(part)] @ self._to
            for part in _pieces(x, len(self._trees.root))
        ]
        return _linked(np.concatenate(found) if found else np.zeros((0, len(self._first))))


class Forest:
    """Random forest: the shares of the classes in the leaves, averaged over the trees.

    Parameters
    ----------
    numbers : mapping
        As for `Trees`; ``value`` (node, class).
    """

    def __init__(self, numbers: Numbers) -> None:
        self._trees, self._value = Trees(numbers), numbers["value"]

    def scores(self, x: Doubles) -> Doubles:
        """Map descriptors to probabilities."""
        found = [
            np.stack([column[self._trees.leaves(part)].mean(1) for column in self._value.T], 1)
            for part in _pieces(x, len(self._trees.root))
        ]
        return np.concatenate(found) if found else np.zeros((0, self._value.shape[1]))


LEARNERS: dict[str, Any] = {
    "gradient-boosting": Boosted,
    "svm-rbf": Kernel,
    "logistic": Linear,
    "random-forest": Forest,
}
"""Classifier to what computes it."""


def _need(numbers: Numbers, *names: str) -> None:
    if missing := [name for name in names if name not in numbers]:
        raise KeyError(missing[0])


def _linked(raw: Doubles) -> Doubles:
    """Return probabilities of raw scores: one of the last of two classes, or one per class."""
    if raw.shape[1] == 1:
        raw = np.concatenate([np.zeros_like(raw), raw], axis=1)
    above = np.exp(raw - raw.max(1, keepdims=True, initial=-np.inf))
    return above / above.sum(1, keepdims=True)


def _pieces(x: Doubles, width: int) -> list[Doubles]:
    count = max(1, AT_ONCE // max(1, width))
    return [x[start : start + count] for start in range(0, len(x), count)]
