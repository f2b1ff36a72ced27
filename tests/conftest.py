"""Shared fixtures: an in-memory napari configuration, one thread, and the real data."""

from __future__ import annotations

import os
from pathlib import Path

os.environ["NAPARI_CONFIG"] = ""  # else the developer's own napari settings are reset on disk
os.environ.setdefault("NAPARI_TIPS", "0")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder with real slides, tiles and masks; tests that need it skip where it is missing."""
    folder = Path(os.environ.get("STEATOSIS_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / "steatosis-tiles").is_dir():
        pytest.skip(f"no real data at {folder}; set STEATOSIS_DATA to its place")
    return folder


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Open windows last: after Mesa has loaded its LLVM, importing triton crashes Python.

    ``torch.optim`` imports triton, which brings an LLVM of its own; in the other order both
    get on.
    """
    items.sort(key=lambda item: item.path.parent.name == "napari")
