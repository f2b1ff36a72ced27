"""A report as one HTML page that needs nothing else: pictures, numbers, definitions."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from ..core.report import RESEARCH_USE, Measurement, Report
from ._pictures import Picture, examples, overview, sizes
from .write import replacing

KEY_FIGURES = (
    "fat_area_fraction",
    "droplet_density",
    "droplet_diameter_median",
    "tissue_area",
)
TITLES = {
    "fat_area_fraction": "Fat area fraction",
    "tissue_area": "Tissue analysed",
    "fat_area": "Fat area",
    "droplet_count": "Droplets",
    "droplet_density": "Droplet density",
    "droplet_diameter_p25": "Droplet diameter, lower quartile",
    "droplet_diameter_median": "Droplet diameter, median",
    "droplet_diameter_p75": "Droplet diameter, upper quartile",
    "macro_area_fraction": "Macrovesicular area fraction",
    "micro_area_fraction": "Microvesicular area fraction",
}
UNITS = {"mm^2": "mm²", "um": "µm", "1/mm^2": "per mm²", "%": "%", "": ""}


def write_html(value: Report, path: Path, *, overwrite: bool = False) -> list[Path]:
    """Write a page with pictures (where the slide can be read), numbers and provenance.

    The page is self-contained: it refers to nothing outside itself, and prints well.
    """
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("napari_steatosis.io", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": number, "title": title, "unit": unit}
    present = {one.name for one in value.measurements}
    page = environment.get_template("report.html").render(
        report=value,
        key_figures=[value[name] for name in KEY_FIGURES if name in present],
        pictures=_pictures(value),
        provenance=list(_flat(value.provenance)),
        notice=RESEARCH_USE,
        written=datetime.now().astimezone().strftime("%d %B %Y, %H:%M"),
    )
    with replacing(path, overwrite=overwrite) as part:
        part.write_text(page, encoding="utf-8")
    return [path]


def number(value: float) -> str:
    """Return a number with four significant digits and grouped thousands; a dash for NaN.

    Examples
    --------
    >>> number(1234567.0), number(0.012345), number(float("nan"))
    ('1,234,567', '0.01234', '–')
    """
    if math.isnan(value):
        return "–"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def title(one: Measurement) -> str:
    """Return the name of a measurement in words."""
    return TITLES.get(one.name, one.name.replace("_", " ").capitalize())


def unit(one: Measurement) -> str:
    """Return the unit of a measurement as it is printed."""
    return UNITS.get(one.unit, one.unit)


def _pictures(report: Report) -> list[tuple[str, Picture]]:
    prediction = report.prediction
    slide = None if prediction is None else prediction.slide
    made: list[tuple[str, Picture | None]] = []
    if slide is not None and prediction is not None:
        made.append(("Overview", overview(slide, prediction)))
        made.append(("Example regions", examples(slide, report)))
    if "droplets" in report.tables:
        made.append(("Droplet sizes", sizes(report)))
    return [(heading, picture) for heading, picture in made if picture is not None]


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield nested provenance as (dotted name, text)."""
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from _flat(value, f"{name}.")
        elif isinstance(value, list | tuple):
            yield name, ", ".join(str(one) for one in value)
        else:
            yield name, "–" if value is None else str(value)
