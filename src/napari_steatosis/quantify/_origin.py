"""What a prediction says of the slide that it was made from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Any

from ..core.prediction import Prediction


def title_of(prediction: Prediction) -> str:
    """Return the file name of the slide, or of the store, or the name of the prediction."""
    for path in (prediction.slide and prediction.slide.path, prediction.store):
        if path:
            return PurePath(path).name
    return prediction.name


def scale_source_of(prediction: Prediction) -> str:
    """Return where the pixel size came from; empty where nothing is known."""
    if prediction.slide is not None:
        return prediction.slide.scale_source
    slide = prediction.provenance.get("slide")
    return str(slide.get("um_per_px_source") or "") if isinstance(slide, dict) else ""


LEFT_OUT = {"vessels": "large vessels", "portal": "portal tracts", "exclude": "excluded regions"}
"""What `parenchyma` takes out of tissue, in words."""


def denominator_of(prediction: Prediction) -> str:
    """Return what was analysed of the slide, in words; empty where all of the tissue was.

    Examples
    --------
    >>> from napari_steatosis.core.geometry import Frame
    >>> made = {"method": "parenchyma", "less": {"portal": {}}}
    >>> of = {"within": {"made_by": made}}
    >>> denominator_of(Prediction("fat", [], ("tissue", "fat"), Frame((1.0, 1.0)), of))
    'tissue less portal tracts'
    """
    within = prediction.provenance.get("within")
    made = within.get("made_by", {}) if isinstance(within, Mapping) else {}
    found = list(dict.fromkeys(_parts(made)))
    edited = ", as edited by hand" if "edited" in found else ""
    inside = ", inside the given regions" if "regions" in found else ""
    less = [LEFT_OUT[name] for name in LEFT_OUT if name in found]
    listed = " and ".join([", ".join(less[:-1]), less[-1]] if len(less) > 1 else less)
    if not (edited or inside or less):
        return ""
    return f"tissue{edited}{inside}{' less ' if less else ''}{listed}"


def _parts(made: Any) -> Iterator[str]:
    """Yield what was done to a mask: names of what is out, ``"edited"``, ``"regions"``."""
    if not isinstance(made, Mapping):
        return
    if made.get("method") == "parenchyma":
        yield from made.get("less", {})
    if made.get("method") in ("edited", "labels"):
        yield "edited"
    if "without" in made:
        yield "exclude"
    if "and" in made:
        yield "regions"
        for one in made["and"]:
            yield from _parts(one)
    yield from _parts(made.get("of"))
