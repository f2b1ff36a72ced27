"""Tissue and stain of one row of a manifest: what a cell may hold, and what it means."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..core.errors import BadValueError
from ._measuring import COUNTINGS
from ._stain import AS_IT_IS, AUTO
from .tissue import SUFFIXES, mask_file

Tissue = float | Path | None
"""A sensitivity, the place of a mask, or nothing: the tissue is found."""


def tissue_of(cell: str, folder: Path) -> Tissue:
    """Return what the cell of a column ``tissue`` asks for.

    Raises
    ------
    BadValueError
        Where it is a number, but no sensitivity.

    Examples
    --------
    >>> tissue_of("0.7", Path("study")), tissue_of("m/a.png", Path("study")).as_posix()
    (0.7, 'study/m/a.png')
    """
    if not cell:
        return None
    try:
        value = float(cell)
    except ValueError:
        return folder / cell
    if not 0 <= value <= 1:
        raise BadValueError(
            f"tissue is {cell!r}; write a sensitivity from 0 to 1 with a point (0.5 is usual), or "
            f"the path of a mask."
        )
    return value


def tissue_faults(tissue: Tissue, slide: Path) -> Iterator[str]:
    """Yield what is wrong with the mask of a slide, as far as its name tells."""
    if not isinstance(tissue, Path):
        return
    if not tissue.exists():
        yield (
            f"tissue is {tissue.name!r}: there is no {tissue}, and it is no sensitivity. Correct "
            f"the path, or write a number from 0 to 1 with a point."
        )
    elif not tissue.is_dir() and not tissue.name.lower().endswith(SUFFIXES):
        yield (
            f"tissue is {tissue.name!r}, which is no mask; a mask is one of {', '.join(SUFFIXES)}, "
            f"as the command tissue writes them."
        )
    else:
        try:
            mask_file(tissue, slide)
        except OSError as error:
            yield f"tissue is {tissue.name!r}: {error}"


def counting_of(cell: str) -> str:
    """Return what the cell of a column ``hepatocytes`` asks for; empty for what the cohort does.

    Raises
    ------
    BadValueError
        Where there is no such way of counting.

    Examples
    --------
    >>> counting_of("Nuclei")
    'nuclei'
    """
    said = cell.lower()
    if said not in ("", *COUNTINGS):
        raise BadValueError(
            f"hepatocytes is {cell!r}; write one of {', '.join(COUNTINGS)}, or leave it empty."
        )
    return said


def stain_of(cell: str) -> str:
    """Return what the cell of a column ``stain`` asks for; empty for what the cohort does.

    Raises
    ------
    BadValueError
        Where there is no such method, or it needs stains that a table cannot give.

    Examples
    --------
    >>> stain_of("Macenko"), stain_of("")
    ('macenko', '')
    """
    from ..imaging.stain import STAINS

    said = cell.lower()
    if said in ("", AUTO, AS_IT_IS):
        return said
    known = [AUTO, AS_IT_IS, *(name for name in STAINS if not STAINS[name].by_hand)]
    if said not in known:
        raise BadValueError(
            f"stain is {cell!r}; write one of {', '.join(known)}, or leave it empty."
        )
    return said


def reference_of(cell: str, folder: Path) -> str:
    """Return what the cell of a column ``reference`` asks for: a name, or the path of a file.

    Raises
    ------
    BadValueError
        Where there is no such name, and no such file.

    Examples
    --------
    >>> reference_of("he-pale", Path("study"))
    'he-pale'
    """
    from ..imaging.references import REFERENCES

    if not cell or cell in REFERENCES:
        return cell
    path = folder / cell
    if path.suffix != ".json" or not path.is_file():
        raise BadValueError(
            f"reference is {cell!r}; write one of {', '.join(REFERENCES)}, or the path of a saved "
            f"reference (.json), or leave it empty."
        )
    return str(path)
