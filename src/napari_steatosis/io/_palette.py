"""The colours of classes and droplets, the same in every file and on every screen."""

from __future__ import annotations

from collections.abc import Sequence

CLASS_COLOURS: dict[str, tuple[int, int, int, int]] = {
    "tissue": (0, 0, 0, 0),  # the slide itself shows through
    "fat": (0, 200, 255, 255),  # eosin and haematoxylin leave cyan free
}
"""Class name to red, green, blue and opacity, 0 to 255."""

DROPLET_COLOURS: dict[str, tuple[int, int, int]] = {
    "macro": (0, 200, 255),
    "micro": (255, 212, 0),
}
"""Size class of a droplet to red, green and blue, 0 to 255."""

ZONE_COLOURS: tuple[tuple[int, int, int], ...] = (
    (44, 123, 182),
    (171, 217, 233),
    (253, 174, 97),
    (215, 48, 39),
)
"""From what zones are measured from outwards; of three, the second is left out."""

LANDMARK_COLOURS: dict[str, tuple[int, int, int]] = {
    "portal region": (10, 40, 110),
    "central region": (110, 0, 20),
}
"""Drawn region to red, green and blue: the darker colours of the zones beside them."""

HEPATOCYTE_COLOURS: dict[str, tuple[int, int, int]] = {
    "without fat": (77, 158, 245),
    "with fat": (255, 184, 26),
}
"""Whether a hepatocyte has fat, to red, green and blue."""

SPARE_COLOURS: tuple[tuple[int, int, int, int], ...] = (
    (0, 158, 115, 255),
    (230, 159, 0, 255),
    (86, 80, 200, 255),
    (213, 94, 0, 255),
    (204, 121, 167, 255),
    (0, 114, 178, 255),
    (150, 150, 40, 255),
    (140, 70, 60, 255),
)
"""For classes without a colour of their own, in order."""


def map_colours(names: Sequence[str]) -> list[tuple[int, int, int]]:
    """Return red, green and blue of each label of a map of zones or of territories.

    Parameters
    ----------
    names : sequence of str
        What the labels 1, 2, ... are.

    Examples
    --------
    >>> map_colours(("zone 1, periportal", "zone 2, mid-zonal", "zone 3, centrilobular"))[1]
    (253, 174, 97)
    """
    known = {**LANDMARK_COLOURS, **HEPATOCYTE_COLOURS}
    zones = [name for name in names if name not in known]
    ramp = ZONE_COLOURS if len(zones) > 3 else (ZONE_COLOURS[0], *ZONE_COLOURS[2:])
    return [known[name] if name in known else ramp[zones.index(name)] for name in names]


def class_colours(classes: tuple[str, ...]) -> list[tuple[int, int, int, int]]:
    """Return red, green, blue and opacity (0 to 255) of each class.

    Examples
    --------
    >>> class_colours(("tissue", "fat"))
    [(0, 0, 0, 0), (0, 200, 255, 255)]
    """
    spare = 0
    colours = []
    for name in classes:
        if name in CLASS_COLOURS:
            colours.append(CLASS_COLOURS[name])
        else:
            colours.append(SPARE_COLOURS[spare % len(SPARE_COLOURS)])
            spare += 1
    return colours
