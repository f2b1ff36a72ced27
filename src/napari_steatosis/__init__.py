"""Measure liver fat on whole-slide images: in napari, in scripts and in the shell.

Every public name is imported on first use, so ``import napari_steatosis`` is free.
"""

from __future__ import annotations

from typing import Any

from .core.table import Table

__version__ = "0.1.0"

PUBLIC = Table(
    "public name",
    {
        "Slide": "napari_steatosis.core.slide:Slide",
        "Region": "napari_steatosis.core.geometry:Region",
        "Frame": "napari_steatosis.core.geometry:Frame",
        "SteatosisError": "napari_steatosis.core.errors:SteatosisError",
        "open_slide": "napari_steatosis.io:open_slide",
        "explain_open": "napari_steatosis.io:explain_open",
        "open_results": "napari_steatosis.io:open_results",
        "write": "napari_steatosis.io:write",
        "drawn_liver": "napari_steatosis.imaging:drawn_liver",
        "find_tissue": "napari_steatosis.imaging:find_tissue",
        "load_model": "napari_steatosis.models:load_model",
        "segment": "napari_steatosis.pipelines:segment",
        "measure": "napari_steatosis.quantify:measure",
        "analyse": "napari_steatosis.pipelines:analyse",
    },
)

__all__ = ["PUBLIC", "__version__"]


def __getattr__(name: str) -> Any:
    if name in PUBLIC:
        return PUBLIC[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *PUBLIC])
