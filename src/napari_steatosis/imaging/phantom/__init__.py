"""A liver drawn from a seed: H&E-like pixels of any size, with the fat known to the pixel."""

from __future__ import annotations

from .liver import DrawnLiver, drawn_liver
from .style import Style
from .whites import WHITES

__all__ = ["WHITES", "DrawnLiver", "Style", "drawn_liver"]
