"""Damaged and hostile copies of small slides, made from a seed, and what becomes of each.

``mutant(number, folder)`` makes the copy; `mutants.worker` opens and reads it in a process of
its own. The same number gives the same copy on every machine.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from made_slides import MAKERS, stained

from .file_bytes import BYTE_CHANGES
from .pictures import PICTURE_CHANGES
from .tiff_tags import TIFF_CHANGES
from .zarr_trees import ZARR_CHANGES

SHAPE = (283, 401)


@dataclass(frozen=True)
class Mutant:
    """One damaged copy.

    Parameters
    ----------
    number : int
        The seed that made it.
    base : str
        What it was copied from.
    change : str
        What was done to it.
    path : Path
        Where it lies.
    """

    number: int
    base: str
    change: str
    path: Path


def bases(folder: Path) -> dict[str, Path]:
    """Make one sound slide of each kind in `folder`."""
    made = {}
    for name, maker in MAKERS.items():
        own = folder / name
        own.mkdir(parents=True)
        made[name] = maker(own, stained(*SHAPE))
    return made


def mutant(number: int, sound: dict[str, Path], folder: Path) -> Mutant:
    """Make the damaged copy of this number in `folder`."""
    rng = np.random.default_rng(number)
    base = str(rng.choice(sorted(sound)))
    source = sound[base]
    path = folder / f"{number}{''.join(source.suffixes)}"
    if source.is_dir():
        shutil.copytree(source, path)
        changes = ZARR_CHANGES if any(path.glob("zarr.json")) else BYTE_CHANGES
    else:
        # What lies beside a slide belongs to it (the folder of an mrxs).
        beside = source.with_suffix("")
        if beside.is_dir():
            shutil.copytree(beside, path.with_name(str(number)))
        shutil.copy(source, path)
        head = path.read_bytes()[:4]
        changes = dict(BYTE_CHANGES)
        if head[:2] in (b"II", b"MM"):
            changes |= TIFF_CHANGES
        elif head in PICTURE_CHANGES:
            changes |= PICTURE_CHANGES[head]
    change = str(rng.choice(sorted(changes)))
    changes[change](path, rng)
    return Mutant(number, base, change, path)
