"""The model card: what a model was made of, how well it does, and what nobody checked."""

from __future__ import annotations

from typing import Any

from ..core.model import ModelSpec

MEANING = {
    "jaccard": "Jaccard index, pixels pooled over tiles",
    "jaccard_1um": "the same, outlines within 1 um forgiven",
    "droplet_f1": "droplet F1 at IoU > 0.5, unpaired objects below 20 um² left out",
    "droplet_f1_all": "droplet F1 at IoU > 0.5, nothing left out",
    "panoptic_quality": "panoptic quality, unpaired objects below 20 um² left out",
    "fat_area_error_points": "mean absolute error of the fat area, points of the tile",
    "false_fat_percent": "fat found on tiles without fat, mean, % of the tile",
}


def model_card(spec: ModelSpec, digest: str, *, made_by: str, limits: str) -> str:
    """Return the card of a model as Markdown.

    Parameters
    ----------
    spec : ModelSpec
        With its scores: a mapping from the name of a set of tiles to its scores.
    digest : str
        Of the model.
    made_by : str
        The command that trains it, and how long that took.
    limits : str
        Markdown list of what it does badly and what was not validated.
    """
    facts = {
        "digest": f"`{digest}`",
        "architecture": f"`{spec.architecture}`, `{spec.parameters}`",
        "classes": ", ".join(spec.classes),
        "resolution": f"{spec.um_per_px:g} um per pixel",
        "halo": f"{spec.halo_px} px",
        "threshold": f"{spec.threshold:g}, not tuned",
        "stain": spec.stain,
        "training data": spec.training_data,
        "licence": spec.licence,
        "made by": made_by,
    }
    lines = [f"# {spec.name}", "", "**For research use only. Not a medical device.**", ""]
    lines += ["| | |", "|---|---|"]
    lines += [f"| {name} | {value} |" for name, value in facts.items()]
    for name, found in spec.scores.items():
        lines += ["", f"## Scores on {name}", "", *_score_table(found)]
    lines += ["", "## Limits, and what was not validated", "", limits.strip(), ""]
    return "\n".join(lines)


def _score_table(found: dict[str, Any]) -> list[str]:
    if "tiles" not in found:
        best = found["best_epoch"].items()
        rows = [f"| {name} | {value:.3f} |" for name, value in best]
        said = [f"{found['samples']} samples.", "", "| score | value |", "|---|--:|", *rows]
        return [*said, "", found["split"]] if "split" in found else said
    lines = [
        f"{found['tiles']} tiles ({found['fat_free_tiles']} without fat) of {found['groups']} "
        f"groups (patients), {found['droplets']} droplets. Intervals: 95 %, bootstrap over "
        f"groups.",
        "",
        "| score | value | 95 % interval |",
        "|---|--:|--:|",
    ]
    for name, meaning in MEANING.items():
        if found.get(name) is not None:
            value, low, high = found[name]
            lines.append(f"| {meaning} | {value:.3f} | {low:.3f} to {high:.3f} |")
    if "split" in found:
        lines += ["", found["split"]]
    return lines
