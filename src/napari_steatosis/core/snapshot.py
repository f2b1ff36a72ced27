"""A view of a slide for a paper: a region, what is drawn over it, and how large."""

from __future__ import annotations

from dataclasses import dataclass

from .errors import BadValueError
from .geometry import Region
from .label_image import LabelImage
from .prediction import Prediction
from .slide import Slide

WIDTHS_PX = (200, 10_000)
MOST_PX = 100_000_000


@dataclass(frozen=True, eq=False)
class Snapshot:
    """A region of a slide with overlays, to be drawn with scale bar and legend.

    Parameters
    ----------
    slide : Slide
        What is shown.
    region : Region
        In pixels of level 0. What sticks out of the slide is left out.
    overlays : tuple of Prediction or LabelImage
        Drawn in their colours, in this order.
    opacity : float
        Of the overlays, 0 to 1.
    width_px : int
        Of the picture.
    title : str
        Stands above the picture; none where it is empty.

    Raises
    ------
    BadValueError
        The region lies outside the slide, or a number is out of bounds.

    Examples
    --------
    >>> import napari_steatosis as st
    >>> slide = st.drawn_liver(512, 700, seed=1)
    >>> Snapshot(slide, Region(y=100, x=600, height=50, width=400)).view.width
    100
    """

    slide: Slide
    region: Region
    overlays: tuple[Prediction | LabelImage, ...] = ()
    opacity: float = 0.6
    width_px: int = 1200
    title: str = ""

    def __post_init__(self) -> None:
        if not 0 <= self.opacity <= 1:
            raise BadValueError(f"The opacity of overlays is 0 to 1, got {self.opacity}.")
        low, high = WIDTHS_PX
        if not low <= self.width_px <= high:
            raise BadValueError(f"A picture is {low} to {high} px wide, got {self.width_px}.")
        height, width = self.picture_shape
        if height * width > MOST_PX:
            raise BadValueError(
                f"The region is {self.view.height} x {self.view.width} px, so the picture would "
                f"be {height} px high at a width of {width}. Choose a smaller width_px or a "
                f"lower region."
            )
        for one in self.overlays:
            if one.frame is not None and self.slide.um_per_px is None:
                raise BadValueError(
                    f"{one.name!r} cannot be placed on {self.slide.path}, whose pixel size is "
                    f"unknown. Open the slide with it: um_per_px=0.25."
                )

    @property
    def view(self) -> Region:
        """The part of the region that lies on the slide, px of level 0."""
        height, width = self.slide.shape
        inside = self.region.intersect(Region(y=0, x=0, height=height, width=width))
        if inside is None:
            raise BadValueError(
                f"{self.region} lies outside of {self.slide.path}, which is {height} x {width} px."
            )
        return inside

    @property
    def step_px(self) -> tuple[float, float]:
        """Height and width of a pixel of the picture in px of level 0."""
        height, width = self.picture_shape
        return self.view.height / height, self.view.width / width

    @property
    def picture_shape(self) -> tuple[int, int]:
        """Height and width of the picture, px; pixels that are not square are put right."""
        view, (y, x) = self.view, self.slide.um_per_px or (1.0, 1.0)
        height = round(self.width_px * (view.height * y) / (view.width * x))
        return max(1, height), self.width_px
