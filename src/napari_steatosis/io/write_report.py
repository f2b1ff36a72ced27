"""A report as one page that needs nothing else, HTML or PDF: pictures, numbers, definitions."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.errors import UnreadableRegionError
from ..core.replacing import replacing
from ..core.report import RESEARCH_USE, Measurement, Report
from ..core.study import ExpertAgreement, Study
from ._finding_pictures import hepatocytes_picture, zones_picture
from ._pdf import check_pdf, print_page
from ._pictures import Picture, examples, overview, sizes

if TYPE_CHECKING:
    from markupsafe import Markup

GROUPS = (
    (
        "Fat area",
        ("fat_area_fraction", "tissue_area", "fat_area", "macro_area_", "micro_area_"),
    ),
    ("Calibrated to an expert", ("calibrated_",)),
    ("Droplets", ("droplet_",)),
    ("Where the fat lies", ("fat_hot_spot", "fat_variation")),
    ("Zones of the lobule", ("zone_", "ring_")),
    ("Hepatocytes and grade, estimated", ("hepatocyte", "steatosis_grade", "grade_")),
    ("Others", ("",)),
)
"""Heading and how the names of its measurements begin; the first that fits counts."""

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
    "droplet_diameter_mean": "Droplet diameter, mean",
    "droplet_diameter_sd": "Droplet diameter, standard deviation",
    "droplet_diameter_p10": "Droplet diameter, 10th percentile",
    "droplet_diameter_p90": "Droplet diameter, 90th percentile",
    "droplet_diameter_area_weighted": "Droplet diameter, mean by area",
    "droplet_area_mean": "Droplet area, mean",
    "droplet_area_median": "Droplet area, median",
    "droplet_clump_fraction": "Droplets cut from clumps",
    "droplet_distance_median": "Distance to the nearest droplet, median",
    "fat_hot_spot": "Hot spot (95th percentile of squares)",
    "fat_variation": "Variation over squares",
    "hepatocyte_equivalent": "Hepatocytes with fat, estimated by squares",
    "hepatocytes_with_fat": "Hepatocytes with fat, by nuclei",
    "hepatocyte_nuclei": "Nuclei of hepatocytes",
    "hepatocyte_nuclei_density": "Nuclei of hepatocytes, density",
    "zone_3_to_1_ratio": "Fat in zone 3 over zone 1",
    "steatosis_grade": "Steatosis grade, estimated",
    "grade_s0_share": "Grade S0, probability",
    "grade_s1_share": "Grade S1, probability",
    "grade_s2_share": "Grade S2, probability",
    "grade_s3_share": "Grade S3, probability",
    "droplet_diameter_p25": "Droplet diameter, lower quartile",
    "droplet_diameter_median": "Droplet diameter, median",
    "droplet_diameter_p75": "Droplet diameter, upper quartile",
    "calibrated_score": "Calibrated to the expert",
    "calibrated_grade": "Grade, calibrated to the expert",
    "pearson_r": "Pearson's r",
    "r_squared": "r²",
    "r_squared_identity": "R² against identity",
    "spearman_rho": "Spearman's rho",
    "icc_2_1": "ICC(2,1)",
    "icc_3_1": "ICC(3,1)",
    "ccc": "Lin's concordance",
    "bias": "Bias",
    "limit_low": "Limit of agreement, lower",
    "limit_high": "Limit of agreement, upper",
    "proportional_bias": "Proportional bias",
    "weighted_kappa": "Weighted kappa (quadratic)",
    "same_grade": "Same grade",
    "macro_area_fraction": "Macrovesicular area fraction",
    "micro_area_fraction": "Microvesicular area fraction",
}
PRINTED = {"1/mm^2": "per mm²", "um^2": "µm²", "mm^2": "mm²", " um": " µm"}
"""Units in plain letters, and how they are printed."""

LEAST_PERCENT = 0.01
"""Smaller shares are printed as less than that."""

OF_ONE = re.compile(r"(grade|[Zz]one|[Rr]ing) \d[^:.]*")
"""What differs in the definitions of a measurement of several grades or zones."""

Section = tuple[str, Picture | None, str]
"""Heading, picture, and what to say where there is none."""


def write_html(
    value: Report | Study | ExpertAgreement,
    path: Path,
    *,
    overwrite: bool = False,
    pdf: bool = False,
) -> list[Path]:
    """Write a page with pictures (where the slide can be read), numbers and provenance.

    The page is self-contained: it refers to nothing outside itself, and prints well. With `pdf`
    the same page is printed beside it, as `write_pdf` does.
    """
    with ExitStack() as stack:
        parts = {path: stack.enter_context(replacing(path, overwrite=overwrite))}
        if pdf:
            check_pdf()
            beside = path.with_suffix(".pdf")
            parts[beside] = stack.enter_context(replacing(beside, overwrite=overwrite))
        page = page_of(value)
        parts[path].write_text(page, encoding="utf-8")
        if pdf:
            print_page(page, parts[beside])
    return list(parts)


def write_pdf(
    value: Report | Study | ExpertAgreement, path: Path, *, overwrite: bool = False
) -> list[Path]:
    """Print the page of `write_html`: A4, page numbers, title and notice on every page.

    Raises
    ------
    MissingPackageError
        Without the extra ``pdf``.
    """
    check_pdf()
    with replacing(path, overwrite=overwrite) as part:
        print_page(page_of(value), part)
    return [path]


def page_of(value: Report | Study | ExpertAgreement) -> str:
    """Return the page of a report, a study or an agreement: HTML that needs nothing else."""
    from . import _report_study

    if isinstance(value, Study):
        return _filled("study.html", _report_study.of_study(value))
    if isinstance(value, ExpertAgreement):
        return _filled("agreement.html", _report_study.of_agreement(value))
    present = {one.name for one in value.measurements}
    values = {
        "report": value,
        "key_figures": [value[name] for name in KEY_FIGURES if name in present],
        "sections": list(_sections(value)),
        "groups": list(_groups(value.measurements)),
        "provenance": list(flat(value.provenance)),
    }
    return _filled("report.html", values)


def _filled(template: str, values: Mapping[str, Any]) -> str:
    import jinja2

    from ._report_study import calibrated_text

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("napari_steatosis.io", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "printed": printed,
        "title": title,
        "value": value_and_unit,
        "interval": interval,
        "number": number,
        "share": share,
        "words": words,
        "p_value": p_value,
        "calibrated_text": calibrated_text,
        "in_style": in_style,
    }
    written = datetime.now().astimezone().strftime("%d %B %Y, %H:%M")
    return environment.get_template(template).render(notice=RESEARCH_USE, written=written, **values)


def in_style(text: str) -> Markup:
    r"""Return a text as a string of CSS, whatever it holds.

    Examples
    --------
    >>> str(in_style('a "b"'))
    '"a\\20 \\22 b\\22 "'
    """
    from markupsafe import Markup

    safe = (one if one.isalnum() and one.isascii() else f"\\{ord(one):x} " for one in text)
    return Markup('"{}"').format(Markup("".join(safe)))


def number(value: float) -> str:
    """Return a number with four significant digits and grouped thousands; a dash for NaN.

    Examples
    --------
    >>> number(1234567.0), number(0.0123456), number(float("nan"))
    ('1,234,567', '0.01235', '–')
    """
    if math.isnan(value):
        return "–"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def share(value: float) -> str:
    """Return a share in % with as many decimals as a table of many needs.

    Examples
    --------
    >>> share(23.456), share(0.01234), share(-0.004), share(float("nan"))
    ('23.5', '0.01', '0.00', '–')
    """
    if math.isnan(value):
        return "–"
    return f"{value:.1f}" if abs(value) >= 10 else f"{round(value, 2) + 0.0:.2f}"


def title(one: Measurement) -> str:
    """Return the name of a measurement in words."""
    return words(one.name)


def words(name: str) -> str:
    """Return the name of a measurement or a column in words.

    Examples
    --------
    >>> words("fat_area_fraction"), words("pathologist_a")
    ('Fat area fraction', 'Pathologist a')
    """
    return TITLES.get(name, name[:1].upper() + name[1:].replace("_", " "))


def p_value(p: float | None) -> str:
    """Return the p of a test as it is printed.

    Examples
    --------
    >>> p_value(0.0321), p_value(0.00001), p_value(None)
    ('0.032', '< 0.001', '–')
    """
    if p is None or math.isnan(p):
        return "–"
    return "< 0.001" if p < 0.001 else f"{p:.2g}"


def printed(text: str) -> str:
    """Return a text with its units as they are printed.

    Examples
    --------
    >>> printed("at least 65 um^2")
    'at least 65 µm²'
    """
    for plain, nice in PRINTED.items():
        text = text.replace(plain, nice)
    return text


def value_and_unit(one: Measurement) -> str:
    """Return the value of a measurement with its unit."""
    if math.isnan(one.value):
        return "–"
    if one.unit == "%" and 0 < one.value < LEAST_PERCENT:
        return f"< {LEAST_PERCENT:g} %"
    return printed(f"{number(one.value)} {one.unit}".rstrip())


def interval(one: Measurement) -> str:
    """Return the interval of a measurement, or a dash."""
    if one.interval is None:
        return "–"
    low, high = one.interval
    return f"{number(low)} to {number(high)}"


def _sections(report: Report) -> Iterator[Section]:
    prediction = report.prediction
    slide = None if prediction is None else prediction.slide
    if slide is None or prediction is None:
        note = "No pictures of the slide: this report was made without access to its pixels."
        yield "Overview", None, note
    else:
        yield _section("Overview", lambda: overview(slide, prediction))
        if report.outlines is not None:
            yield _section("Example regions", lambda: examples(slide, report))
        if "zones" in report.maps:
            yield _section("Zones of the lobule", lambda: zones_picture(slide, report))
        if "territories" in report.maps and "hepatocytes" in report.tables:
            heading = "Hepatocytes by their nuclei"
            yield _section(heading, lambda: hepatocytes_picture(slide, report))
    if "droplets" in report.tables:
        yield _section("Droplet sizes", lambda: sizes(report))


def _groups(
    measurements: tuple[Measurement, ...],
) -> Iterator[tuple[str, list[Measurement]]]:
    left = list(measurements)
    for heading, begins in GROUPS:
        own = [one for one in left if one.name.startswith(begins)]
        left = [one for one in left if one not in own]
        if own:
            yield heading, list(_without_repeats(_by_measure(own)))


def _by_measure(measurements: list[Measurement]) -> list[Measurement]:
    """Put what was measured of each zone beside each other, one measure after the other."""
    ends = [re.sub(r"^(zone|ring)_\d_", "", one.name) for one in measurements]
    first = {end: ends.index(end) for end in ends}
    order = sorted(range(len(ends)), key=lambda place: first[ends[place]])
    return [measurements[place] for place in order]


def _without_repeats(measurements: list[Measurement]) -> Iterator[Measurement]:
    """Say once what several in a row have in common but for a number in it."""
    before = ""
    for one in measurements:
        core = OF_ONE.sub("", one.definition)
        alike = core == before and one.definition != ""
        yield replace(one, definition="Likewise.") if alike else one
        before = core


def _section(heading: str, draw: Callable[[], Picture | None]) -> Section:
    try:
        return heading, draw(), "There is no fat to show."
    except UnreadableRegionError as error:
        return heading, None, f"No picture, because the slide cannot be read there: {error}"


def flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield nested provenance as (dotted name, text)."""
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from flat(value, f"{name}.")
        elif isinstance(value, list | tuple):
            yield name, ", ".join(str(one) for one in value)
        else:
            yield name, "–" if value is None else str(value)
