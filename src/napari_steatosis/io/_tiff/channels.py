"""Three pages of one sample each: red, green and blue only where the file says so."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

from .qptiff import stain_name

COLOURS = {"r": 0, "red": 0, "g": 1, "green": 1, "b": 2, "blue": 2}
PURE = {(255, 0, 0): 0, (0, 255, 0): 1, (0, 0, 255): 2}
FLUORESCENCE = ("Fluor", "EmissionWavelength", "ExcitationWavelength")
"""Attributes of an OME channel that only a fluorescent one has."""

PAGE_NAME = 285


def ome_image(file: Any, series: Any) -> ElementTree.Element | None:
    """Return the ``Pixels`` element of a series of an OME-TIFF, or None."""
    if not file.is_ome or not file.ome_metadata:
        return None
    images = ElementTree.fromstring(file.ome_metadata).findall("{*}Image")
    index = next((n for n, other in enumerate(file.series) if other is series), len(images))
    return images[index].find("{*}Pixels") if index < len(images) else None


def channel_names(file: Any, series: Any) -> list[str]:
    """Return the names that the file gives its planes, in their order; empty where it has none."""
    pixels = ome_image(file, series)
    if pixels is not None:
        return [channel.get("Name", "") for channel in pixels.findall("{*}Channel")]
    if file.is_qpi:
        return [stain_name(page) for page in series.pages]
    if file.is_imagej:
        labels = (file.imagej_metadata or {}).get("Labels") or []
        return [labels] if isinstance(labels, str) else [str(label) for label in labels]
    return [_page_name(page) for page in series.pages]


def rgb_order(file: Any, series: Any) -> tuple[int, int, int] | None:
    """Return which of three planes is red, green and blue, or None where the file does not say.

    Planes are named Red, Green, Blue (or R, G, B), or have no name, and their colours in the
    OME-XML are pure red, green and blue; or the OME-XML calls them one channel of 3 samples.
    A fluorescent channel is never one of them, whatever its name and colour.
    """
    pixels = ome_image(file, series)
    channels = [] if pixels is None else pixels.findall("{*}Channel")
    if any(_is_fluorescent(channel) for channel in channels):
        return None
    if [channel.get("SamplesPerPixel") for channel in channels] == ["3"]:
        return 0, 1, 2
    names = channel_names(file, series)
    found = [COLOURS.get(name.strip().lower()) for name in names]
    if channels and all(re.fullmatch(r"\d*", name) for name in names):
        found = [_pure_colour(channel) for channel in channels]
    if len(found) != 3 or {0, 1, 2} != set(found):
        return None
    return found.index(0), found.index(1), found.index(2)


def _is_fluorescent(channel: ElementTree.Element) -> bool:
    said = {channel.get("ContrastMethod"), channel.get("IlluminationType")}
    stated = any(channel.get(name) is not None for name in FLUORESCENCE)
    return stated or bool(said & {"Fluorescence", "Epifluorescence"})


def _pure_colour(channel: ElementTree.Element) -> int | None:
    """Return 0, 1 or 2 for pure red, green and blue; OME packs RGBA into one signed integer."""
    try:
        rgba = int(channel.get("Color", "")) & 0xFFFFFFFF
    except ValueError:
        return None
    return PURE.get((rgba >> 24, rgba >> 16 & 255, rgba >> 8 & 255))


def _page_name(page: Any) -> str:
    return "" if page is None else str(page.aspage().tags.valueof(PAGE_NAME, default=""))
