"""What became of each slide of a cohort: a list that survives a killed process."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .. import __version__
from ..core.errors import SteatosisError
from ..core.report import Report
from ..io import open_results, open_slide
from ..io._masks import NAME
from ..models import shipped_folder
from ._cohort_process import Settings
from ._manifest import Row
from .tissue import mask_file


@dataclass(frozen=True)
class Outcome:
    """How a slide ended.

    Parameters
    ----------
    name : str
        Of its results.
    asked : str
        Digest of all that it was asked for, as `asked_of` gives it.
    content : str
        Digest of its class map; empty where it failed.
    error : str
        Why it failed; empty where it did not.
    """

    name: str
    asked: str = ""
    content: str = ""
    error: str = ""


class Record:
    """Append-only, one JSON line per slide that ended; the last one of a slide counts.

    A line torn by a killed process is dropped: its slide is looked at again.

    Parameters
    ----------
    path : Path
        The file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.outcomes: dict[str, Outcome] = {}
        if not path.exists():
            return
        data = path.read_bytes()
        whole = data[: data.rfind(b"\n") + 1]
        for line in whole.splitlines():
            outcome = Outcome(**json.loads(line))
            self.outcomes[outcome.name] = outcome
        if len(whole) != len(data):
            with path.open("r+b") as file:
                file.truncate(len(whole))

    def add(self, outcome: Outcome) -> None:
        """Record a slide; the line is on the disk when this returns."""
        self.outcomes[outcome.name] = outcome
        with self.path.open("ab") as file:
            file.write(json.dumps(asdict(outcome), allow_nan=False).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def failed(self, name: str) -> bool:
        """Whether a slide failed when it was last tried."""
        return bool(name in self.outcomes and self.outcomes[name].error)

    def finished(self, row: Row, settings: Settings) -> Report | None:
        """Return the report of a slide that was finished as it is asked for now.

        Slide, pixel size, colours, model, areas and version must be those of then, and the
        results must be there. The class map is not read again.
        """
        outcome = self.outcomes.get(row.name)
        if outcome is None or outcome.error or settings.overwrite:
            return None
        try:
            if asked_of(row, settings) != outcome.asked:
                return None
            stored = open_results(settings.out / f"{row.name}.zarr").provenance["content"]
            values = json.loads((settings.out / f"{row.name}.json").read_text(encoding="utf-8"))
            report = Report.from_json(values)
        except (SteatosisError, OSError, ValueError, KeyError, TypeError):
            return None  # whatever is missing is made again, or said by who makes it
        same = report.provenance.get("content") == stored == outcome.content
        made = not settings.pdf or (settings.out / f"{row.name}.pdf").exists()
        return report if same and made else None


def asked_of(row: Row, settings: Settings) -> str:
    """Return a digest of all that a slide is asked for; only its header is read.

    Raises
    ------
    SteatosisError, OSError
        Where the slide, an area or the model cannot be read.
    """
    slide = open_slide(
        row.path, um_per_px=row.um_per_px, srgb=row.srgb, swap_red_blue=row.swap_red_blue
    )
    asked: dict[str, Any] = {
        "version": __version__,
        "slide": slide.fingerprint,
        "um_per_px": slide.um_per_px,
        "colour": slide.colour,
        "model": _files(shipped_folder(row.model)),
        "regions": _areas(row.regions),
        "region_class": row.region_class,
        "exclude": _areas(row.exclude),
        "tissue": _tissue(row),
        "zones": _areas(row.zones),
        "hepatocytes": row.hepatocytes or settings.hepatocytes,
        "stain": row.stain or settings.stain,
        "reference": _reference(row.reference or settings.reference),
        "settings": [
            settings.device,
            settings.precision,
            settings.accept_unreadable,
            settings.scheduler is not None,
        ],
    }
    if settings.calibration is not None:
        asked["calibration"] = settings.calibration.to_json()
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def _tissue(row: Row) -> str:
    if not isinstance(row.tissue, Path):
        return "" if row.tissue is None else str(row.tissue)
    place = mask_file(row.tissue, row.path)
    inside = [place / "labels" / NAME, place / "labels", place]  # of a slide that holds its mask
    return _files(next(one for one in inside if one.exists()))


def _reference(given: str) -> str:
    return _files(Path(given)) if given.endswith(".json") else given


def _areas(place: Path | None) -> str:
    return "" if place is None else _files(place)


def _files(place: Path) -> str:
    files = sorted(one for one in place.rglob("*") if one.is_file()) if place.is_dir() else [place]
    total = hashlib.sha256()
    for file in files:
        name = file.relative_to(place).as_posix() if place.is_dir() else file.name
        total.update(f"{name}:{hashlib.sha256(file.read_bytes()).hexdigest()};".encode())
    return total.hexdigest()
