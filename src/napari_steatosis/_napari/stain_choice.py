"""What the form *Normalise stain* asks for, and the steps that fit it."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..core.pyramid import level_arrays
from .stain_reference import key_of

if TYPE_CHECKING:
    import napari.layers

    from ..core.slide import Slide
    from ..pipelines.normalise import Goal


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
    """

    image: napari.layers.Image
    slide: Slide
    method: str
    goal: Goal
    stains: str = ""

    @property
    def key(self) -> Hashable:
        """The same for what would be fitted alike."""
        slide = self.slide
        own = (slide.fingerprint, slide.colour, slide.um_per_px)
        return own, self.method, self.stains, key_of(self.goal)

    def steps(self, should_stop: Callable[[], bool]) -> Iterator[Any]:
        """Fit the transform; the steps of a job."""
        from ..pipelines.normalise import fitting

        how = {"method": self.method, "reference": self.goal, "stains": self.stains}
        transform = yield from fitting(self.slide, **how)
        overview = level_arrays(self.slide)[-1]
        transform.apply(overview[:])  # fills its table of colours here, and not in the window
        yield transform
