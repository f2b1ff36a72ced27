"""Operations on pixels: the drawn liver, tissue, stain, regions."""

from __future__ import annotations

from ..core.lazy import lazy_names

__getattr__ = lazy_names(
    __name__,
    {
        "drawn_liver": "napari_steatosis.imaging.phantom:drawn_liver",
        "find_tissue": "napari_steatosis.imaging.tissue:find_tissue",
        "mask_of_labels": "napari_steatosis.imaging.mask_labels:mask_of_labels",
        "mask_of_polygons": "napari_steatosis.imaging.regions:mask_of_polygons",
        "mask_of_annotations": "napari_steatosis.imaging.regions:mask_of_annotations",
        "labels_of": "napari_steatosis.imaging.annotations:labels_of",
        "looks_swapped": "napari_steatosis.imaging.channel_order:looks_swapped",
        "guess_stain": "napari_steatosis.imaging.stain_guess:guess_stain",
        "fit_stain": "napari_steatosis.imaging.stain:fit_stain",
    },
)
