"""What OME-NGFF 0.4 and 0.5 say of an image or of labels: axes, places, colours and names."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

from ...core.amounts import MOST, Amounts
from ...core.errors import BadValueError
from ...core.geometry import Frame
from ...core.label_image import LabelImage
from ...core.prediction import Array
from .._palette import class_colours

ZARR_FORMATS: dict[str, Literal[2, 3]] = {"0.4": 2, "0.5": 3}
"""OME-NGFF version to the zarr format that it is stored in."""

WINDOW = {"min": 0, "max": 255, "start": 0, "end": 255}
"""Grey values that other viewers spread over the screen: all of them, so colours are true."""


def image_metadata(
    name: str, frame: Frame | None, levels: int, *, version: str = "0.4"
) -> dict[str, Any]:
    """Return what OME-NGFF says of an RGB image with the axes c, y and x.

    Parameters
    ----------
    name : str
        Of the image.
    frame : Frame, optional
        Of level 0; None where the size of a pixel is unknown, and no unit is stated.
    levels : int
        Number of levels, stored at the paths ``"0"``, ``"1"``, ...
    version : str
        ``"0.4"`` or ``"0.5"``.

    Examples
    --------
    >>> image_metadata("liver", None, 1)["multiscales"][0]["axes"][:2]
    [{'name': 'c', 'type': 'channel'}, {'name': 'y', 'type': 'space'}]
    """
    channels = [
        {"label": label, "color": colour, "active": True, "window": WINDOW}
        for label, colour in (("R", "FF0000"), ("G", "00FF00"), ("B", "0000FF"))
    ]
    omero = {**_stated(version), "channels": channels, "rdefs": {"model": "color"}}
    multiscale = {**_stated(version), "name": name, **_levels("cyx", frame, levels), "type": "mean"}
    return {"multiscales": [multiscale], "omero": omero}


def amounts_metadata(amounts: Amounts, levels: int, *, version: str = "0.4") -> dict[str, Any]:
    """Return what OME-NGFF says of amounts of stains, a channel each.

    Parameters
    ----------
    amounts : Amounts
        Their names, colours and frame.
    levels : int
        Number of levels, stored at the paths ``"0"``, ``"1"``, ...
    version : str
        ``"0.4"`` or ``"0.5"``.
    """
    window = {"min": 0.0, "max": MOST, "start": 0.0, "end": MOST}
    channels = [
        {"label": stain, "color": bytes(colour).hex().upper(), "active": True, "window": window}
        for stain, colour in zip(amounts.stains, amounts.colours, strict=True)
    ]
    multiscale = {
        **_stated(version),
        "name": amounts.name,
        **_levels("cyx", amounts.frame, levels),
        "type": "mean",
    }
    return {"multiscales": [multiscale], "omero": {**_stated(version), "channels": channels}}


def label_metadata(
    labels: LabelImage, levels: int, *, image: str | None = None, version: str = "0.4"
) -> dict[str, Any]:
    """Return what OME-NGFF says of a label image.

    Parameters
    ----------
    labels : LabelImage
        Its name, frame, colours and properties. Level ``i`` has pixels ``2 ** i`` times as
        large, whose centres are those of `Frame.coarser`, so that all levels lie on top of
        each other.
    levels : int
        Number of levels, stored at the paths ``"0"``, ``"1"``, ...
    image : str, optional
        Path from the label image to the image that it belongs to (``"../../"``); None where
        it stands alone.
    version : str
        ``"0.4"`` or ``"0.5"``.

    Returns
    -------
    dict
        ``multiscales`` and ``image-label``.

    Raises
    ------
    BadValueError
        A colour is not four numbers from 0 to 255, or a property cannot be written as JSON.

    Examples
    --------
    >>> made = label_metadata(class_labels("fat", ("tissue", "fat"), Frame((0.5, 0.5))), 2)
    >>> made["multiscales"][0]["datasets"][1]["coordinateTransformations"][1]
    {'type': 'translation', 'translation': [0.25, 0.25]}
    """
    about: dict[str, Any] = _stated(version)
    # The validator wants the same values in both lists, where there are both.
    both = {*labels.colours, *labels.properties} if labels.colours and labels.properties else set()
    if labels.colours:
        about["colors"] = [
            {"label-value": int(value), "rgba": _rgba(labels, value)}
            for value in sorted({*labels.colours, *both})
        ]
    if labels.properties:
        about["properties"] = [
            {**_plain(labels, value), "label-value": int(value)}
            for value in sorted({*labels.properties, *both})
        ]
    if image is not None:
        about["source"] = {"image": image}
    multiscale = {
        **_stated(version),
        "name": labels.name,
        **_levels("yx", labels.frame, levels),
        "type": "nearest",
    }
    return {"multiscales": [multiscale], "image-label": about}


def class_labels(
    name: str, classes: tuple[str, ...], frame: Frame, levels: tuple[Array, ...] = ()
) -> LabelImage:
    """Return a class map as labels: 0 is *not analysed* and transparent, ``i + 1`` a class.

    Examples
    --------
    >>> class_labels("fat", ("tissue", "fat"), Frame((0.5, 0.5))).properties[2]
    {'class': 'fat'}
    """
    colours = enumerate([(0, 0, 0, 0), *class_colours(classes)])
    properties = {value: {"class": name} for value, name in enumerate(("not analysed", *classes))}
    return LabelImage(name, levels, frame, dict(colours), properties)


def group_attributes(ome: Mapping[str, Any], version: str, **own: Any) -> dict[str, Any]:
    """Return the attributes of a group: what OME-NGFF says, and what this program adds.

    Examples
    --------
    >>> group_attributes({"labels": ["fat"]}, "0.5")
    {'ome': {'version': '0.5', 'labels': ['fat']}}
    """
    if version == "0.4":
        return {**ome, **own}
    return {"ome": {"version": version, **ome}, **own}


def _stated(version: str) -> dict[str, Any]:
    """0.4 has the version in every part, later ones once per group."""
    return {"version": version} if version == "0.4" else {}


def _levels(axes: str, frame: Frame | None, levels: int) -> dict[str, Any]:
    unit = {} if frame is None else {"unit": "micrometer"}
    stated = [
        {"name": axis, "type": "channel"} if axis == "c" else {"name": axis, "type": "space"} | unit
        for axis in axes
    ]
    channel = axes.count("c")
    datasets = []
    for level in range(levels):
        own = (frame or Frame((1.0, 1.0))).coarser(2**level)
        steps = [
            {"type": "scale", "scale": [*[1.0] * channel, *own.um_per_px]},
            {"type": "translation", "translation": [*[0.0] * channel, *own.origin_um]},
        ]
        datasets.append({"path": str(level), "coordinateTransformations": steps})
    return {"axes": stated, "datasets": datasets}


def _rgba(labels: LabelImage, value: int) -> list[int] | None:
    if value not in labels.colours:
        return None
    rgba = [int(part) for part in labels.colours[value]]
    if len(rgba) != 4 or not all(0 <= part <= 255 for part in rgba):
        raise BadValueError(
            f"The labels {labels.name!r} have the colour {labels.colours[value]} for {value}; "
            f"a colour is red, green, blue and opacity, each from 0 to 255."
        )
    return rgba


def _plain(labels: LabelImage, value: int) -> dict[str, Any]:
    """Return the properties of a label as JSON holds them; numpy scalars become numbers."""
    known = dict(labels.properties.get(value, {}))
    try:
        plain: dict[str, Any] = json.loads(
            json.dumps(known, allow_nan=False, default=lambda scalar: scalar.item())
        )
    except (TypeError, ValueError, AttributeError) as error:
        raise BadValueError(
            f"The labels {labels.name!r} have properties of {value} that cannot be stored: "
            f"{str(known)[:200]} ({error}). Give texts, finite numbers, and lists of them."
        ) from error
    return plain
