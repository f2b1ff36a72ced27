"""What is suspicious about a fitted stain: sentences for the user."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

MOST = 3.0
"""No concentration, and no spread of colour, is changed by more than this factor: past it, the
noise of a pale slide would become its picture."""

LIMITS = {"vahadane": (10.0, 12.0)}
OTHER_LIMITS = (12.0, 20.0)
"""Degrees, by method: stain vectors closer than the first are nearly one stain, and further than
the second from the reference's they are another stain. On 90 tiles of H&E liver these were 12 to 29
and up to 10.5 by Vahadane's method, 16 to 46 and (99 % of them) up to 18 by Macenko's; on 14 tiles
with red and blue swapped, the second was 12.5 to 19 and 20 to 25."""

FAR_LAB = 20.0
"""Mean a and b further than this from the reference's are those of another stain: up to 14 on the
same tiles, 11 to 32 with red and blue swapped."""

FLAT = 60.0
"""Fewer grey values than this between the dark and the bright end are hardly a picture."""


def degrees(first: ArrayLike, second: ArrayLike) -> float:
    """Return the angle between two vectors.

    Examples
    --------
    >>> degrees((1, 0, 0), (0, 2, 0))
    90.0
    """
    one, other = np.asarray(first, np.float64), np.asarray(second, np.float64)
    cosine = one @ other / (np.linalg.norm(one) * np.linalg.norm(other))
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))


def of_vectors(
    stains: Sequence[ArrayLike], goal: Sequence[ArrayLike], name: str, method: str
) -> list[str]:
    """Judge the stain vectors (haematoxylin, eosin) of a slide beside those of a reference."""
    found = []
    near, away = LIMITS.get(method, OTHER_LIMITS)
    apart = degrees(*stains)
    if apart < near:
        found.append(
            f"The two stains are only {apart:.0f} degrees apart: the slide is nearly of one stain, "
            f"or faded."
        )
    for stain, own, other in zip(("haematoxylin", "eosin"), stains, goal, strict=True):
        far = degrees(own, other)
        if far > away:
            colour = np.round(np.asarray(own, np.float64), 2).tolist()
            how, why = "taken", "another stain, swapped channels, or strange light"
            if method == "matrix":
                how, why = "given", "unless the slide has that colour, it will get another hue"
            found.append(
                f"What was {how} for {stain} ({colour}) is {far:.0f} degrees from that of "
                f"reference {name!r}: {why}. Compare before and after."
            )
    return found


def of_factors(factors: ArrayLike, what: Sequence[str], name: str) -> list[str]:
    """Judge by how much a slide must be changed to look like a reference."""
    found = []
    for factor, part in zip(np.asarray(factors, np.float64), what, strict=True):
        if not 1 / MOST <= factor <= MOST:
            side = "weaker" if factor > 1 else "stronger"
            found.append(
                f"The {part} of this slide is {max(factor, 1 / factor):.1f} times {side} than that "
                f"of reference {name!r}; it is changed by no more than {MOST:g} times."
            )
    return found


def of_colour(mean: Sequence[float], goal: Sequence[float], name: str) -> list[str]:
    """Judge the mean L, a, b of a slide beside that of a reference."""
    far = float(np.hypot(mean[1] - goal[1], mean[2] - goal[2]))
    if far <= FAR_LAB:
        return []
    return [
        f"The mean colour of the tissue (a {mean[1]:.0f}, b {mean[2]:.0f}) is far from that of "
        f"reference {name!r} (a {goal[1]:.0f}, b {goal[2]:.0f}): another stain, or swapped "
        f"channels. Compare before and after."
    ]


def of_range(low: float, high: float) -> list[str]:
    """Judge the grey values between which a slide lies."""
    if high - low >= FLAT:
        return []
    return [
        f"All grey values lie between {low:.0f} and {high:.0f}: there is hardly any stain, and the "
        f"stretch makes its noise {255 / (high - low):.0f} times stronger."
    ]
