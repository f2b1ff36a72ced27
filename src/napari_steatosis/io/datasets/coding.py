"""What the values of mask files stand for: found out from some of them, or given."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ...core.dataset import IGNORE
from ...core.errors import BadValueError, CannotOpenError
from .pictures import Stored, read_stored
from .stated import stated_classes

BINARY = ("tissue", "fat")
MICRO_MACRO = ("tissue", "micro", "macro")
IGNORED = "ignore"
HALF = 127
"""A grey mask with many values (JPEG, soft edges) is fat above this."""

MOST_VALUES = 8
LOOKED_AT = 32
"""Masks that are decoded to find the values out ..."""

MOST_LOOKED_AT = 512
"""... and at most so many, while all of them are empty."""

FARTHEST = 60.0
"""A colour farther from all listed ones than this (in RGB) is unpainted."""

COLOUR = re.compile(r"#([0-9a-fA-F]{6})")


@dataclass(frozen=True, eq=False)
class MaskCoding:
    """How stored masks become class indices.

    Parameters
    ----------
    kind : {"values", "threshold", "instances", "colours"}
        One class per value; fat above `HALF`; every object of a class 1; one class per colour.
    classes : tuple of str
        Names of the class indices.
    values : mapping of int to int
        Stored value to class index or `IGNORE`.
    colours : tuple of ((red, green, blue), index)
        For ``"colours"``.
    said : str
        What was found, in one sentence.

    Examples
    --------
    >>> coding = MaskCoding("values", BINARY, {0: 0, 255: 1})
    >>> coding.apply(Stored(np.uint8([[0, 255]]), "grey"), "a.png").tolist()
    [[0, 1]]
    """

    kind: Literal["values", "threshold", "instances", "colours"]
    classes: tuple[str, ...]
    values: Mapping[int, int] = field(default_factory=dict)
    colours: tuple[tuple[tuple[int, int, int], int], ...] = ()
    said: str = ""

    def apply(self, stored: Stored, path: str) -> NDArray[np.uint8]:
        """Return class indices, ``(y, x) uint8``, 255 = ignore.

        Raises
        ------
        BadValueError
            Where the mask holds a value that stands for nothing.
        """
        if self.kind == "colours":
            return self._of_colours(_rgb(stored, path))
        plane = plane_of(stored, path)
        if self.kind == "threshold":
            return (plane > HALF).astype(np.uint8)
        if self.kind == "instances":
            return (plane > 0).astype(np.uint8)
        out = np.zeros(plane.shape, np.uint8)
        known = np.zeros(plane.shape, bool)
        for value, index in self.values.items():
            here = plane == value
            out[here], known = index, known | here
        if not known.all():
            seen = sorted({int(value) for value in np.unique(plane[~known])[:5]})
            raise BadValueError(
                f"{path} holds the value(s) {', '.join(map(str, seen))}, which stand for nothing. "
                f"Known: {', '.join(map(str, sorted(self.values)))}. Say what they mean: "
                f"mask_values={{0: 'tissue', {seen[0]}: 'fat'}}."
            )
        return out

    def _of_colours(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        known = np.array([colour for colour, _ in self.colours], np.float32)
        index = np.array([index for _, index in self.colours], np.uint8)
        best = np.full(rgb.shape[:2], FARTHEST, np.float32)
        out = np.zeros(rgb.shape[:2], np.uint8)
        for colour, number in zip(known, index, strict=True):
            away = np.sqrt(((rgb - colour) ** 2).sum(-1))
            out[away <= best], best = number, np.minimum(best, away)
        return out


def plane_of(stored: Stored, path: str) -> NDArray[Any]:
    """Return the values of a stored mask, ``(y, x)`` of an integer type.

    Raises
    ------
    BadValueError
        Where its colours differ, so that there is no one value per pixel.
    """
    pixels = stored.pixels
    if pixels.dtype.kind == "f" and np.array_equal(pixels, np.rint(pixels)):
        pixels = pixels.astype(np.int64)
    if pixels.dtype.kind not in "uib":
        raise BadValueError(f"{path} holds {pixels.dtype} values; a mask needs whole numbers.")
    if pixels.ndim == 2:
        return pixels
    colours = pixels[..., :1] if stored.mode == "grey+alpha" else pixels[..., :3]
    if (colours == colours[..., :1]).all():
        return colours[..., 0]
    found = np.unique(colours.reshape(-1, colours.shape[-1]), axis=0)
    some = ", ".join("#" + "".join(f"{part:02x}" for part in one) for one in found[:6])
    raise BadValueError(
        f"{path} is coded by colours ({some}{', ...' if len(found) > 6 else ''}). Say what they "
        f"mean: mask_values={{'#ffff00': 'fat'}}."
    )


def coding_given(meant: Mapping[int | str, str]) -> MaskCoding:
    """Return the coding that a user states: value or ``"#rrggbb"`` to class or ``"ignore"``.

    Classes count in the order in which they are given; for colours the class 0 is what is
    unpainted, unless the first is black.

    Raises
    ------
    BadValueError
        Where keys are of both kinds, no colours, or no whole numbers.

    Examples
    --------
    >>> coding_given({0: "tissue", 128: "micro", 255: "macro"}).classes
    ('tissue', 'micro', 'macro')
    """
    keys = [str(key) for key in meant]
    names = [name for name in dict.fromkeys(meant.values()) if name != IGNORED]
    said = "mask values as given: " + ", ".join(f"{k} {v}" for k, v in meant.items())
    if keys and all(COLOUR.fullmatch(key) for key in keys):
        if keys[0] != "#000000":
            names = [BINARY[0], *(name for name in names if name != BINARY[0])]
        index = {**{name: i for i, name in enumerate(names)}, IGNORED: IGNORE}
        colours = tuple(
            ((int(key[1:3], 16), int(key[3:5], 16), int(key[5:7], 16)), index[name])
            for key, name in zip(keys, meant.values(), strict=True)
        )
        return MaskCoding("colours", tuple(names), colours=colours, said=said)
    if not keys or not all(key.isdigit() for key in keys):
        raise BadValueError(
            f"mask_values has the keys {', '.join(map(repr, meant)) or 'none'}; give whole numbers "
            f"({{0: 'tissue', 255: 'fat'}}) or colours ({{'#ffff00': 'fat'}})."
        )
    index = {**{name: i for i, name in enumerate(names)}, IGNORED: IGNORE}
    values = {int(key): index[name] for key, name in zip(keys, meant.values(), strict=True)}
    return MaskCoding("values", tuple(names), values, said=said)


def find_coding(paths: Sequence[str]) -> MaskCoding:
    """Find out how masks are coded: as they state it, or from some that are spread over all.

    Masks that cannot be read, or are coded by colours, are left to whoever reads them.
    """
    if paths and (classes := stated_classes(paths[0])):
        table = {**{index: index for index in range(len(classes))}, IGNORE: IGNORE}
        named = ", ".join(f"{index} is {name}" for index, name in enumerate(classes))
        return MaskCoding("values", classes, table, said=f"masks say: {named}, 255 not known")
    values: set[int] = set()
    wide = False
    for count, plane in enumerate(_planes(_spread(paths)), start=1):
        values |= {int(value) for value in np.unique(plane)[:300]}
        wide |= plane.dtype not in (np.uint8, np.bool_)
        if count >= LOOKED_AT and values - {0}:
            break
    return _coding_of(values, wide)


def _coding_of(values: set[int], wide: bool) -> MaskCoding:
    """Return the coding of a set of values; `wide` where they are of more than 8 bits."""
    said = f"masks hold {', '.join(map(str, sorted(values)[:MOST_VALUES]))}"
    said += ", ..." if len(values) > MOST_VALUES else ""
    if values <= {0}:
        undecided = {0: 0, 1: 1, IGNORE: 1}
        return MaskCoding("values", BINARY, undecided, said=f"{said}: nothing is marked")
    if values <= {0, 1, IGNORE} and 1 in values:
        table = {0: 0, 1: 1, IGNORE: IGNORE}
        return MaskCoding("values", BINARY, table, said=f"{said}: 1 is fat, 255 not known")
    if values <= {0, 1, 2, IGNORE} and 2 in values:
        table = {0: 0, 1: 1, 2: 2, IGNORE: IGNORE}
        return MaskCoding(
            "values", MICRO_MACRO, table, said=f"{said}: 1 micro, 2 macro, 255 not known"
        )
    if values <= {0, IGNORE}:
        return MaskCoding("values", BINARY, {0: 0, IGNORE: 1}, said=f"{said}: 255 is fat")
    if len(values) == 3 and 0 in values and IGNORE in values and values & {127, 128}:
        table = dict(zip(sorted(values), range(3), strict=True))
        return MaskCoding("values", MICRO_MACRO, table, said=f"{said}: micro and macro by grey")
    if wide:
        return MaskCoding("instances", BINARY, said=f"{said}: objects; each is fat")
    return MaskCoding("threshold", BINARY, said=f"{said}: fat above {HALF}")


def _planes(paths: Iterable[str]) -> Iterator[NDArray[Any]]:
    for path in paths:
        try:
            yield plane_of(read_stored(path), path)
        except (CannotOpenError, BadValueError):
            continue


def _spread(paths: Sequence[str]) -> list[str]:
    """Return some paths evenly from all, then others, while nothing is found."""
    step = max(1, len(paths) // LOOKED_AT)
    return [*paths[::step], *(path for n, path in enumerate(paths) if n % step)][:MOST_LOOKED_AT]


def _rgb(stored: Stored, path: str) -> NDArray[np.uint8]:
    if stored.rgb is not None:
        return stored.rgb
    if stored.pixels.ndim == 3 and stored.mode in ("RGB", "RGBA"):
        return stored.pixels[..., :3]
    plane = plane_of(stored, path)
    return np.repeat(np.clip(plane, 0, 255).astype(np.uint8)[..., None], 3, axis=2)
