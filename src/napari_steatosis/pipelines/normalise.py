"""A slide whose pixels pass through a stain transform, read where they are looked at."""

from __future__ import annotations

import re
from collections.abc import Generator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..core.digest import digest
from ..core.errors import BadValueError
from ..core.geometry import Region
from ..core.mask import Mask
from ..core.slide import Slide
from ..core.stain import StainTransform
from ._stain import refuse_twice
from .analyse import Share, Stage, tissue_shares

if TYPE_CHECKING:
    from ..imaging.references import Reference
    from ..imaging.stain_sample import StainSample


@dataclass(frozen=True, eq=False)
class StainedSource:
    """Pixels of a slide through a stain transform; its other images stay as stored.

    Parameters
    ----------
    slide : Slide
        Read level by level: what is level 3 here was level 3 there.
    transform : StainTransform
        Applied to what was read.
    """

    slide: Slide
    transform: StainTransform

    def read(self, level: int, region: Region) -> NDArray[np.uint8]:
        """Return ``(height, width, 3) uint8`` RGB of a region of a level, normalised."""
        return self.transform.apply(self.slide.read(region, level))

    def associated(self, name: str) -> NDArray[np.uint8]:
        """Return an associated image as it is stored."""
        return self.slide.source.associated(name)


def normalise(slide: Slide, stain: StainTransform | str = "macenko", **options: Any) -> Slide:
    """Return the same slide with normalised colours. Nothing is computed before it is read.

    Every level is made of the same level of the slide, so
    ``normalise(slide, t).read(region, level)`` equals ``t.apply(slide.read(region, level))``.
    It is a slide like any other: it can be shown, written, analysed, sent to a cluster.
    Results say which transform their colours went through.

    Parameters
    ----------
    slide : Slide
        As it was opened.
    stain : StainTransform or str
        A transform (`fit_stain`), or the method by which one is fitted now.
    **options
        For a method: `tissue`, `reference`, `seed` and `stains` as in `fit_stain`.

    Returns
    -------
    Slide
        `Slide.stain` is the transform, and `Slide.colour` names it.

    Raises
    ------
    BadValueError
        Where the slide is normalised already, or a stain cannot be fitted.
    MissingScaleError
        Where a stain is to be fitted to a slide without a pixel size.

    Examples
    --------
    >>> import napari_steatosis as st
    >>> slide = st.drawn_liver(512, 512, seed=1)
    >>> normalised = normalise(slide, "macenko")
    >>> region = st.Region(y=0, x=0, height=8, width=8)
    >>> bool((normalised.read(region) == normalised.stain.apply(slide.read(region))).all())
    True
    """
    from ..imaging import fit_stain

    refuse_twice(slide)
    if isinstance(stain, str):
        transform: StainTransform = fit_stain(slide, method=stain, **options)
    elif options:
        raise BadValueError(
            f"A fitted transform takes no {', '.join(options)}: these are for fitting one."
        )
    else:
        transform = stain
    return replace(
        slide,
        source=StainedSource(slide, transform),
        levels=tuple(replace(one, stored=i, shrink=1) for i, one in enumerate(slide.levels)),
        colour=(*slide.colour, f"stain-{transform.name}-{digest(transform.to_json())[:12]}"),
        stain=transform,
    )


@dataclass(frozen=True, eq=False)
class Exemplar:
    """A slide, or a part of one, whose colours others are to have.

    Parameters
    ----------
    slide : Slide
        With a pixel size.
    region : Mask, optional
        Only the tissue in it; None is all tissue.
    name : str
        Of the reference; the file name of the slide where it is empty.
    """

    slide: Slide
    region: Mask | None = None
    name: str = ""


Goal = str | Path | Exemplar
"""Name of a built-in reference, file of a saved one, or whose colours to take."""


def goal_of(reference: str | Path) -> Goal:
    """Return what a text names: a built-in reference, a saved one, or else a slide's colours.

    Raises
    ------
    CannotOpenError
        Where it is the path of something that is no slide.
    """
    from ..imaging.references import REFERENCES

    place = Path(reference)
    if reference in REFERENCES or place.suffix == ".json" or not place.exists():
        return reference
    from ..io import open_slide

    return Exemplar(open_slide(place))


def stains_from(text: str) -> str | list[list[float]]:
    """Return stain vectors that were typed: six numbers, haematoxylin first, or a name.

    Raises
    ------
    BadValueError
        Where there are numbers, but not six.

    Examples
    --------
    >>> stains_from("0.65 0.70 0.29, 0.07 0.99 0.11")
    [[0.65, 0.7, 0.29], [0.07, 0.99, 0.11]]
    >>> stains_from("H&E")
    'H&E'
    """
    numbers = [float(number) for number in re.findall(r"[-+]?\d*\.?\d+", text)]
    if not numbers:
        return text.strip()
    if len(numbers) != 6:
        raise BadValueError(
            f"Stain vectors are six numbers, the optical density of red, green and blue of "
            f"haematoxylin and then of eosin, or 'H&E'; {text!r} has {len(numbers)}."
        )
    return [numbers[:3], numbers[3:]]


def fitting(
    slide: Slide,
    *,
    method: str,
    reference: Goal | Reference = "he",
    stains: str = "",
    sample: StainSample | None = None,
    seed: int = 0,
) -> Generator[Stage | Share, None, StainTransform]:
    """Fit a stain transform as `fit_stain` does, and say what is being done.

    Parameters
    ----------
    slide, method, seed
        As in `fit_stain`.
    reference : str, path, Exemplar or Reference
        What to map to.
    stains : str
        For a method whose stains are given by hand: see `stains_from`.
    sample : StainSample, optional
        Of the slide (`sampling`); it is taken where it is left out.

    Yields
    ------
    Stage, Share

    Returns
    -------
    StainTransform
    """
    from ..imaging.stain import STAINS, stain_of_sample

    refuse_twice(slide)
    by_hand: dict[str, Any] = (
        {"stains": stains_from(stains)} if stains and STAINS[method].by_hand else {}
    )
    goal: Any = reference
    if isinstance(reference, Exemplar):
        goal = yield from finding_reference(reference, seed=seed)
    if sample is None:
        sample = yield from sampling(slide, seed=seed)
    yield Stage(f"Fitting {method}")
    try:
        fitted: StainTransform = stain_of_sample(sample, method=method, reference=goal, **by_hand)
    except BadValueError as error:
        raise BadValueError(f"{slide.path}: {error}") from None
    return fitted


def sampling(slide: Slide, *, seed: int = 0) -> Generator[Stage | Share, None, StainSample]:
    """Sample the colours of a slide's tissue, to which every method can be fitted.

    Yields
    ------
    Stage, Share

    Returns
    -------
    StainSample

    Raises
    ------
    BadValueError
        Where there is no stained tissue.
    """
    from ..imaging.stain_sample import sample_stain

    yield Stage("Finding tissue")
    tissue = yield from tissue_shares(slide)
    yield Stage("Sampling its colours")
    return sample_stain(slide, tissue, seed)


def finding_reference(
    exemplar: Exemplar, *, seed: int = 0
) -> Generator[Stage | Share, None, Reference]:
    """Take the colours of an exemplar as a reference, and say what is being done.

    Yields
    ------
    Stage, Share

    Returns
    -------
    Reference

    Raises
    ------
    BadValueError
        Where there is no stained tissue.
    """
    from ..imaging.reference_slides import reference_of

    yield Stage("Finding the tissue of the reference")
    tissue = yield from tissue_shares(exemplar.slide)
    if exemplar.region is not None:
        tissue = tissue & exemplar.region
    yield Stage("Taking the colours of the reference")
    name = exemplar.name or Path(exemplar.slide.path).name
    taken: Reference = reference_of(exemplar.slide, tissue=tissue, seed=seed, name=name)
    return taken
