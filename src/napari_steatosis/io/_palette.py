"""The colours of classes and droplets, the same in every file and on every screen."""

from __future__ import annotations

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
