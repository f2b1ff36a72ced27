"""The steps that measure a prediction, whole and within regions, as a worker takes them."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .followed import followed
from .job import Steps

if TYPE_CHECKING:
    from ..core.mask import Mask
    from ..core.prediction import Prediction
    from ..core.report import Report
    from ..pipelines.analyse import Share
    from ..quantify import Landmarks

REGION_UM_PER_PX = 1.0
"""Resolution of the masks of drawn regions; `mask_of_polygons` has 4 um, for whole tissues."""

LARGEST_PX = 2**26
EDITED = (
    "The class map was edited by hand in the window: the numbers are of the edited map, and "
    "no longer those of the model alone."
)


@dataclass(frozen=True, eq=False)
class Wanted:
    """What a form asks to be measured.

    Parameters
    ----------
    prediction : Prediction
        As the layer has it.
    painted : (y, x) array, optional
        What the layer shows, where it can be painted on.
    inside : tuple of (str, (n, 2) float)
        Names and outlines, um, of the regions to measure; the whole where there are none.
    left_out : tuple of (n, 2) float
        Outlines, um, of what to leave out.
    smallest_um2, macro_um2 : float
        As `measure` has them.
    landmarks : Landmarks, optional
        What zones are measured from.
    by_nuclei : bool
        Whether hepatocytes are counted by their nuclei, too.
    """

    prediction: Prediction
    painted: NDArray[Any] | None
    inside: tuple[tuple[str, NDArray[np.float64]], ...]
    left_out: tuple[NDArray[np.float64], ...]
    smallest_um2: float
    macro_um2: float
    landmarks: Landmarks | None = None
    by_nuclei: bool = False


@dataclass(frozen=True, eq=False)
class Measured:
    """What came of it: the report of all regions together, and that of each where there are more.

    Parameters
    ----------
    report : Report
        Of the whole, or of all regions together.
    regions : tuple of Report
        One per region, with its name as title.
    """

    report: Report
    regions: tuple[Report, ...] = ()


def measuring(wanted: Wanted) -> Steps:
    """Return the steps that measure; they yield stages and shares, and last a `Measured`."""

    def steps(should_stop: Callable[[], bool]) -> Iterator[Any]:
        from ..pipelines._measuring import nuclei_shares
        from ..pipelines.analyse import Stage
        from ..quantify import prediction_within

        prediction, flags = as_shown(wanted)
        exclude = _mask(list(wanted.left_out))
        region = _mask([outline for _, outline in wanted.inside])
        whole = prediction_within(prediction, region=region, exclude=exclude)
        found: dict[str, Any] = {"landmarks": wanted.landmarks}
        if wanted.by_nuclei:
            found["nuclei"] = yield from nuclei_shares(whole, should_stop)
            if should_stop():
                return
        yield Stage("Measuring")
        report = yield from _measured(whole, wanted, found, should_stop)
        if report is None:
            return
        report = replace(report, flags=(*flags, *report.flags))
        regions = []
        for number, (name, outline) in enumerate(wanted.inside, start=1):
            yield Stage(f"Region {number} of {len(wanted.inside)}: {name}")
            part = prediction_within(prediction, region=_mask([outline]), exclude=exclude)
            one = yield from _measured(part, wanted, found, should_stop)
            if one is None:
                return
            regions.append(replace(one, title=name, flags=(*flags, *one.flags)))
        yield Measured(report, tuple(regions))

    return steps


def as_shown(wanted: Wanted) -> tuple[Prediction, tuple[str, ...]]:
    """Return the prediction as its layer shows it, painted on or not, with what is to be said."""
    from ..core.digest import digest
    from ..core.mask import Mask

    known, painted = wanted.prediction, wanted.painted
    if painted is None or np.array_equal(painted, known.levels[0][:]):
        return known, ()
    values = np.where(painted <= len(known.classes), painted, 0).astype(np.uint8)
    edited = {"content": Mask(values > 1, known.frame).content}
    provenance = {**known.provenance, "edited": edited}
    provenance["digest"] = digest({"of": known.provenance.get("digest"), "edited": edited})
    provenance.pop("content", None)
    made = replace(known, levels=[values], provenance=provenance, store=None, probabilities=())
    return made, (EDITED,)


def saving(measured: Measured, path: Path) -> Steps:
    """Return the steps that write a report, and the regions beside a table; they yield files."""

    def steps(should_stop: Callable[[], bool]) -> Iterator[Any]:
        from ..core.report import Reports
        from ..io.write import write
        from ..pipelines.analyse import Stage, writing

        yield Stage(writing(measured.report))
        files = list(write(measured.report, path))
        if measured.regions and path.suffix.lower() in (".csv", ".parquet"):
            beside = path.with_name(f"{path.stem}_regions{path.suffix}")
            files += write(Reports(measured.regions), beside)
        yield files

    return steps


def _mask(outlines: list[NDArray[np.float64]]) -> Mask | None:
    from ..imaging import mask_of_polygons

    if not outlines:
        return None
    corners = np.concatenate(outlines)
    fine = float(np.sqrt(np.prod(np.maximum(np.ptp(corners, axis=0), 1.0)) / LARGEST_PX))
    return mask_of_polygons(outlines, um_per_px=max(REGION_UM_PER_PX, fine))


class _Followed:
    """A level that says which rows are being read, and ends the reading when nobody waits."""

    def __init__(self, level: Any) -> None:
        self._level, self.tell = level, None
        self.shape, self.dtype, self.ndim = level.shape, np.dtype(np.uint8), 2

    def __getitem__(self, key: Any) -> Any:
        rows = key[0] if isinstance(key, tuple) else key
        if self.tell is not None:
            self.tell(rows.indices(self.shape[0])[1] / self.shape[0])
        return self._level[key]


def _measured(
    prediction: Prediction,
    wanted: Wanted,
    found: dict[str, Any],
    should_stop: Callable[[], bool],
) -> Generator[Share, None, Report | None]:
    """Measure in a thread of its own; yield how far it is, and return the report, if any."""
    from ..quantify import measure

    level = _Followed(prediction.levels[0])
    seen = replace(prediction, levels=[level, *prediction.levels[1:]])

    def work(tell: Callable[[float], None]) -> Report:
        limits = {"smallest_um2": wanted.smallest_um2, "macro_um2": wanted.macro_um2}
        level.tell = tell
        try:
            return measure(seen, **limits, **found)
        finally:
            level.tell = None  # outlines are traced from it later, by whoever wants them

    report = yield from followed(work, should_stop)
    return report and replace(report, prediction=prediction)
