"""How much of each stain lies where on a slide: as layers, and as a value that is written."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..core.amounts import Amounts
from ..core.errors import BadValueError
from ..core.geometry import Region
from ..core.pyramid import LevelArray, level_arrays
from ..core.slide import Slide
from ..core.stain import StainTransform

if TYPE_CHECKING:
    from ..imaging.separation import StainSeparation


class AmountLevel:
    """How much of one stain is where in a level: ``(y, x) float32``, computed when sliced.

    Parameters
    ----------
    level : LevelArray
        Of the slide.
    separation : StainSeparation
        Takes the stains apart.
    index : int
        Which stain.
    """

    ndim = 2
    dtype = np.dtype(np.float32)

    def __init__(self, level: LevelArray, separation: StainSeparation, index: int) -> None:
        self._level, self._separation, self._index = level, separation, index
        self.shape, self.chunks = level.shape[:2], level.chunks[:2]

    @property
    def size(self) -> int:
        """Number of values, which orders the levels of a pyramid."""
        return int(np.prod(self.shape, dtype=np.int64))

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> NDArray[np.float32]:
        pixels = self._level[key]
        if 0 in pixels.shape:
            return np.empty(pixels.shape[:-1], np.float32)
        return np.asarray(self._separation.amounts(pixels)[self._index], np.float32)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return self[:].astype(dtype or self.dtype, copy=False)


def separation_of(transform: StainTransform) -> StainSeparation:
    """Return the stains that a transform was fitted to; those of textbooks where it has none."""
    from ..imaging.separation import separation

    if getattr(transform, "stains", None) is None:
        return separation("H&E", white=getattr(transform, "white", (245.0, 245.0, 245.0)))
    return separation(transform)


def separation_in(amounts: Amounts) -> StainSeparation:
    """Return the stains that amounts were written with, from their provenance.

    Raises
    ------
    BadValueError
        Where the provenance does not name them.
    """
    from ..imaging.separation import StainSeparation

    stated = amounts.provenance
    try:
        vectors = tuple((float(r), float(g), float(b)) for r, g, b in stated["vectors"])
        red, green, blue = stated["white"]
        return StainSeparation(amounts.stains, vectors, (float(red), float(green), float(blue)))
    except (KeyError, TypeError, ValueError) as error:
        raise BadValueError(
            f"{amounts.name}: the vectors of its stains cannot be read from its metadata "
            f"({type(error).__name__}: {error}). Write the amounts again from the slide."
        ) from error


def amounts_of(slide: Slide, separation: StainSeparation) -> Amounts:
    """Return the amounts of the stains of a slide, as a value that can be written.

    Parameters
    ----------
    slide : Slide
        As it was opened, or normalised.
    separation : StainSeparation
        Names and vectors of the stains.

    Examples
    --------
    >>> import tempfile
    >>> import napari_steatosis as st
    >>> slide, folder = st.drawn_liver(512, 512, seed=1), tempfile.mkdtemp()
    >>> amounts = amounts_of(slide, separation_of(st.fit_stain(slide)))
    >>> [made.name for made in st.write(amounts, f"{folder}/amounts.ome.zarr")]
    ['amounts.ome.zarr']
    """
    colours = [separation.rgb_of(stain, 1.0) for stain in range(len(separation.names))]

    def read(region: Region) -> NDArray[np.float32]:
        return np.ascontiguousarray(np.moveaxis(separation.amounts(slide.read(region)), 0, -1))

    return Amounts(
        name=Path(slide.path).name,
        stains=separation.names,
        colours=tuple((int(red), int(green), int(blue)) for red, green, blue in colours),
        shape=slide.shape,
        frame=None if slide.um_per_px is None else slide.frame(),
        read=read,
        provenance={
            "slide": slide.fingerprint,
            "colour": list(slide.colour),
            "stains": list(separation.names),
            "vectors": [list(vector) for vector in separation.vectors],
            "white": list(separation.white),
            "unit": "optical density (natural logarithm) along the vector",
        },
    )


def stain_amounts(slide: Slide, separation: StainSeparation) -> dict[str, list[AmountLevel]]:
    """Return the amount of each stain at every level of a slide; read where it is sliced.

    Parameters
    ----------
    slide : Slide
        As it was opened, or normalised.
    separation : StainSeparation
        Names and vectors of the stains.

    Returns
    -------
    dict of str to list of AmountLevel
        Stain to levels, finest first. 1 is an optical density of 1 (natural logarithm) along
        the unit vector of the stain.
    """
    levels = level_arrays(slide)
    return {
        name: [AmountLevel(level, separation, index) for level in levels]
        for index, name in enumerate(separation.names)
    }
