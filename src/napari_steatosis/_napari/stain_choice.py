"""What the form *Normalise stain* asks for, and the steps that fit it."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..core.pyramid import level_arrays
from .stain_reference import key_of

if TYPE_CHECKING:
    import napari.layers

    from ..core.mask import Mask
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
    tissues : dict
        Tissue that was found before, by slide; what is found is added.
    """

    image: napari.layers.Image
    slide: Slide
    method: str
    goal: Goal
    stains: str = ""
    tissues: dict[Hashable, Mask] = field(default_factory=dict)

    @property
    def key(self) -> Hashable:
        """The same for what would be fitted alike."""
        return self._own, self.method, self.stains, key_of(self.goal)

    @property
    def _own(self) -> Hashable:
        return self.slide.fingerprint, self.slide.colour, self.slide.um_per_px

    def steps(self, should_stop: Callable[[], bool]) -> Iterator[Any]:
        """Fit the transform; the steps of a job."""
        from ..pipelines.analyse import Stage, tissue_shares
        from ..pipelines.normalise import fitting

        if self._own not in self.tissues:
            yield Stage("Finding tissue")
            self.tissues[self._own] = yield from tissue_shares(self.slide)
        how = {"method": self.method, "reference": self.goal, "stains": self.stains}
        transform = yield from fitting(self.slide, tissue=self.tissues[self._own], **how)
        overview = level_arrays(self.slide)[-1]
        transform.apply(overview[:])  # fills its table of colours here, and not in the window
        yield transform
