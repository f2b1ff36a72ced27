"""Positions of tiles as exporters write them into file names."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

FIELDS = re.compile(r"\[?((?:[dxywhzt]=-?\d+(?:\.\d+)?[,_ ]*){2,})\]?$", re.IGNORECASE)
ONE_FIELD = re.compile(r"([dxywhzt])=(-?\d+(?:\.\d+)?)", re.IGNORECASE)
ACROSS, DOWN = r"(?:x|column|col|c)[=_]?(?P<x>\d+)", r"(?:y|row|r)[=_]?(?P<y>\d+)"
LABELLED = re.compile(
    rf"(?<![a-z])(?:{ACROSS}[,_ -]*{DOWN}|{DOWN.replace('<y>', '<y2>')}[,_ -]*"
    rf"{ACROSS.replace('<x>', '<x2>')})$",
    re.IGNORECASE,
)
PLAIN = re.compile(r"(?<!\d)(\d+)[_,-](\d+)$")


class TileName(NamedTuple):
    """A file name with a position.

    Parameters
    ----------
    name : str
        The file.
    first, second : float
        The position; x and y unless `form` is ``"plain"``, in px of full resolution or as
        column and row.
    form : str
        ``"fields"`` for QuPath's ``[d=2,x=0,y=512,w=512,h=512]``, ``"labelled"`` for
        ``x0_y512`` and ``row1_col0``, ``"plain"`` for two numbers that do not say which is x.
    downsample, width, height : float, optional
        What the name states besides, `width` and `height` in px of full resolution.
    plane : str
        The z and t of the name, as one text.
    """

    name: str
    first: float
    second: float
    form: str
    downsample: float | None = None
    width: float | None = None
    height: float | None = None
    plane: str = ""


def parse_name(name: str) -> TileName | None:
    """Return the position in a file name, or None where it has none.

    Examples
    --------
    >>> tile = parse_name("liver [d=2,x=1024,y=0,w=512,h=512].png")
    >>> tile.form, tile.first, tile.second, tile.downsample
    ('fields', 1024.0, 0.0, 2.0)
    >>> tile = parse_name("liver_row3_col7.jpg")
    >>> tile.form, tile.first, tile.second
    ('labelled', 7.0, 3.0)
    >>> parse_name("liver_3_7.png").form, parse_name("liver.png")
    ('plain', None)
    """
    stem = name.rpartition(".")[0]
    fields = FIELDS.search(stem) if "=" in stem else None
    if fields:
        told = {key.lower(): float(value) for key, value in ONE_FIELD.findall(fields[1])}
        if "x" in told and "y" in told:
            return TileName(
                name,
                told["x"],
                told["y"],
                "fields" if {"d", "w"} & set(told) else "labelled",
                downsample=told.get("d"),
                width=told.get("w"),
                height=told.get("h"),
                plane=" ".join(f"{key}={told[key]:g}" for key in "zt" if key in told),
            )
    found = LABELLED.search(stem)
    if found:
        x, y = found["x"] or found["x2"], found["y"] or found["y2"]
        return TileName(name, float(x), float(y), "labelled")
    plain = PLAIN.search(stem)
    return plain and TileName(name, float(plain[1]), float(plain[2]), "plain")


def parse_names(names: Iterable[str]) -> list[TileName]:
    """Return the tiles of the form that most names have; the others are left out."""
    tiles = [tile for tile in map(parse_name, names) if tile is not None]
    forms = Counter(tile.form for tile in tiles)
    most = max(forms, key=lambda form: forms[form], default="")
    return [tile for tile in tiles if tile.form == most]
