"""Whose colours a slide gets: a built-in reference, a saved one, another layer or a part of it."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .job import Steps
from .layers import shapes_among, slide_of, slides_among
from .view import shapes_um

if TYPE_CHECKING:
    import napari

    from ..pipelines.normalise import Goal

CHOOSE = "Saved reference…"
SUFFIX = ".json"
KIND = f"Stain reference (*{SUFFIX})"


def references(viewer: napari.Viewer, saved: list[Path]) -> list[tuple[str, Any]]:
    """Return text and value of all that can be mapped to."""
    from ..imaging.references import REFERENCES

    built_in = [(f"{name} (built in)", name) for name in REFERENCES]
    files = [(path.stem, path) for path in saved]
    layers = [
        (f"Layer: {name}", layer)
        for name, layer in slides_among(viewer.layers)
        if "slide" in layer.metadata
    ]
    return [*built_in, *files, *layers, (CHOOSE, CHOOSE)]


def parts(viewer: napari.Viewer) -> list[tuple[str, Any]]:
    """Return text and value of the shapes that can be a part of the reference."""
    return shapes_among(viewer.layers)


def goal_of(reference: Any, shapes: Any, um_per_px: float) -> Goal:
    """Return what the fields of a form say that is mapped to.

    Parameters
    ----------
    reference : str, path or layer
        As `references` gives it.
    shapes : Shapes, optional
        Only inside these, for a layer.
    um_per_px : float
        For a layer whose slide has no pixel size; 0 is unknown.

    Raises
    ------
    SteatosisError
        Where the layer is no slide, its pixel size is unknown, or the shapes hold no area.
    """
    from ..imaging import mask_of_polygons
    from ..pipelines.normalise import Exemplar

    if isinstance(reference, str | Path):
        return reference
    slide = slide_of(reference, um_per_px)
    region = None if shapes is None else mask_of_polygons(shapes_um(shapes, reference, slide))
    return Exemplar(slide, region, reference.name)


def key_of(goal: Goal) -> Hashable:
    """Return what tells one reference from another; a file that was written anew is another."""
    if isinstance(goal, str):
        return goal
    if isinstance(goal, Path):
        return goal, goal.stat().st_mtime_ns if goal.exists() else 0
    part = None if goal.region is None else (goal.region.frame, goal.region.values.tobytes())
    return goal.slide.fingerprint, goal.slide.colour, goal.slide.um_per_px, part


def saving_reference(goal: Goal, path: Path) -> Steps:
    """Return the steps that write a reference to a file; they yield the file last."""

    def steps(should_stop: Callable[[], bool]) -> Iterator[Any]:
        from ..imaging.references import Reference, reference_named
        from ..pipelines.normalise import Exemplar, finding_reference

        if isinstance(goal, Exemplar):
            reference = yield from finding_reference(goal)
        elif isinstance(goal, Path):
            reference = Reference.open(goal)
        else:
            reference = reference_named(goal)
        reference.save(path)
        yield path

    return steps
