"""What a stain transform is to the engine: fitted once per slide, applied to any tile."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray


@runtime_checkable
class StainTransform(Protocol):
    """A colour transform with fixed parameters, the same for every tile and level."""

    @property
    def name(self) -> str:
        """Method, for messages and provenance."""
        ...

    @property
    def findings(self) -> tuple[str, ...]:
        """Sentences that one must know before using the result; none where all is well."""
        ...

    def apply(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Map ``(..., 3) uint8`` to the same shape; white stays white."""
        ...

    def to_json(self) -> dict[str, Any]:
        """Return the fitted parameters as plain values."""
        ...
