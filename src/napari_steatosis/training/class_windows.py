"""The windows through which a classifier sees a whole image, and what they say together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

TOGETHER = 8
"""Windows that a classifier is given together."""

Pixels = NDArray[np.uint8]


def windows_of(image: Pixels, side_px: int) -> Pixels:
    """Return the squares that cover an image: as few as reach, evenly placed, in rows.

    What lacks of an image smaller than a window is mirrored on both sides, as in training.

    Parameters
    ----------
    image : (y, x, 3) uint8
        At the resolution of the classifier.
    side_px : int
        Side of a window, px.

    Returns
    -------
    (window, side, side, 3) uint8

    Examples
    --------
    >>> image = np.zeros((60, 32, 3), np.uint8)
    >>> windows_of(image, 32).shape, windows_of(image, 64).shape
    ((2, 32, 32, 3), (1, 64, 64, 3))
    """
    short = [max(0, side_px - length) for length in image.shape[:2]]
    if any(short):
        room = [(lack // 2, lack - lack // 2) for lack in short]
        image = np.pad(image, (*room, (0, 0)), mode="symmetric")
    rows, columns = (_starts(length, side_px) for length in image.shape[:2])
    return np.stack([image[y : y + side_px, x : x + side_px] for y in rows for x in columns])


def _starts(length: int, side: int) -> list[int]:
    count = -(-length // side)
    return [round(place) for place in np.linspace(0, length - side, count).tolist()]


def class_chances(
    predict: Callable[[Pixels], NDArray[np.float32]], images: Iterable[Pixels], side_px: int
) -> Iterator[NDArray[np.float32]]:
    """Yield the probabilities of each image, the mean over its windows, as on a slide.

    Parameters
    ----------
    predict : callable
        Maps windows to ``(window, class)`` probabilities, as `Model.predict`.
    images : iterable of (y, x, 3) uint8
    side_px : int
        Side of a window, px.

    Yields
    ------
    (class,) float32

    Examples
    --------
    >>> half = lambda seen: np.full((len(seen), 2), 0.5, np.float32)
    >>> [one.tolist() for one in class_chances(half, [np.zeros((60, 32, 3), np.uint8)], 32)]
    [[0.5, 0.5]]
    """
    waiting: list[Pixels] = []
    for image in images:
        waiting.append(windows_of(image, side_px))
        if sum(map(len, waiting)) >= TOGETHER:
            yield from _answers(predict, waiting)
            waiting = []
    if waiting:
        yield from _answers(predict, waiting)


def _answers(
    predict: Callable[[Pixels], NDArray[np.float32]], images: list[Pixels]
) -> Iterator[NDArray[np.float32]]:
    seen = np.concatenate(images)
    parts = [predict(seen[start : start + TOGETHER]) for start in range(0, len(seen), TOGETHER)]
    ends = np.cumsum([len(one) for one in images])[:-1]
    for chances in np.split(np.concatenate(parts), ends):
        yield chances.mean(0, dtype=np.float32)
