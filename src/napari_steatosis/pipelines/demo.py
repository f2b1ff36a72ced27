"""The whole main job on a drawn liver slide whose fat is known to the pixel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..core.report import Report
from ..core.slide import Slide
from ..imaging import drawn_liver
from ..io import open_slide
from ..io.write import write
from ..models._threads import share_heap, trim_heap
from .analyse import DEFAULT_MODEL, Event, Stage, analyse

SEED = 20


@dataclass(frozen=True, eq=False)
class Truth:
    """What was drawn.

    Parameters
    ----------
    fat_percent : float
        Fat area in percent of the drawn parenchyma.
    diameters_um : (n,) float64
        Of the droplets whose centre lies on the slide.
    """

    fat_percent: float
    diameters_um: NDArray[np.float64]

    def large_share(self, least_um: float) -> float:
        """Return the share of the area of fat that is in droplets of at least this diameter."""
        area = self.diameters_um**2
        return float(area[self.diameters_um >= least_um].sum() / max(area.sum(), 1e-9))


@dataclass(frozen=True, eq=False)
class Demonstration:
    """What the demonstration leaves.

    Parameters
    ----------
    slide : Slide
        Opened from the file that was drawn.
    report : Report
        What was measured on it.
    truth : Truth
        What was drawn.
    folder : Path
        Where everything lies.
    """

    slide: Slide
    report: Report
    truth: Truth
    folder: Path


def demonstrate(
    folder: str | Path,
    *,
    size_px: int = 8192,
    model: str = DEFAULT_MODEL,
    on_event: Callable[[Event], None] = lambda event: None,
) -> Demonstration:
    """Draw a liver slide, store it as OME-Zarr, analyse the file, and count the truth.

    Parameters
    ----------
    folder : path
        Gets ``liver.ome.zarr`` (image and, beside it, the labels), and the report as HTML,
        JSON, CSV and GeoJSON. A slide that is there already is used again.
    size_px : int
        Side of the slide, px of 0.5 um.
    model : str
        Name or folder of a model.
    on_event : callable
        Called with each event of `analyse`.

    Returns
    -------
    Demonstration

    Examples
    --------
    >>> import tempfile
    >>> shown = demonstrate(tempfile.mkdtemp(), size_px=1024)
    >>> shown.report["fat_area_fraction"].unit
    '%'
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    drawn = drawn_liver(size_px, size_px, seed=SEED)
    path = folder / "liver.ome.zarr"
    share_heap()
    if not path.exists():
        write(drawn, path, on_block=_drawing(on_event))
        trim_heap()  # drawing takes much in small pieces, which lie below all that comes after
    slide = open_slide(path)
    report = analyse(slide, folder, model=model, store=path, on_event=on_event)
    on_event(Stage("Counting the truth"))
    trim_heap()
    truth = Truth(drawn.source.true_fat_percent(), drawn.source.true_diameters_um())
    return Demonstration(slide, report, truth, folder)


def _drawing(on_event: Callable[[Event], None]) -> Callable[[int, int], None]:
    return lambda done, total: on_event(Stage(f"Drawing a liver slide, {done} of {total} blocks"))
