"""A validation as JSON and CSV for programs, and as one HTML page with pictures."""

from __future__ import annotations

import base64
import csv
import io
import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .. import __version__
from ..core.dataset import IGNORE, Dataset, Finding, Sample
from ..core.errors import SteatosisError
from ..core.replacing import replacing
from ..core.splits import IMAGE_LEVEL
from .hepass_rules import ORDER
from .page import filled

if TYPE_CHECKING:
    from .validate import Validation

PICTURE_PX = 150
MOST_PICTURES = 6
"""Pictures per kind of finding."""

MOST_ROWS = 200
"""Findings of one kind that the page lists; the CSV has all."""

OUTLINE = (255, 214, 0)


def write_validation(value: Validation, folder: Path, *, overwrite: bool = False) -> list[Path]:
    """Write ``validation.json``, ``validation.csv`` and ``validation.html`` into a folder."""
    makers = {
        "validation.json": _json,
        "validation.csv": _csv,
        "validation.html": _html,
    }
    made = []
    for name, make in makers.items():
        with replacing(folder / name, overwrite=overwrite) as part:
            part.write_text(make(value), encoding="utf-8", newline="")
        made.append(folder / name)
    return made


def to_json(value: Validation) -> dict[str, Any]:
    """Return plain values: by the HEPASS rules the five categories and nothing else."""
    if value.rules == "hepass":
        return dict(value.categories)
    return {
        "rules": value.rules,
        "version": __version__,
        "parameters": dict(value.parameters),
        "dataset": value.data.root,
        "dataset_digest": value.data.digest,
        "summary": dict(summary(value.data)),
        "image_level": value.data.image_level,
        "warning": IMAGE_LEVEL if value.data.image_level else "",
        "counts": {f"{severity} {kind}": n for (severity, kind), n in value.kinds.items()},
        "findings": [vars(one) for one in value.findings],
        "samples": [one.to_json() for one in value.facts],
    }


def summary(data: Dataset) -> list[tuple[str, str]]:
    """Return what a dataset holds, as pairs of a name and a text."""

    def counted(values: list[str]) -> str:
        count = Counter(value or "(none)" for value in values)
        return ", ".join(f"{name}: {n}" for name, n in sorted(count.items())[:30])

    def number(count: int) -> str:
        return str(count) if count else ""

    patients = {one.patient for one in data if one.patient}
    rows = [
        ("samples", str(len(data))),
        ("patients", str(len(patients)) if patients else "not known"),
        ("sets", counted([one.split for one in data])),
        ("classes", ", ".join(data.classes)),
        ("labels", counted([one.label for one in data]) if any(o.label for o in data) else ""),
        ("with a mask", number(sum(bool(o.mask_path or o.annotations_path) for o in data))),
        ("with points", number(sum(bool(one.points_path) for one in data))),
        ("with a score", number(sum(one.score is not None for one in data))),
    ]
    return [(name, text) for name, text in rows if text]


def _json(value: Validation) -> str:
    return json.dumps(to_json(value), indent=4)


def _csv(value: Validation) -> str:
    stream = io.StringIO()
    table = csv.writer(stream, lineterminator="\n")
    if value.rules == "hepass":
        table.writerow(["Category", "Count"])
        table.writerows([name, len(value.categories[name])] for name in ORDER)
        return stream.getvalue()
    table.writerow(["severity", "kind", "sample", "message", "remedy"])
    table.writerows(
        [one.severity, one.kind, one.sample, one.message, one.remedy] for one in value.findings
    )
    return stream.getvalue()


def _html(value: Validation) -> str:
    by_name = {one.name: one for one in value.data}
    sections = []
    for severity, kind in value.kinds:
        found = [one for one in value.of(kind) if one.severity == severity]
        remedies = {one.remedy for one in found}
        said = remedies.pop() if len(remedies) == 1 else ""
        sections.append((severity, kind, found, said, _pictures(found, by_name)))
    return filled(
        "validation.html",
        title=Path(value.data.root).name or "Dataset",
        rules=value.rules,
        summary=summary(value.data),
        categories=[(name, len(value.categories[name])) for name in ORDER if value.categories],
        stamp=IMAGE_LEVEL if value.data.image_level else "",
        sections=sections,
        most_rows=MOST_ROWS,
        parameters=[(name, str(one)) for name, one in value.parameters.items()],
        digest=value.data.digest,
    )


def _pictures(findings: list[Finding], by_name: dict[str, Sample]) -> list[tuple[str, str]]:
    """Return (name, data URI) of the first samples that can be read."""
    pictures: list[tuple[str, str]] = []
    for one in findings:
        if len(pictures) == MOST_PICTURES:
            break
        if one.sample not in by_name:
            continue
        try:
            pictures.append((one.sample, _uri(by_name[one.sample])))
        except SteatosisError:  # the finding itself says that it cannot be read
            continue
    return pictures


def _uri(sample: Sample) -> str:
    from PIL import Image

    rgb = sample.image()
    picture = Image.fromarray(_outlined(rgb, sample))
    picture.thumbnail((PICTURE_PX, PICTURE_PX))
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"


def _outlined(rgb: NDArray[np.uint8], sample: Sample) -> NDArray[np.uint8]:
    """Return the image with the rims of its mask, where there is one of its size."""
    from scipy.ndimage import binary_dilation

    try:
        mask = sample.mask()
    except SteatosisError:
        return rgb
    if mask is None or mask.shape != rgb.shape[:2]:
        return rgb
    marked = (mask > 0) & (mask != IGNORE)
    wide = max(1, max(rgb.shape) // (2 * PICTURE_PX))
    rim = binary_dilation(marked, iterations=wide) & ~marked
    drawn = rgb.copy()
    drawn[rim] = OUTLINE
    return drawn
