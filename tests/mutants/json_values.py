"""Hostile values in JSON: of another kind or size, missing, nested too deep."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from .file_bytes import Change

VALUES: tuple[Any, ...] = (
    None, -1, 0, 1, 0.5, 2**31, 2**63, 1e308, float("nan"), "", "..", "uint8", [], [[]], {},
    {"type": "scale"}, True, ["a"] * 3, [2**31] * 3, [-1, -1, -1], [1e-300] * 3,
)  # fmt: skip


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    items: Any = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    for key, inner in list(items):
        yield value, key
        yield from _places(inner)


def with_hostile_value(value: Any, rng: np.random.Generator) -> Any:
    """Replace any value inside by one of another kind or size."""
    places = list(_places(value))
    if not places:
        return VALUES[int(rng.integers(len(VALUES)))]
    holder, key = places[int(rng.integers(len(places)))]
    holder[key] = VALUES[int(rng.integers(len(VALUES)))]
    return value


def with_missing_key(value: Any, rng: np.random.Generator) -> Any:
    """Leave out any key or item inside."""
    places = list(_places(value))
    if places:
        holder, key = places[int(rng.integers(len(places)))]
        del holder[key]
    return value


def hostile_json(path: Path, rng: np.random.Generator) -> None:
    """Replace any value of a file."""
    path.write_text(json.dumps(with_hostile_value(json.loads(path.read_text()), rng)))


def shorter_json(path: Path, rng: np.random.Generator) -> None:
    """Leave out any key of a file."""
    path.write_text(json.dumps(with_missing_key(json.loads(path.read_text()), rng)))


def deep_json(path: Path, rng: np.random.Generator) -> None:
    """Nest a file a hundred thousand deep."""
    depth = int(rng.choice((500, 100_000)))
    path.write_text('{"features":' + "[" * depth + "]" * depth + "}")


JSON_CHANGES: dict[str, Change] = {
    change.__name__: change for change in (hostile_json, shorter_json, deep_json)
}
