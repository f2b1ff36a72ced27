"""Names of networks that say their parts: ``smp:unet/resnet34``, ``timm:caformer_s18``."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from ..core.errors import BadValueError, UnknownNameError

PARTS = {"smp": ("architecture", "encoder"), "timm": ("name",)}
"""Row of MODELS to the arguments that may follow it, after a colon, with a slash between."""

EXAMPLES = ("smp:unet/resnet34", "smp:deeplabv3plus/tu-convnext_tiny", "timm:caformer_s18")
"""Names that are offered where one is chosen."""


def read_name(name: str, given: Mapping[str, Any] | None = None) -> tuple[str, dict[str, str]]:
    """Return the row of MODELS that a name means, and the arguments that it gives.

    Nothing is imported, and whether a library has such parts shows when the network is built.

    Parameters
    ----------
    name : str
        A row of MODELS by itself, ``"smp:ARCHITECTURE"``, ``"smp:ARCHITECTURE/ENCODER"`` or
        ``"timm:NAME"``; anything else comes back as it is.
    given : mapping, optional
        Arguments that are given besides.

    Raises
    ------
    UnknownNameError
        Where there are too many parts, or an empty one.
    BadValueError
        Where an argument that is given is another than that of the name.

    Examples
    --------
    >>> read_name("smp:deeplabv3plus/tu-convnext_tiny")
    ('smp', {'architecture': 'deeplabv3plus', 'encoder': 'tu-convnext_tiny'})
    >>> read_name("timm:caformer_s18")
    ('timm', {'name': 'caformer_s18'})
    >>> read_name("valid-unet")
    ('valid-unet', {})
    """
    row, colon, rest = name.partition(":")
    if not colon or row not in PARTS:
        return name, {}
    takes, parts = PARTS[row], rest.split("/")
    if len(parts) > len(takes) or not all(parts):
        asked = "/".join(part.upper() for part in takes)
        example = next(one for one in EXAMPLES if one.startswith(row))
        raise UnknownNameError(
            f"{name!r} names no network. Write {row}:{asked}, such as {example}, or {row} alone."
        )
    named = dict(zip(takes, parts, strict=False))
    for key, value in named.items():
        if given and given.get(key, value) != value:
            raise BadValueError(
                f"{name!r} says {key} {value!r}, and {key}={given[key]!r} is given besides. "
                f"Leave one of them out."
            )
    return row, named


def near(name: str, known: Iterable[str]) -> str:
    """Return a question that names what is spelled alike, to put behind an error; "" for none.

    Examples
    --------
    >>> near("unett", ["unet", "fpn"])
    " Did you mean 'unet'?"
    """
    found = difflib.get_close_matches(name, list(known), n=3)
    return f" Did you mean {' or '.join(map(repr, found))}?" if found else ""


def names_with(word: str) -> list[str]:
    """Return the names of networks that hold a word, in any case.

    Parts that go with each other freely stand alone: ``"smp:unet/ENCODER"``,
    ``"smp:ARCHITECTURE/resnet34"``. Not every encoder suits every architecture of the library;
    a pair that does not is refused when it is built.

    Examples
    --------
    >>> names_with("deeplab")
    ['smp:deeplabv3/ENCODER', 'smp:deeplabv3plus/ENCODER']
    """
    from . import MODELS, WITHOUT_NETWORK
    from ._backbone import timm_names
    from .smp_models import architectures, encoders

    names = [row for row in (*MODELS, *WITHOUT_NETWORK) if row not in PARTS]
    names += [f"smp:{one}/ENCODER" for one in architectures()]
    names += [f"smp:ARCHITECTURE/{one}" for one in encoders()]
    names += [f"timm:{one}" for one in timm_names()]
    free = ("/ENCODER", ":ARCHITECTURE/")
    return [
        name
        for name in names
        if word.lower() in name.replace(free[0], "/").replace(free[1], ":").lower()
    ]
