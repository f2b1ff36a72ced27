"""The command *Save snapshot*: what is in view, with scale bar and legend, as PNG or SVG."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..core.errors import BadValueError, SteatosisError

if TYPE_CHECKING:
    import napari.layers

    import napari

    from ..core.snapshot import Snapshot

KINDS = "PNG picture (*.png);;SVG drawing (*.svg)"
LEAST_WIDTH_PX = 1200


def save_snapshot() -> None:
    """Ask for a file, and write what the window shows of a slide into it."""
    from napari.utils.notifications import show_error
    from qtpy.QtWidgets import QFileDialog

    from .view import window_viewer

    viewer = window_viewer()
    try:
        snapshot = snapshot_of(viewer)
    except SteatosisError as error:
        show_error(str(error))
        return
    name = Path(snapshot.slide.path).name.partition(".")[0]
    path, chosen = QFileDialog.getSaveFileName(None, "Save snapshot", f"{name}.png", KINDS)
    if path:
        start_writing(snapshot, with_suffix(path, chosen))


def with_suffix(path: str, chosen: str) -> Path:
    """Return a path that ends as one of the two formats does, the chosen one if need be."""
    if Path(path).suffix.lower() in (".png", ".svg"):
        return Path(path)
    return Path(path + (".svg" if "svg" in chosen else ".png"))


def start_writing(snapshot: Snapshot, path: Path) -> None:
    """Write a snapshot beside the window, and say how that ended."""
    from napari.utils.notifications import show_error, show_info

    from .job import Job, Outcome

    def steps(should_stop: Callable[[], bool]) -> Iterator[Path]:
        from ..io.write import write

        yield from write(snapshot, path, overwrite=True)  # the dialog has asked

    def ended(outcome: Outcome) -> None:
        if outcome.error is not None:
            show_error(str(outcome.error))

    Job(steps, "Save snapshot", on_item=lambda made: show_info(f"Saved {made}."), on_end=ended)


def snapshot_of(viewer: napari.Viewer | None) -> Snapshot:
    """Return what a viewer shows of a slide: its region in view, and the visible labels on it.

    Raises
    ------
    BadValueError
        There is no slide, none of it is in view, or labels lie turned on it.
    """
    from ..core.geometry import Region
    from ..core.snapshot import WIDTHS_PX, Snapshot
    from .placement import Ground
    from .saved_layers import labels_of
    from .view import view_px

    image = slide_in_view(viewer)
    _, meta, _ = image.as_layer_data_tuple()
    slide = meta["metadata"]["slide"]
    corners = view_px(viewer, image, slide)
    y, x = np.floor(corners.min(0) + 0.5).astype(int).tolist()
    y_end, x_end = np.ceil(corners.max(0) + 0.5).astype(int).tolist()
    shown = [one for one in viewer.layers if one.visible and type(one).__name__ == "Labels"]
    data = [one.as_layer_data_tuple() for one in shown]
    return Snapshot(
        slide,
        Region(y=y, x=x, height=y_end - y, width=x_end - x),
        overlays=tuple(labels_of(*one[:2], Ground(slide, meta)) for one in data),
        opacity=float(shown[-1].opacity) if shown else 1.0,
        width_px=int(np.clip(viewer.canvas.size[1], LEAST_WIDTH_PX, WIDTHS_PX[1])),
    )


def slide_in_view(viewer: napari.Viewer | None) -> napari.layers.Image:
    """Return the slide layer to show: the active one, else the topmost that is visible."""
    layers = [] if viewer is None else list(viewer.layers)
    slides = [one for one in layers if one.visible and "slide" in one.metadata]
    if not slides:
        raise BadValueError(
            "There is no visible slide. Open one with napari-steatosis (Plugins > "
            "napari-steatosis > Open slide…), or show its layer."
        )
    active = viewer.layers.selection.active
    return active if active in slides else slides[-1]
