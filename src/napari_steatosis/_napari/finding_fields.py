"""The fields that say from which vessels zones are measured, and how hepatocytes are counted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from magicgui.widgets import ComboBox

from .layers import shapes_among
from .regions import landmarks_of

if TYPE_CHECKING:
    import napari.layers

    import napari

    from .panel import Rows

SQUARES, NUCLEI = "squares", "nuclei"


class FindingFields:
    """The choosers *Portal*, *Central* and *Hepatocytes* of a form.

    Parameters
    ----------
    viewer : napari.Viewer
        The window.
    rows : Rows
        Of the form; the fields are added.
    """

    def __init__(self, viewer: napari.Viewer, rows: Rows) -> None:
        self._viewer = viewer
        self.portal = ComboBox(label="Portal regions", choices=self._shapes, nullable=True)
        self.central = ComboBox(label="Central regions", choices=self._shapes, nullable=True)
        self.hepatocytes = ComboBox(label="Hepatocytes by", choices=[SQUARES, NUCLEI])
        self.portal.tooltip = self.central.tooltip = (
            "Shapes around portal tracts and around central veins: fat is measured in zones 1 to 3 "
            "between them, or in rings where one of the two is drawn. Of a layer whose shapes have "
            "classes, those of the class portal or central are taken."
        )
        self.hepatocytes.tooltip = (
            "How the share of hepatocytes with fat, and the grade, are estimated: by squares as "
            "wide as a hepatocyte, or by nuclei, which are looked for on the slide (H&E, 0.5 µm/px "
            "or finer; slower). Neither has been validated."
        )
        for field in (self.portal, self.central, self.hepatocytes):
            rows.add(field)

    def _shapes(self, _: Any = None) -> list[tuple[str, Any]]:
        return shapes_among(self._viewer.layers)

    def refresh(self) -> None:
        """Offer the layers that there are."""
        self.portal.reset_choices()
        self.central.reset_choices()

    def wanted(self, labels: napari.layers.Labels) -> dict[str, Any]:
        """Return what the fields ask for, as fields of `measuring.Wanted`.

        Raises
        ------
        BadValueError
            Where a layer holds no shape with an area.
        """
        chosen = {"portal": self.portal.value, "central": self.central.value}
        outlines = {
            kind: tuple(landmarks_of(shapes, labels, kind)) for kind, shapes in chosen.items()
        }
        return {**outlines, "by_nuclei": self.hepatocytes.value == NUCLEI}
