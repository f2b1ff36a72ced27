"""From a stored class map to numbers: one file per measurement, listed in `MEASURES`."""

from __future__ import annotations

from ..core.lazy import lazy_names
from ..core.table import Table

MEASURES = Table(
    "measure",
    {
        "fat_area": "napari_steatosis.quantify.fat_area:fat_area",
        "droplet_size": "napari_steatosis.quantify.droplet_size:droplet_size",
        "heterogeneity": "napari_steatosis.quantify.heterogeneity:heterogeneity",
        "grade": "napari_steatosis.quantify.grade:grade",
    },
)
"""Name to a function ``(Evidence) -> tuple of Measurement``."""

__getattr__ = lazy_names(
    __name__,
    {
        "measure": "napari_steatosis.quantify._measure:measure",
        "measure_fibrosis": "napari_steatosis.quantify.fibrosis:measure_fibrosis",
        "measure_classes": "napari_steatosis.quantify._classes:measure_classes",
        "prediction_within": "napari_steatosis.quantify._within:prediction_within",
        "with_macro_cut": "napari_steatosis.quantify._recut:with_macro_cut",
        "square_map": "napari_steatosis.quantify._square_map:square_map",
        "Hepatocytes": "napari_steatosis.quantify._hepatocytes:Hepatocytes",
        "Landmarks": "napari_steatosis.quantify._zone_map:Landmarks",
        "Evidence": "napari_steatosis.quantify._evidence:Evidence",
    },
)
