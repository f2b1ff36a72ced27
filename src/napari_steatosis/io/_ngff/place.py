"""Where labels go in an OME-Zarr, and what the image there asks of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import zarr

from ...core.errors import BadValueError, CannotOpenError
from ...core.geometry import Frame
from ...core.label_image import LabelImage
from .read import (
    Multiscale,
    attributes_of,
    damage_reported,
    image_group,
    multiscale_of,
    recognises,
)


@dataclass(frozen=True)
class Place:
    """A group that labels can be written into.

    Parameters
    ----------
    group : Path
        The group whose ``labels`` folder they go to; it may not be there yet.
    image : Multiscale, optional
        The image that the group holds.
    """

    group: Path
    image: Multiscale | None = None

    @property
    def levels(self) -> int | None:
        """How many levels the image has: its labels must have as many."""
        return None if self.image is None else len(self.image.datasets)

    def frame_for(self, labels: LabelImage) -> Frame | None:
        """Return the frame of the image, for labels whose pixels are those of its level 0.

        Raises
        ------
        BadValueError
            The image has another size, so it is unknown where the labels lie on it.
        """
        if self.image is None:
            return None
        finest = self.image.datasets[0]
        array: Any = zarr.open_array(str(self.group / finest.path), mode="r")
        shape = array.shape[self.image.side("y")], array.shape[self.image.side("x")]
        if shape != labels.shape:
            raise BadValueError(
                f"{self.group}: the labels {labels.name!r} have {labels.shape} px and no pixel "
                f"size, and the image has {shape} px; where they lie on it is unknown. Give them "
                f"a frame, or write them to a new path."
            )
        um_per_px = self.image.to_um(finest.scale)
        if um_per_px is None:
            return None
        return Frame(um_per_px, self.image.to_um(finest.translation) or (0.0, 0.0))


def place_of_labels(path: Path, name: str, version: str) -> Place:
    """Return the group at `path` that can take labels of this version.

    Raises
    ------
    CannotOpenError
        `path` is a file, or a damaged group.
    BadValueError
        The image has another version, the folder holds other things, or the name of the
        labels cannot be that of a folder.
    """
    if not name or name.startswith(".") or any(sign in name for sign in '/\\:*?"<>|\0'):
        raise BadValueError(
            f"{path}: labels named {name!r} cannot be stored, since the name becomes a folder. "
            f"Give them another: dataclasses.replace(labels, name='nuclei')."
        )
    if path.exists() and not path.is_dir():
        raise CannotOpenError(f"{path} is a file; an OME-Zarr is a folder. Choose another name.")
    stored = [v for v, file in (("0.4", ".zgroup"), ("0.5", "zarr.json")) if (path / file).exists()]
    if not stored:
        _refuse_others(path)
        return Place(path)
    try:
        with damage_reported():
            attributes = attributes_of(path) if recognises(path) else {}
            group = image_group(path) if attributes else path
            known = attributes_of(group) if recognises(group) else {}
            image = multiscale_of(known) if "multiscales" in known else None
            found = _version(known, stored[-1])
    except CannotOpenError as error:
        raise CannotOpenError(f"{path} cannot take labels: {error}.") from error
    if found != version:
        raise BadValueError(
            f"{path} is OME-Zarr {found}, and labels in it must be of the same version, not "
            f"{version}. Give version={found!r} if that is 0.4 or 0.5, or write to a new path."
        )
    return Place(group, image)


def _refuse_others(path: Path) -> None:
    others = [one.name for one in path.iterdir() if one.name != "labels"] if path.is_dir() else []
    if others:
        raise BadValueError(
            f"{path} is a folder with other contents ({', '.join(sorted(others)[:3])}); nothing "
            f"was written. Choose a new path."
        )


def _version(attributes: Mapping[str, Any], stored: str) -> str:
    """Return what the group states, or what its zarr format stands for."""
    if stored == "0.4" and "multiscales" in attributes:
        return str(attributes["multiscales"][0].get("version", stored))
    return str(attributes.get("version", stored))
