"""Slides with outlines drawn in QuPath, as tiles that are cut when they are read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

from ...core.errors import BadValueError, CannotOpenError
from .areas import areas_at, tiles_of
from .folders import Found, patient_of, split_of
from .source import plane_at


def tiles_in(
    root: str, slides: Sequence[tuple[str, str]], *, um_per_px: float, tile_px: int
) -> Found:
    """Find the tiles that hold a part of a completely annotated area.

    Parameters
    ----------
    root : str
        Folder.
    slides : sequence of (slide, GeoJSON)
        Below it.
    um_per_px : float
        Resolution of the tiles, um.
    tile_px : int
        Their side, px.

    Raises
    ------
    CannotOpenError
        Where a slide or its outlines cannot be opened.
    BadValueError
        Where no area of a slide was annotated completely.
    MissingScaleError
        Where a slide has no pixel size.
    """
    found = Found()
    for slide, drawn in slides:
        path, annotations = f"{root}/{slide}", f"{root}/{drawn}"
        place = PurePosixPath(slide)
        try:
            plane = plane_at(path, um_per_px)
            regions = list(tiles_of(areas_at(annotations), plane, tile_px))
        except BadValueError as error:
            raise BadValueError(f"{annotations}: {error}") from None
        if not regions:
            raise CannotOpenError(
                f"{annotations}: its annotated areas lie outside the slide {path}. Export the "
                f"GeoJSON of this slide."
            )
        for region in regions:
            found.rows.append(
                {
                    "name": f"{slide} @{region.y},{region.x}",
                    "path": path,
                    "region": region,
                    "annotations_path": annotations,
                    "slide": place.name,
                    "patient": patient_of(place.stem),
                    "split": split_of(place.parts[:-1]),
                    "um_per_px": plane.frame.mean_um_per_px,
                }
            )
    found.notes.append(
        "Tiles are background only inside areas of the class Region*; the rest of a tile is 255, "
        "not known."
    )
    return found
