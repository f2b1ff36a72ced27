"""Writers for napari: layers as one OME-Zarr with GeoJSON beside it, or as GeoJSON alone."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..core.errors import BadValueError, CannotOpenError, SteatosisError
from .layers import LayerTuple

SUFFIXES = (".ome.zarr", ".zarr")
GEOJSON = (".geojson", ".geojson.gz")


def write_bundle(path: str, layers: list[LayerTuple]) -> list[str]:
    """Write a slide with its labels as OME-Zarr, and shapes and points as GeoJSON beside it.

    Labels alone join the OME-Zarr image at `path`, where there is one. The amounts of a slide's
    stains alone become an image with a channel for each stain. What could not be written whole
    is not left behind.

    Parameters
    ----------
    path : str
        Ends in ``.ome.zarr``, which is added where it is missing, or ``.zarr``.
    layers : list of (data, meta, type)
        As napari gives them.

    Returns
    -------
    list of str
        What was written.

    Raises
    ------
    CannotOpenError
        With the layer that cannot be written, and why.
    """
    with _shown_by_napari(path):
        return _bundle(_ending(path, SUFFIXES), layers)


def write_annotations(path: str, layers: list[LayerTuple]) -> list[str]:
    """Write shapes and points as GeoJSON that QuPath reads; a file of that name is replaced.

    Raises
    ------
    CannotOpenError
        With the layer that cannot be written, and why.
    """
    from ..core.annotation import Annotations
    from ..io.write import write

    with _shown_by_napari(path):
        items = _annotations(layers, _ground_in_window(layers))
        file = _ending(path, GEOJSON)
        return [str(made) for made in write(Annotations(items), file, overwrite=True)]


@contextmanager
def _shown_by_napari(path: str) -> Iterator[None]:
    """Napari takes a `ValueError` of a writer for "there is no writer", and hides its text."""
    try:
        yield
    except ValueError as error:
        text = str(error) if isinstance(error, SteatosisError) else f"{path}: {error}"
        raise CannotOpenError(text) from error


def _bundle(path: Path, layers: Sequence[LayerTuple]) -> list[str]:
    from ..core.annotation import Annotations
    from ..io.write import write
    from .placement import Ground
    from .saved_layers import labels_of, slide_of

    if amounts := _amounts_alone(layers):
        return [str(made) for made in _written(amounts, path)]
    image = _the_image(layers)
    ground = None if image is None else Ground(slide_of(*image[:2]), image[1])
    labels = [labels_of(*layer[:2], ground) for layer in layers if layer[2] == "labels"]
    if image is None and not labels:
        raise BadValueError(
            f"{path}: there is neither a slide nor a labels layer to write. Shapes and points "
            f"alone can be saved as .geojson."
        )
    items = _annotations(layers, ground)
    names = [one.name for one in labels]
    if twice := [name for name in names if names.count(name) > 1]:
        raise BadValueError(f"Two labels layers are called {twice[0]!r}. Rename one of them.")
    beside = path.with_name(_stem(path) + ".geojson")
    if items and beside.exists():
        raise BadValueError(f"{beside} is there already. Choose another name.")
    was_there, made = path.exists(), []
    try:
        values = [*([] if ground is None else [ground.slide]), *labels]
        for value in values:
            made += _written(value, path)
        if items:
            made += write(Annotations(items), beside)
    except BaseException:
        if not was_there:
            shutil.rmtree(path, ignore_errors=True)
        raise
    return [str(file) for file in made]


def _written(value: Any, path: Path) -> list[Path]:
    """Write a value with a bar in the activity dock, which also keeps the window alive."""
    from napari.utils import progress

    from ..io.write import write

    with progress(desc=f"Saving {path.name}") as bar:

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        return write(value, path, on_block=show)


def _the_image(layers: Sequence[LayerTuple]) -> LayerTuple | None:
    """Return the one slide; its label, macro and thumbnail, probabilities, stains stay out."""
    beside = {"associated", "probability_of", "amount_of"}
    images = [one for one in layers if one[2] == "image" and not beside & one[1]["metadata"].keys()]
    if len(images) > 1:
        names = ", ".join(repr(meta["name"]) for _, meta, _ in images)
        raise BadValueError(
            f"These are {len(images)} images: {names}. One OME-Zarr holds one slide: select one "
            f"image and what lies on it, and save the selected layers."
        )
    return images[0] if images else None


def _amounts_alone(layers: Sequence[LayerTuple]) -> Any:
    """Return the amounts of stains where layers of one slide's stains are all there is."""
    known = [meta["metadata"].get("amounts") for _, meta, _ in layers]
    return known[0] if known and all(one is known[0] for one in known) else None


def _annotations(layers: Sequence[LayerTuple], ground: Any) -> tuple[Any, ...]:
    from .saved_annotations import annotations_of

    kinds = ("shapes", "points")
    made = (annotations_of(*layer, ground) for layer in layers if layer[2] in kinds)
    return tuple(one for layer in made for one in layer)


def _ground_in_window(layers: Sequence[LayerTuple]) -> Any:
    """Return the slide on which layers lie that are saved without it: the one in the window."""
    from .placement import Ground
    from .view import window_viewer

    viewer = window_viewer()
    names = {meta["name"] for _, meta, _ in layers}
    if viewer is None or not names <= {layer.name for layer in viewer.layers}:
        return None
    slides = [layer for layer in viewer.layers if "slide" in layer.metadata]
    if len(slides) != 1:
        return None
    _, meta, _ = slides[0].as_layer_data_tuple()
    return Ground(meta["metadata"]["slide"], meta)


def _ending(path: str, suffixes: tuple[str, ...]) -> Path:
    """Return a path with a suffix; napari's dialog gives names as they were typed."""
    return Path(path if path.lower().endswith(suffixes) else path + suffixes[0])


def _stem(path: Path) -> str:
    return next(path.name[: -len(s)] for s in SUFFIXES if path.name.lower().endswith(s))
