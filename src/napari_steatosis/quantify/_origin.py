"""What a prediction says of the slide that it was made from."""

from __future__ import annotations

from pathlib import PurePath

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
