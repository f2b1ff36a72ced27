"""The fields that say from which vessels zones are measured, and how hepatocytes are counted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from magicgui.widgets import ComboBox

from .landmark_field import LandmarkField
from .landmarks import Place, landmarks_in

if TYPE_CHECKING:
    import napari

    from ..pipelines.hepatocytes import Counting
    from ..quantify import Landmarks

SQUARES: Counting = "squares"
NUCLEI: Counting = "nuclei"


class FindingFields:
    """The choosers *Portal regions*, *Central regions* and *Hepatocytes by* of a form.

    Parameters
    ----------
    viewer : napari.Viewer
        The window.
    """

    def __init__(self, viewer: napari.Viewer) -> None:
        self.portal = LandmarkField(viewer, label="Portal regions")
        self.central = LandmarkField(viewer, label="Central regions")
        self.hepatocytes = ComboBox(label="Hepatocytes by", choices=[SQUARES, NUCLEI])
        self.portal.tooltip = self.central.tooltip = (
            "Portal tracts and central veins: shapes around them, points in them, labels, or a "
            "GeoJSON file. Fat is measured in zones 1 to 3 between them, or in rings where one of "
            "the two is given. Where there are classes, those beginning with portal or central "
            "count, so that one layer or file can hold both."
        )
        self.hepatocytes.tooltip = (
            "How the share of hepatocytes with fat, and the grade, are estimated: by squares as "
            "wide as a hepatocyte, or by nuclei, which are looked for on the slide (H&E, 0.5 µm/px "
            "or finer; slower). Neither has been validated."
        )

    @property
    def all(self) -> tuple[Any, ...]:
        """The fields, from top to bottom."""
        return self.portal, self.central, self.hepatocytes

    @property
    def counting(self) -> Counting:
        """How hepatocytes are counted."""
        return NUCLEI if self.hepatocytes.value == NUCLEI else SQUARES

    def landmarks(self, place: Place) -> Landmarks | None:
        """Return what zones are measured from; None where nothing is chosen.

        Raises
        ------
        BadValueError
            Where nothing of the kind is in a layer or a file.
        """
        return landmarks_in(self.portal.value, self.central.value, place)
