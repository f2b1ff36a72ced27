"""What the runs said, compared and as Markdown."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

INSIDE_PX = 384
"""Pixels nearer to the edge of the slide are left out of the errors: there the tools differ in
what they make up outside the slide."""


def compared(fat: NDArray[np.float32], whole: NDArray[np.float32]) -> dict[str, float]:
    """Return how far a tiled result is from that of the whole image, inside."""
    inside = (slice(INSIDE_PX, -INSIDE_PX),) * 2
    height, width = whole.shape
    a, b = fat[:height, :width][inside], whole[inside]
    differ = np.abs(a - b)
    classes, truth = a >= 0.5, b >= 0.5
    return {
        "error_max": float(differ.max()),
        "error_mean": float(differ.mean(dtype=np.float64)),
        "classes_differ": float((classes != truth).mean()),
        "fat_points": 100 * abs(float(classes.mean()) - float(truth.mean())),
    }


def line(values: dict[str, Any]) -> str:
    """Return one run as one line."""
    mpx = values["network_mpx"] if values.get("bare") else values["side_px"] ** 2 / 1e6
    return (
        f"{values['row']:34s} {values['side_px']:5d} px  {values['seconds']:6.1f} s  "
        f"{mpx / values['seconds']:5.2f} Mpx/s  {values['cpu_seconds']:6.1f} CPU s  "
        f"{values['peak_GB']:.2f} GB  load {values['load']:.1f}"
    )


def tables(results: list[dict[str, Any]]) -> str:
    """Return speed, memory and their ratios by size, errors, constants and versions."""
    timed = [r for r in results if "round" in r and not r.get("bare")]
    sides = sorted({r["side_px"] for r in timed})
    parts = [_speed(timed, side) for side in sides] + [_ratios(timed, side) for side in sides]
    parts.append(_bare([r for r in results if r.get("bare")]))
    parts.append(_errors([r for r in timed if "error_max" in r]))
    parts.append(_constants([r for r in results if "constant" in r]))
    found = {f"{r['tool']} {r['version']} (torch {r['torch']})" for r in results}
    return "\n\n".join([*parts, "; ".join(sorted(found))])


def _speed(results: list[dict[str, Any]], side: int) -> str:
    lines = [
        f"{side} px squared",
        "",
        "| | slide Mpx/s | network Mpx/s | network px per slide px | CPU s per Mpx "
        "| loaded | peak |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    mpx = side**2 / 1e6
    for name, rows in _by_row(r for r in results if r["side_px"] == side):
        seconds = _median(rows, "seconds")
        network = _median(rows, "network_mpx")
        lines.append(
            f"| {name} | {mpx / seconds:.2f} | {network / seconds:.2f} | {network / mpx:.2f} "
            f"| {_median(rows, 'cpu_seconds') / mpx:.2f} | {_median(rows, 'loaded_GB'):.2f} GB "
            f"| {min(r['peak_GB'] for r in rows):.2f} GB |"
        )
    return "\n".join(lines)


def _ratios(results: list[dict[str, Any]], side: int) -> str:
    rows = dict(_by_row(r for r in results if r["side_px"] == side))
    ours = [name for name in rows if name.startswith("ours")]
    lines = [
        f"{side} px squared: how many times as fast, and (by processor time; peak of memory)",
        "",
        "| | " + " | ".join(ours) + " |",
        "|---|" + "--:|" * len(ours),
    ]
    for name in rows.keys() - set(ours):
        cells = []
        for own in ours:
            time, cpu, peak = (
                min(r[key] for r in rows[name]) / min(r[key] for r in rows[own])
                if key == "peak_GB"
                else _median(rows[name], key) / _median(rows[own], key)
                for key in ("seconds", "cpu_seconds", "peak_GB")
            )
            cells.append(f"{time:.2f} ({cpu:.2f}; {100 / peak:.0f} %)")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines[:4] + sorted(lines[4:]))


def _bare(results: list[dict[str, Any]]) -> str:
    lines = ["| | network Mpx/s | CPU s per Mpx |", "|---|--:|--:|"]
    for name, rows in _by_row(results):
        speed = statistics.median(r["network_mpx"] / r["seconds"] for r in rows)
        cost = statistics.median(r["cpu_seconds"] / r["network_mpx"] for r in rows)
        lines.append(f"| {name} | {speed:.2f} | {cost:.2f} |")
    return "\n".join(lines)


def _errors(results: list[dict[str, Any]]) -> str:
    lines = [
        "| | largest error | mean error | classes that differ | fat, points |",
        "|---|--:|--:|--:|--:|",
    ]
    for name, rows in _by_row(results):
        lines.append(
            f"| {name} | {_median(rows, 'error_max'):.2g} | {_median(rows, 'error_mean'):.2g} "
            f"| {100 * _median(rows, 'classes_differ'):.3f} % | {_median(rows, 'fat_points'):.3f} |"
        )
    return "\n".join(lines)


def _constants(results: list[dict[str, Any]]) -> str:
    lines = ["| what a network that says 1 becomes | least | most |", "|---|--:|--:|"]
    for r in results:
        lines.append("| {} | {:.6f} | {:.6f} |".format(r["row"], *r["constant"]))
    return "\n".join(lines)


def _by_row(results: Iterable[dict[str, Any]]) -> list[tuple[str, list[dict[str, Any]]]]:
    rows: dict[str, list[dict[str, Any]]] = {}
    for result in results:
        rows.setdefault(result["row"], []).append(result)
    return sorted(rows.items())


def _median(rows: list[dict[str, Any]], key: str) -> float:
    return float(statistics.median(r[key] for r in rows))
