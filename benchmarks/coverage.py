"""How often the 95 % intervals of findings hold the truth, on simulated cohorts.

    python benchmarks/coverage.py

Cohorts are simulated as in `tests/simulated_cohorts.py`, whose truth is known. Printed is the share
of intervals that hold it, where there is one; beside it, the same of the plain percentiles of units
drawn with replacement.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import simulated_cohorts as simulated
from napari_steatosis.quantify._agreement_intervals import (
    correlation_interval,
    left_out,
    proportion_interval,
)
from napari_steatosis.quantify._intervals import (
    medians_interval,
    ratio_interval,
    share_interval,
)
from napari_steatosis.quantify.agreement import STATISTICS, concordance, figures
from napari_steatosis.quantify.calibration import fit_calibration
from napari_steatosis.training.comparison import paired_bootstrap
from napari_steatosis.training.metrics import NAMES, Counts, scores

MANY = 400_000


def percent(hits) -> str:
    return f"{100 * np.mean(hits):.1f}"


def percentiles(random, series, of, *, draws=300, cohorts=400):
    """Intervals by percentiles of units drawn with replacement; `series` ``(..., cohorts, n)``."""
    some = series[..., :cohorts, :]
    n = some.shape[-1]
    ends = []
    with np.errstate(all="ignore"):
        for cohort in range(some.shape[-2]):
            drawn = some[..., cohort, random.integers(0, n, (draws, n))]
            ends.append(np.nanpercentile(of(drawn), [2.5, 97.5]))
    return np.array(ends).T


def table(title, head, rows):
    print(f"\n{title}\n\n| {' | '.join(head)} |\n|{'--|' * len(head)}")
    for row in rows:
        print(f"| {' | '.join(map(str, row))} |", flush=True)


def shares(random, cohorts):
    def ratio(series):
        return series[0].sum(-1) / series[1].sum(-1)

    for n in (2, 3, 5, 8, 12, 20, 60, 300):
        row = [n]
        for kind in ("even", "patchy"):
            made = np.stack(simulated.squares(random, cohorts, n, kind))
            row.append(percent(simulated.held(share_interval(*made), simulated.FAT)))
            old = percentiles(random, made, ratio, cohorts=300)
            row.append(percent(simulated.held(old, simulated.FAT)))
        yield row


def zones(random, cohorts):
    def ratio(series):
        return np.divide(*(series[0].sum(-1) / series[1].sum(-1)))

    for n in (2, 3, 5, 8, 12, 20, 40):
        row = [n]
        for kind in ("even", "patchy"):
            made = np.stack(simulated.blocks(random, cohorts, n, kind))
            row.append(percent(simulated.held(ratio_interval(*made), 3.0)))
            row.append(percent(simulated.held(percentiles(random, made, ratio), 3.0)))
        yield row


def of_patients(random, cohorts):
    for n in (2, 3, 5, 10):
        row = [n]
        for unlike in (1.2, 3.0):
            fat, tissue, truth = simulated.slides(random, cohorts, n, unlike)
            row.append(percent(simulated.held(share_interval(fat, tissue), truth)))
        yield row


def groups(random, cohorts):
    for kind in ("lognormal", "beta", "normal"):
        whole = [np.median(simulated.patients(random, 1, MANY, kind, g)) for g in (0, 1)]
        for n in (3, 6, 10, 20, 40):
            both = [simulated.patients(random, cohorts, n, kind, g) for g in (0, 1)]
            own = simulated.held(medians_interval(*both), whole[1] - whole[0])
            drawn = [np.median(one[:400, random.integers(0, n, (300, n))], axis=-1) for one in both]
            old = np.percentile(drawn[1] - drawn[0], [2.5, 97.5], axis=-1)
            old_hits = simulated.held(old, whole[1] - whole[0])
            yield [kind, n, percent(own), percent(old_hits)]


def agreements(random, cohorts):
    for kind in ("even", "weak", "skewed"):
        whole = simulated.pairs(random, 1, MANY, kind)
        found, old, sizes = {}, {}, (6, 10, 20, 40)
        for n in sizes:
            made = simulated.pairs(random, cohorts, n, kind)
            for name, (_, interval) in figures(made).items():
                of = STATISTICS[name][0]
                truth = of(whole)[0]
                found[name, n] = percent(simulated.held(interval, truth))
                ends = percentiles(random, made, of, cohorts=150, draws=200)
                old[name, n] = percent(simulated.held(ends, truth))
        for name in STATISTICS:
            yield [kind, name, *(f"{found[name, n]} ({old[name, n]})" for n in sizes)]


def gradings(random, cohorts):
    for kind in ("even", "weak", "skewed"):
        whole = simulated.grades(random, 1, MANY, kind)
        for n in (6, 10, 20, 40):
            made = simulated.grades(random, cohorts, n, kind)
            with np.errstate(all="ignore"):
                rest = left_out({"kappa": concordance}, made)["kappa"]
                ends = correlation_interval(concordance(made), rest)
            hits = simulated.held(ends, concordance(whole)[0])
            wilson = np.array([proportion_interval(hit, n) for hit in range(n + 1)]).T
            same = np.count_nonzero(made[0] == made[1], axis=-1)
            of_same = simulated.held(wilson[:, same], np.mean(whole[0] == whole[1]))
            yield [kind, n, percent(hits), f"{100 * len(hits) / cohorts:.0f}", percent(of_same)]


def calibrations(random, cohorts):
    for kind in ("linear", "isotonic"):
        for n in (10, 20, 40, 100):
            hits: dict[float, list[bool]] = {2.0: [], 5.0: [], 12.0: []}
            for number in range(cohorts):
                area, score, truth = simulated.calibrated(random, n, kind)
                fitted = fit_calibration(area, score, kind=kind, seed=number)
                for value, own in hits.items():
                    if fitted.is_within(value):
                        low, high = fitted.interval(value)
                        own.append(low <= truth(value) <= high)
            yield [kind, n, *map(percent, hits.values())]


def judged(random, patients):
    """Counts of tiles of patients who differ in how well their fat is found."""
    skill = random.beta(8, 2, patients).repeat(4)
    true = random.gamma(1.0, 2000, 4 * patients)
    hit, wrong = true * skill, true * random.beta(2, 10, patients).repeat(4)
    return hit, wrong, true


def evaluations(random, cohorts):
    """Percentiles over patients, as evaluations give them; four tiles, or images, a patient."""
    hit, wrong, true = judged(random, MANY)
    dice = 2 * hit.sum() / (hit.sum() + wrong.sum() + true.sum())
    for n in (6, 10, 20, 40):
        found, right = [], []
        who = [str(i) for i in range(n) for _ in range(4)]
        for number in range(cohorts):
            hit, wrong, true = judged(random, n)
            empty = dict.fromkeys(NAMES, 0)
            rows = [
                Counts(**{**empty, "both": h, "either": t + w, "true": t, "found": h + w})
                for h, w, t in zip(hit, wrong, true, strict=True)
            ]
            value = scores(rows, who, draws=1000, seed=number)["dice"]
            found.append(value[1:])
            sure = random.random(4 * n) < random.beta(8, 2, n).repeat(4)
            one = paired_bootstrap(lambda i, sure=sure: (sure[i].mean(), 0.0), who, seed=number)
            right.append((one.low, one.high))
        accuracy = simulated.held(np.array(right).T, 0.8)
        yield n, percent(simulated.held(np.array(found).T, dice)), percent(accuracy)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cohorts", type=int, default=2000)
    parser.add_argument("--only", default="", help="first letters of one part")
    given = parser.parse_args()
    random = np.random.default_rng(20120)
    pair = ["even", "before", "patchy", "before"]
    parts = {
        "share": ("Share of the tissue, over squares", ["squares", *pair], shares),
        "zones": ("Ratio of zones, over blocks", ["blocks", *pair], zones),
        "patients": ("A patient, over slides", ["slides", "alike", "unlike"], of_patients),
        "groups": (
            "Difference of medians of two groups",
            ["fat", "patients a group", "now", "before"],
            groups,
        ),
        "agreement": ("Agreement (before)", ["kind", "figure", "6", "10", "20", "40"], agreements),
        "kappa": ("Grades", ["kind", "n", "kappa", "have one, %", "same grade"], gradings),
    }
    for name, (title, head, rows) in parts.items():
        if name.startswith(given.only):
            table(title, head, rows(random, given.cohorts))
    if "calibration".startswith(given.only):
        rows = calibrations(random, max(100, given.cohorts // 10))
        table("Calibration", ["kind", "patients", "at 2 %", "at 5 %", "at 12 %"], rows)
    if "evaluation".startswith(given.only):
        table("Evaluation", ["patients", "Dice", "accuracy"], evaluations(random, given.cohorts))


if __name__ == "__main__":
    main()
