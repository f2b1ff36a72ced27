"""Compositions of the parts: segment a slide, analyse a slide, run the demonstration."""

from __future__ import annotations

from ..core.lazy import lazy_names

__getattr__ = lazy_names(__name__, {"demonstrate": "napari_steatosis.pipelines.demo:demonstrate"})
