"""Edit what an OME-Zarr says of itself."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import zarr


def changed(path: Path, change: Any) -> Path:
    """Edit the OME attributes of a group."""
    file = next(path / name for name in ("zarr.json", ".zattrs") if (path / name).exists())
    values = json.loads(file.read_text())
    change(values if file.name == ".zattrs" else values["attributes"]["ome"])
    file.write_text(json.dumps(values))
    return path


def stored_again(path: Path, **options: Any) -> zarr.Array:
    """Replace level 0 by an array with other options, and no pixels yet."""
    shutil.rmtree(path / "s0")
    group = zarr.open_group(str(path), mode="a")
    return group.create_array("s0", shape=(3, 150, 230), dtype="u1", **options)
