"""Droplets over labels: circles in the view, one that lights up, and what was clicked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from qtpy.QtCore import QTimer

from ..io._palette import DROPLET_COLOURS
from .layers import data_to_world
from .view import camera_of, slide_px, unit_ratio

if TYPE_CHECKING:
    import napari.layers

    import napari

    from ..core.report import Report

MOST_CIRCLES = 4000
"""Circles that are drawn at once; of more droplets in the view the largest get one."""

LIT, UNLIT = (1.0, 0.24, 0.78, 1.0), (0.0, 0.0, 0.0, 0.0)
LINE_PX, SMALLEST_PX, NEAR_PX = 2.5, 3, 6
"""On the screen: width of outlines, least size of a circle, how near a click must be."""

THICKEST = 0.2
"""Widest line of a circle, share of its diameter."""

SEEN_PX, LEGIBLE_PX = 60, 16
"""A chosen droplet that is narrower than the second is shown as wide as the first, screen px."""

CIRCLE_PX = 48

IDLE_MS = 100
"""How long the window must have rested before the first click is prepared."""


class Droplets:
    """Where the droplets of a report lie on a layer of labels.

    Parameters
    ----------
    viewer : napari.Viewer
        The window.
    labels : napari.layers.Labels
        Its data coordinates are px of its prediction's class map.
    report : Report
        With the table of droplets.
    """

    def __init__(self, viewer: napari.Viewer, labels: napari.layers.Labels, report: Report) -> None:
        self.viewer, self.labels, self.report = viewer, labels, report
        self.frame = labels.metadata["prediction"].frame
        table = report.tables["droplets"]
        centres = np.stack([table["y_um"], table["x_um"]], axis=1)
        self.centres = self.frame.to_px(centres)
        self.widths = table["diameter_um"] / self.frame.mean_um_per_px
        self.area_um2 = table["area_um2"]
        self.circles: napari.layers.Points | None = None
        self.lit: napari.layers.Shapes | None = None
        self._shown: NDArray[np.int64] = np.zeros(0, np.int64)
        self._preparing = self._steps()
        self._idle = QTimer()
        self._idle.setSingleShot(True)
        self._idle.timeout.connect(self._prepare)
        self._idle.start(IDLE_MS)

    # Where things are

    def _world_to_px(self, world: ArrayLike) -> NDArray[np.float64]:
        """Convert a point of the viewer's world to px of the class map."""
        units = getattr(self.viewer.dims, "units", None)
        point = np.asarray(world, float)[-2:]
        own = point if units is None else point * unit_ratio(units[-2:], self.labels.units)
        return slide_px(self.labels, [own])[0]

    def world_of(self, point: ArrayLike) -> NDArray[np.float64]:
        """Convert a point, px of the class map, to the viewer's world."""
        matrix = data_to_world(self.labels)
        own = matrix[:2, :2] @ np.asarray(point, float) + matrix[:2, 2]
        units = getattr(self.viewer.dims, "units", None)
        return own if units is None else own / unit_ratio(units[-2:], self.labels.units)

    def _screen_per_px(self) -> float:
        """Return how many px of the screen one px of the class map is."""
        one, other = self.world_of((0, 0)), self.world_of((0, 1))
        return float(np.linalg.norm(other - one) * camera_of(self.viewer).zoom)

    def at(self, world: ArrayLike) -> int | None:
        """Return the droplet at a point of the viewer's world; None where there is none near."""
        if not len(self.centres):
            return None
        away = np.hypot(*(self.centres - self._world_to_px(world)).T)
        beyond = away - self.widths / 2
        nearest = int(beyond.argmin())
        near = max(NEAR_PX / self._screen_per_px(), float(self.widths[nearest]) / 4)
        return nearest if beyond[nearest] <= near else None

    def _in_view(self) -> NDArray[np.int64]:
        """Return the droplets whose centre is in the view; the largest where these are many."""
        camera = camera_of(self.viewer)
        half = np.asarray(self.viewer.canvas.size, float) / camera.zoom / 2
        centre = np.asarray(camera.center)[-2:]
        signs = np.array([(-1, -1), (-1, 1), (1, 1), (1, -1)])
        corners = np.array([self._world_to_px(centre + sign * half) for sign in signs])
        (low_y, low_x), (high_y, high_x) = corners.min(0), corners.max(0)
        y, x = self.centres.T
        inside = (y >= low_y) & (y <= high_y) & (x >= low_x) & (x <= high_x)
        found = np.flatnonzero(inside)
        self.seen = len(found)
        if len(found) > MOST_CIRCLES:
            largest = np.argpartition(self.widths[found], -MOST_CIRCLES)[-MOST_CIRCLES:]
            found = found[largest]
        return found

    # What is drawn

    def show_circles(self, macro_um2: float) -> str:
        """Draw a circle around every droplet in the view; return what is shown, in words."""
        found = self._in_view()
        self._shown = found
        if self._gone(self.circles):
            self.circles = self._add_points()
        layer = self.circles
        layer.data = self.centres[found]
        if len(found):
            layer.size = self.widths[found]
            line = LINE_PX / self._screen_per_px()
            layer.border_width = np.minimum(line, THICKEST * self.widths[found])
        self.recolour(macro_um2)
        if self.seen > len(found):
            return f"The {len(found)} largest of {self.seen} droplets in the view have a circle."
        return f"{len(found)} droplets in the view."

    def recolour(self, macro_um2: float) -> None:
        """Colour the circles by another cut, um2."""
        if self._gone(self.circles) or not len(self._shown):
            return
        table = [(*DROPLET_COLOURS[name], 255) for name in ("micro", "macro")]
        colours = np.array(table, np.float32) / 255
        macro = self.area_um2[self._shown] >= macro_um2
        self.circles.border_color = colours[macro.astype(np.intp)]

    def hide_circles(self) -> None:
        """Take the circles away."""
        self._drop(self.circles)
        self.circles = None

    def light(self, droplet: int, *, go: bool) -> None:
        """Draw the outline of a droplet, and go there or stay."""
        if go:
            self.go_to(droplet)
        self._draw(self.outline(droplet), LIT)

    def _prepare(self) -> None:
        """Take the next step of what takes long once, while the window rests."""
        if self.labels in self.viewer.layers and next(self._preparing, None) is not None:
            self._idle.start(IDLE_MS)

    def _steps(self) -> Iterator[str]:
        """Draw an outline that cannot be seen, in the middle of the view.

        Modules are loaded, napari makes a layer and its controls, the graphics card gets its
        programs. Nothing is left to do where somebody was faster and has chosen a droplet.
        """
        if len(self.centres):
            around = self.outline(0) - self.centres[0]
            yield "an outline"
            if self._gone(self.lit):
                self.lit = self._add_shapes()
                yield "a layer"
                if not len(self.lit.data) and not self._gone(self.lit):
                    middle = self._world_to_px(np.asarray(camera_of(self.viewer).center)[-2:])
                    self._draw(middle + around, UNLIT)

    def _draw(self, outline: NDArray[np.float64], colour: tuple[float, ...]) -> None:
        if self._gone(self.lit):
            self.lit = self._add_shapes()
        active = self.viewer.layers.selection.active
        width = LINE_PX / self._screen_per_px()
        if len(self.lit.data) == 1:
            self.lit.data = [outline]  # half the time of removing and adding
            self.lit.edge_width = [width]
            if not np.array_equal(self.lit.edge_color[0], np.float32(colour)):
                self.lit.edge_color = [colour]
        else:
            self.lit.data = []
            look = {"edge_width": width, "edge_color": colour, "face_color": "transparent"}
            self.lit.add(outline, shape_type="polygon", **look)
        self.viewer.layers.selection.active = active

    def go_to(self, droplet: int) -> None:
        """Bring a droplet into the middle of the view, and nearer where it would not be seen."""
        camera = camera_of(self.viewer)
        wide = float(self.widths[droplet]) * self._screen_per_px()
        if wide < LEGIBLE_PX:
            camera.zoom *= SEEN_PX / wide
        y, x = self.world_of(self.centres[droplet])
        camera.center = (*camera.center[:-2], float(y), float(x))

    def outline(self, droplet: int) -> NDArray[np.float64]:
        """Return the outline of a droplet, (n, 2) px; a circle where it has none."""
        from ..core.geometry import Region

        table, prediction = self.report.tables["droplets"], self.report.prediction
        y, x = float(table["y_px"][droplet]), float(table["x_px"][droplet])
        long = float(self.widths[droplet]) / max(float(table["axis_ratio"][droplet]) ** 0.5, 0.1)
        if self.report.outlines is not None and prediction is not None:
            for times in (1, 4):  # what touches it must be in the region, too
                reach = int(times * long) + 4
                side = 2 * reach + 1
                around = Region(y=int(y) - reach, x=int(x) - reach, height=side, width=side)
                for found in self.report.outlines(around):
                    if found.row == droplet:
                        return self.frame.to_px(prediction.frame.to_um(found.rings[0][:-1]))
        angle = np.linspace(0, 2 * np.pi, CIRCLE_PX, endpoint=False)
        circle = np.stack([np.sin(angle), np.cos(angle)], axis=1)
        return self.centres[droplet] + circle * self.widths[droplet] / 2

    def clear(self) -> None:
        """Take away everything that was drawn."""
        self._idle.stop()
        self.hide_circles()
        self._drop(self.lit)
        self.lit = None

    def _place(self) -> dict[str, Any]:
        layer = self.labels
        return {
            name: getattr(layer, name)
            for name in ("scale", "translate", "rotate", "shear", "affine", "units")
        }

    def _add_points(self) -> napari.layers.Points:
        return self._added(
            self.viewer.add_points,
            np.zeros((0, 2)),
            name="droplets in view",
            face_color="transparent",
            border_width_is_relative=False,
            canvas_size_limits=(SMALLEST_PX, 10_000),
            antialiasing=1,
        )

    def _add_shapes(self) -> napari.layers.Shapes:
        return self._added(self.viewer.add_shapes, name="chosen droplet")

    def _added(self, add: Any, *data: Any, **options: Any) -> Any:
        active = self.viewer.layers.selection.active
        layer = add(*data, ndim=2, metadata={"droplets": True}, **options, **self._place())
        layer.editable = False
        self.viewer.layers.selection.active = active
        return layer

    def _gone(self, layer: Any) -> bool:
        return layer is None or layer not in self.viewer.layers

    def _drop(self, layer: Any) -> None:
        if not self._gone(layer):
            self.viewer.layers.remove(layer)
