"""What is found out about the quality of a slide: aspects, each with a verdict and a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from .errors import UnknownNameError

Verdict = Literal["good", "flagged", "not judged"]


@dataclass(frozen=True)
class Aspect:
    """One thing that a slide is judged by.

    Parameters
    ----------
    name : str
        ``"focus"``, ``"folds"``, ``"ink"`` ...
    value : float, optional
        The figure, in `unit`; None where it is not known, never NaN.
    unit : str
        ``"% of tissue"``, ``"mm^2"``, ``"px"`` ...
    verdict : str
        "good", "flagged" or "not judged".
    text : str
        One sentence for the user.
    """

    name: str
    value: float | None
    unit: str
    verdict: Verdict
    text: str


@dataclass(frozen=True)
class SlideQuality:
    """What was found out about the quality of a slide.

    Parameters
    ----------
    slide : str
        Its path.
    aspects : tuple of Aspect
        Always the same ones, in the same order.
    provenance : mapping
        Seed, version, and how much of the slide was looked at.
    """

    slide: str
    aspects: tuple[Aspect, ...]
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Aspect:
        for aspect in self.aspects:
            if aspect.name == name:
                return aspect
        known = ", ".join(aspect.name for aspect in self.aspects)
        raise UnknownNameError(f"The quality of a slide has no aspect {name!r}; it has: {known}.")

    @property
    def flags(self) -> tuple[str, ...]:
        """The sentences of the aspects that are flagged."""
        return tuple(aspect.text for aspect in self.aspects if aspect.verdict == "flagged")

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "slide": self.slide,
            "aspects": [asdict(aspect) for aspect in self.aspects],
            "flags": list(self.flags),
            "provenance": dict(self.provenance),
        }
