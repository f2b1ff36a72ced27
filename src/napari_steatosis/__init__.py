"""Measure liver fat on whole-slide images: in napari, in scripts and in the shell.

Every public name is imported on first use, so ``import napari_steatosis`` is free.
"""

from __future__ import annotations

from .core.lazy import lazy_names

__version__ = "0.1.0"

PUBLIC = {
    "Slide": "napari_steatosis.core.slide:Slide",
    "Region": "napari_steatosis.core.geometry:Region",
    "Frame": "napari_steatosis.core.geometry:Frame",
    "SteatosisError": "napari_steatosis.core.errors:SteatosisError",
    "LabelImage": "napari_steatosis.core.label_image:LabelImage",
    "Annotation": "napari_steatosis.core.annotation:Annotation",
    "Annotations": "napari_steatosis.core.annotation:Annotations",
    "Snapshot": "napari_steatosis.core.snapshot:Snapshot",
    "Reports": "napari_steatosis.core.report:Reports",
    "open_slide": "napari_steatosis.io:open_slide",
    "explain_open": "napari_steatosis.pipelines.opening:explain_open",
    "remember_scale": "napari_steatosis.io:remember_scale",
    "forget_scale": "napari_steatosis.io:forget_scale",
    "open_results": "napari_steatosis.io:open_results",
    "open_annotations": "napari_steatosis.io:open_annotations",
    "geojson_size": "napari_steatosis.io:geojson_size",
    "open_amounts": "napari_steatosis.io:open_amounts",
    "open_labels": "napari_steatosis.io:open_labels",
    "Dataset": "napari_steatosis.core.dataset:Dataset",
    "Sample": "napari_steatosis.core.dataset:Sample",
    "open_dataset": "napari_steatosis.io:open_dataset",
    "validate": "napari_steatosis.training.validate:validate",
    "train": "napari_steatosis.training.train:train",
    "evaluate": "napari_steatosis.training.evaluate:evaluate",
    "group_duplicates": "napari_steatosis.training.duplicates:group_duplicates",
    "write": "napari_steatosis.io.write:write",
    "drawn_liver": "napari_steatosis.imaging:drawn_liver",
    "find_tissue": "napari_steatosis.imaging:find_tissue",
    "parenchyma": "napari_steatosis.imaging.parenchyma:parenchyma",
    "read_tissue": "napari_steatosis.pipelines.tissue:read_tissue",
    "fit_stain": "napari_steatosis.imaging:fit_stain",
    "mask_of_annotations": "napari_steatosis.imaging:mask_of_annotations",
    "mask_of_polygons": "napari_steatosis.imaging:mask_of_polygons",
    "labels_of": "napari_steatosis.imaging:labels_of",
    "load_model": "napari_steatosis.models:load_model",
    "export_model": "napari_steatosis.models:export_model",
    "segment": "napari_steatosis.pipelines.segment:segment",
    "white_regions": "napari_steatosis.pipelines.white_regions:white_regions",
    "explain": "napari_steatosis.pipelines.explain:explain",
    "classify": "napari_steatosis.pipelines.classify:classify",
    "measure": "napari_steatosis.quantify:measure",
    "measure_classes": "napari_steatosis.quantify:measure_classes",
    "analyse": "napari_steatosis.pipelines.analyse:analyse",
    "normalise": "napari_steatosis.pipelines.normalise:normalise",
    "cohort": "napari_steatosis.pipelines.cohort:cohort",
    "quality": "napari_steatosis.imaging.quality:quality",
    "focus_map": "napari_steatosis.imaging.focus_map:focus_map",
}

__all__ = ["PUBLIC", "__version__"]
__getattr__ = lazy_names(__name__, PUBLIC)


def __dir__() -> list[str]:
    return sorted([*globals(), *PUBLIC])
