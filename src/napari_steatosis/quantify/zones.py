"""Steatosis per zone of the lobule, where portal or central regions were drawn.

Where the fat lies is part of what a pathologist says: zone 3, zone 1, azonal, panacinar (Kleiner
and others, Hepatology 2005, doi 10.1002/hep.20701).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..core.report import Columns, Measurement
from ._droplets import DropletRule
from ._evidence import Evidence
from ._intervals import FEWEST_UNITS, RATIO_METHOD, SHARE_METHOD, pair_of, ratio_interval
from ._zone_counts import BLOCK_UM, NEAR_UM, ZoneCounts
from ._zone_map import REACH_UM
from .droplet_size import size_shares
from .fat_area import percent_interval, why_no_interval

MENTIONED = 0.005
"""Smallest share of what was analysed that is worth a word when it is in no zone."""

FEWEST_REGIONS = 3
"""With fewer regions of a kind by the tissue it is their surroundings that are measured."""

BLOCKS = f"blocks of {BLOCK_UM:g} um are the units"


def zone_measurements(evidence: Evidence) -> tuple[Measurement, ...]:
    """Return area, fat, droplets and size classes of each zone, and where the fat predominates.

    A droplet belongs to the zone of its centre, so that each is counted once. Empty where no
    landmarks were drawn.
    """
    if (counts := evidence.zones) is None:
        return ()
    numbers = range(1, counts.zones.count + 1)
    found = [one for number in numbers for one in _of_zone(evidence, counts, number)]
    if counts.zones.is_zonal:
        found.append(_pattern(counts))
    return tuple(found)


def _of_zone(evidence: Evidence, counts: ZoneCounts, number: int) -> Iterator[Measurement]:
    name, said = f"{counts.zones.prefix}_{number}", counts.zones.said(number)
    used = counts.analysed[number] > 0
    analysed, fat = counts.analysed[number][used], counts.found[number][used]
    total = int(analysed.sum())
    area_mm2 = total * evidence.frame.um2_per_px / 1e6
    own = _rows(evidence.droplets, number)
    n = len(own["area_um2"])
    why = why_no_interval(fat, analysed, f"block of {BLOCK_UM:g} um")
    empty = (
        "" if total else f"Undefined: nothing that was analysed lies in {name.replace('_', ' ')}."
    )
    meant = f"{said}: analysed area. {counts.zones.meant(number)}"
    yield Measurement(f"{name}_tissue_area", area_mm2, "mm^2", meant)
    yield Measurement(
        f"{name}_fat_area_fraction",
        100 * int(fat.sum()) / total if total else float("nan"),
        "%",
        f"{said}: area of fat divided by analysed area. Interval: {SHARE_METHOD}; {BLOCKS}.",
        percent_interval(fat, analysed),
        len(fat),
        empty or (f"No interval: {why}." if why else ""),
    )
    centre = "droplets whose centre lies in it"
    yield Measurement(f"{name}_droplet_count", float(n), "", f"{said}: {centre}.")
    yield Measurement(
        f"{name}_droplet_density",
        n / area_mm2 if total else float("nan"),
        "1/mm^2",
        f"{said}: {centre}, per analysed area.",
        note=empty,
    )
    for one in _size_shares(name, said, own, area_mm2, rule=evidence.rule):
        yield replace(one, note=empty)


def _size_shares(
    name: str, said: str, own: Columns, area_mm2: float, *, rule: DropletRule
) -> Iterator[Measurement]:
    """Yield the area of macro and of micro droplets as shares of a zone."""
    large = own["area_um2"] >= rule.macro_um2
    for one in size_shares(own["area_um2"], large, area_mm2, rule=rule):
        yield replace(one, name=f"{name}_{one.name}", definition=f"{said}: {one.definition}")


def recut_zones(
    measurements: tuple[Measurement, ...], droplets: Columns, rule: DropletRule
) -> dict[str, Measurement]:
    """Return, by name, the measurements of zones that change with the macro cut.

    Parameters
    ----------
    measurements : tuple of Measurement
        Of a report with zones.
    droplets : Columns
        Its droplets, with their ``zone``.
    rule : DropletRule
        With the new cut.
    """
    made: dict[str, Measurement] = {}
    for area in measurements:
        name = area.name.removesuffix("_tissue_area")
        kind, _, number = name.partition("_")
        if kind in ("zone", "ring") and number.isdigit():
            said, own = area.definition.partition(":")[0], _rows(droplets, int(number))
            shares = _size_shares(name, said, own, area.value, rule=rule)
            made |= {one.name: one for one in shares}
    return made


def _rows(droplets: Columns, number: int) -> Columns:
    return {"area_um2": droplets["area_um2"][droplets["zone"] == number]}


def zone_flags(evidence: Evidence) -> Iterator[str]:
    """Yield what must be known before using the numbers of zones."""
    if (counts := evidence.zones) is None:
        return
    zones, um2 = counts.zones, evidence.frame.um2_per_px
    if not zones.is_zonal:
        yield (
            f"Only {zones.kinds[0]} regions are drawn: fat is given in rings by the distance from "
            "them. These are not zones 1 to 3, which need portal and central regions."
        )
    yield from _flags_of_regions(counts)
    if zones.both:
        area = zones.both * zones.frame.um2_per_px / 1e6
        yield f"{area:.2g} mm^2 are drawn as portal and as central. They are in no zone."
    total, outside = int(counts.analysed.sum()), int(counts.analysed[0].sum())
    if outside >= MENTIONED * total:
        yield (
            f"{outside * um2 / 1e6:.3g} mm^2 ({100 * outside / total:.0f} %) of what was analysed "
            f"are in no {zones.prefix}: inside the drawn regions, or more than {REACH_UM:g} um "
            "from the nearest one."
        )


def _flags_of_regions(counts: ZoneCounts) -> Iterator[str]:
    zones = counts.zones
    near = {kind: counts.near(kind) for kind in zones.kinds}
    for kind, boxes in zones.regions.items():
        if not boxes:
            yield f"No {kind} region lies on the slide where it was analysed."
        elif far := len(boxes) - near[kind]:
            yield (
                f"{far} of {len(boxes)} {kind} regions lie more than {NEAR_UM:g} um from all that "
                "was analysed. Were they drawn on this slide?"
            )
    if few := [f"{n} {kind}" for kind, n in near.items() if n < FEWEST_REGIONS]:
        yield (
            f"Fewer than {FEWEST_REGIONS} regions of a kind lie by the tissue ({', '.join(few)}): "
            "what is measured are the surroundings of these, not the slide."
        )


def _pattern(counts: ZoneCounts) -> Measurement:
    """Return the fat of zone 3 over that of zone 1, and say what follows from its interval."""
    used = (counts.analysed[1] > 0) | (counts.analysed[3] > 0)
    analysed, fat = counts.analysed[:, used], counts.found[:, used]
    blocks, all_of, fat_of = analysed.shape[1], analysed.sum(axis=1), fat.sum(axis=1)
    value, interval, note = float("nan"), None, ""
    if not (all_of[1] and all_of[3]):
        note = "Undefined: zone 1 or zone 3 holds nothing that was analysed."
    elif not fat_of[1]:
        there = "but some" if fat_of[3] else "nor"
        note = f"Undefined: there is no fat in zone 1, {there} in zone 3."
    else:
        value = float(fat_of[3] / all_of[3] / (fat_of[1] / all_of[1]))
        interval = pair_of(ratio_interval(fat[[3, 1]], analysed[[3, 1]]))
        note = "" if interval else f"No interval: {_why_no_ratio(analysed, fat_of)}."
    return Measurement(
        "zone_3_to_1_ratio",
        value,
        "",
        "Fat area fraction of zone 3 (centrilobular) divided by that of zone 1 (periportal). "
        f"{_verdict(interval)} Interval: {RATIO_METHOD}; {BLOCKS}.",
        interval,
        None if interval is None else blocks,
        note,
    )


def _verdict(interval: tuple[float, float] | None) -> str:
    if interval is None:
        return "Too little tissue or fat to say where it predominates."
    low, high = interval
    if low > 1:
        return "Here more around central veins: the whole interval is above 1."
    if high < 1:
        return "Here more around portal tracts: the whole interval is below 1."
    return "Here no predominance can be shown: the interval holds 1."


def _why_no_ratio(analysed: NDArray[np.int64], fat_of: NDArray[np.int64]) -> str:
    for number in (1, 3):
        if (there := int(np.count_nonzero(analysed[number]))) < FEWEST_UNITS:
            return f"zone {number} lies in {there} block of {BLOCK_UM:g} um, and 2 are needed"
    return "the blocks do not differ" if fat_of[3] else "there is no fat in zone 3"
