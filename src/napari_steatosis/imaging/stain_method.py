"""What all methods of stain normalisation share: how they are listed, stored and read back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from ..core.errors import BadValueError
from ..core.stain import StainTransform
from .references import Reference, as_tuples

VERSION = 2
"""Of the stored parameters. 1 had no `spares_white`, which then was always so; it is read."""


@dataclass(frozen=True)
class Method:
    """A row of `STAINS`.

    Parameters
    ----------
    fit : callable
        Makes a transform of a `StainSample` and a `Reference`; and of `stains`, by keyword,
        where they are given by hand.
    kind : type
        Of that transform: a dataclass of plain values.
    by_hand : bool
        Whether the user gives the slide's stains.
    """

    fit: Callable[..., StainTransform]
    kind: type[Any]
    by_hand: bool = False

    def from_json(self, values: Mapping[str, Any]) -> StainTransform:
        """Return the transform that `as_json` described.

        Raises
        ------
        BadValueError
            Where a later version of this program wrote it.
        """
        if values.get("version", 1) > VERSION:
            raise BadValueError(
                f"These parameters of stain method {values['method']!r} are of version "
                f"{values['version']}, this program reads up to {VERSION}. Update "
                f"napari-steatosis, or fit the stain again."
            )
        own = {field.name for field in fields(self.kind)}
        given = {name: as_tuples(value) for name, value in values.items() if name in own}
        if "reference" in own:
            given["reference"] = Reference.from_json(values["reference"])
        if "name" in own:
            given["name"] = values["method"]
        restored: StainTransform = self.kind(**given)
        return restored


def as_json(transform: Any) -> dict[str, Any]:
    """Return the parameters of a transform (a dataclass with a `name`) as plain values."""
    values = asdict(transform)
    values.pop("name", None)
    return {"method": transform.name, "version": VERSION, **values}
