"""What the form *Normalise stain* asks for, and the steps that fit it."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..core.pyramid import level_arrays
from .stain_reference import key_of

if TYPE_CHECKING:
    import napari.layers

    from ..core.slide import Slide
    from ..imaging.references import Reference
    from ..imaging.stain_sample import StainSample
    from ..pipelines.normalise import Goal


@dataclass
class Known:
    """What was read of slides before, so that another method is fitted at once.

    Parameters
    ----------
    samples : dict
        Colours of the tissue, by slide.
    references : dict
        Those that were taken from slides, by slide and part.
    """

    samples: dict[Hashable, StainSample] = field(default_factory=dict)
    references: dict[Hashable, Reference] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Choice:
    """What the fields of the form ask for.

    Parameters
    ----------
    image : napari.layers.Image
        The layer of the slide.
    slide : Slide
        With its pixel size.
    method : str
        How it is fitted.
    goal : str, path or Exemplar
        What to.
    stains : str
        Stain vectors, for a method that is given them by hand.
    known : Known
        What was read before; what is read now is added.
    """

    image: napari.layers.Image
    slide: Slide
    method: str
    goal: Goal
    stains: str = ""
    known: Known = field(default_factory=Known)

    @property
    def key(self) -> Hashable:
        """The same for what would be fitted alike."""
        return self._own, self.method, self.stains, key_of(self.goal)

    @property
    def _own(self) -> Hashable:
        return self.slide.fingerprint, self.slide.colour, self.slide.um_per_px

    def steps(self, should_stop: Callable[[], bool]) -> Iterator[Any]:
        """Fit the transform; the steps of a job."""
        from ..pipelines.normalise import Exemplar, finding_reference, fitting, sampling

        known, goal = self.known, self.goal
        if self._own not in known.samples:
            known.samples[self._own] = yield from sampling(self.slide)
        wanted: Any = goal
        if isinstance(goal, Exemplar):
            if key_of(goal) not in known.references:
                known.references[key_of(goal)] = yield from finding_reference(goal)
            wanted = known.references[key_of(goal)]
        how = {"method": self.method, "reference": wanted, "stains": self.stains}
        transform = yield from fitting(self.slide, sample=known.samples[self._own], **how)
        overview = level_arrays(self.slide)[-1]
        transform.apply(overview[:])  # fills its table of colours here, and not in the window
        yield transform
