"""The form *Measure*: numbers, droplets, regions and maps of a class map that is in the window."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from magicgui.widgets import CheckBox, ComboBox, FloatSpinBox, PushButton
from qtpy.QtWidgets import QFileDialog
from superqt.utils import qdebounced, qthrottled

from ..core.errors import BadValueError
from .droplet_overlay import Droplets
from .finding_fields import NUCLEI, FindingFields
from .form import Form
from .histogram import diameter_of
from .job import Steps
from .landmarks import Place
from .layers import shapes_among, watch_layers
from .map_buttons import MapButtons
from .measure_tabs import MeasureTabs
from .measuring import Measured, Wanted, measuring, saving
from .panel import across
from .regions import regions_of
from .view import camera_of

if TYPE_CHECKING:
    import napari.layers

    import napari

    from ..core.report import Report

SMALLEST_UM2, MACRO_UM2 = 3.0, 65.0
MOVED_MS, CUT_MS = 200, 60
"""How long the circles wait for the view to rest; how often the cut recolours."""

KINDS = (
    "Tables (*.csv)",
    "Outlines for QuPath (*.geojson.gz)",
    "Report (*.html)",
    "Values (*.json)",
    "Tables (*.parquet)",
)


class MeasureForm(Form):
    """Measure a class map of fat, and look at every droplet of it.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        The window.
    """

    title = "Measure"
    width_px = 450

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        super().__init__(napari_viewer)
        self.measured: Measured | None = None
        self.droplets: Droplets | None = None
        self._moved = qdebounced(self.show_circles, timeout=MOVED_MS)
        self._recut = qthrottled(self.follow_cut, timeout=CUT_MS)
        self._build()
        self._explain()
        self._connect()
        self._layers_changed()

    def _build(self) -> None:
        self.labels = ComboBox(label="Class map", choices=self._predictions, nullable=True)
        self.inside = ComboBox(label="Only inside", choices=self._shapes, nullable=True)
        self.leave_out = ComboBox(label="Leave out", choices=self._shapes, nullable=True)
        self.smallest = FloatSpinBox(
            label="Smallest droplet (µm²)", min=0, max=1000, step=1, value=SMALLEST_UM2
        )
        self.run = PushButton(text="Measure")
        self._starts = (self.run,)
        self.cut = FloatSpinBox(
            label="Macro from (µm²)", min=0.1, max=100_000, step=5, value=MACRO_UM2
        )
        self.circles = CheckBox(text="Circles in the view", value=False)
        self.maps = MapButtons(self.viewer, self._shown)
        self.save = PushButton(text="Save…")
        self.findings = FindingFields(self.viewer)
        own = (self.labels, self.inside, self.leave_out, self.smallest)
        for field in (*own, *self.findings.all):
            self._rows.add(field)
        self.tabs = MeasureTabs(self.cut, self.circles)
        buttons, showing = across(self.run, self.cancel), across(*self.maps.all, self.save)
        self._lay_out(self._rows, buttons, self.panel, self.tabs, showing, growing=self.tabs)
        self._show_running(False)

    def _explain(self) -> None:
        self.labels.tooltip = (
            "Labels that this plugin has predicted: of Analyse slide, or of a results folder "
            "opened with File > Open. What was painted on them counts."
        )
        self.inside.tooltip = "Measure inside these shapes only: each alone, and all together"
        self.leave_out.tooltip = "Shapes to leave out of the fat and of the tissue"
        self.smallest.tooltip = "Smaller places are no droplets; their area still counts as fat"
        self.cut.tooltip = (
            "Droplets from this area on are macro. There is no consensus on the cut: 65 µm² is a "
            "disc 9.1 µm across. Drag the line in the histogram, or type."
        )
        self.circles.tooltip = "A circle of its area around every droplet in the view"
        self.save.tooltip = "CSV, GeoJSON (QuPath), HTML, JSON or Parquet, by the suffix"

    def _connect(self) -> None:
        watch_layers(self.viewer, self._layers_changed)
        self.labels.changed.connect(self._labels_changed)
        self.run.changed.connect(self.start)
        self.cut.changed.connect(self._cut_changed)
        self.circles.changed.connect(self.show_circles)
        self.save.changed.connect(self._ask_save)
        self.tabs.histogram.cut_moved.connect(self._cut_dragged)
        self.tabs.droplets.chosen.connect(self._row_chosen)
        self.native.destroyed.connect(self._closed)
        for event in (camera_of(self.viewer).events.center, camera_of(self.viewer).events.zoom):
            event.connect(self._view_moved)
        self.viewer.mouse_drag_callbacks.append(self._pressed)

    # What the fields offer

    def _predictions(self, _: Any = None) -> list[tuple[str, Any]]:
        return [(one.name, one) for one in self.viewer.layers if _is_fat(one)]

    def _shapes(self, _: Any = None) -> list[tuple[str, Any]]:
        return shapes_among(self.viewer.layers)

    def _layers_changed(self, _: Any = None) -> None:
        for chooser in (self.labels, self.inside, self.leave_out):
            chooser.reset_choices()
        if self.labels.value is None and (there := self._predictions()):
            self.labels.value = there[-1][1]
        if self.droplets is not None and self.droplets.labels not in self.viewer.layers:
            self._forget()

    def _labels_changed(self, _: Any = None) -> None:
        """Show what is known of other labels; what is shown is always of those in the field."""
        labels = self.labels.value
        if self.droplets is not None and self.droplets.labels is not labels:
            self._forget()
        if labels is None or self.is_running:
            return
        labels.events.metadata.connect(self._labels_changed)
        report = labels.metadata.get("report")
        if report is not None and self.measured is None and "droplets" in report.tables:
            self._take(Measured(report))
            self.panel.say("Measured when it was analysed.")

    # Measuring

    def wanted(self) -> Wanted:
        """Return what the fields ask for.

        Raises
        ------
        SteatosisError
            Where something is missing, with what to do about it.
        """
        labels = self.labels.value
        if labels is None:
            raise BadValueError(
                "There is no class map of fat. Run Analyse slide, or open the folder of its "
                "results (File > Open Folder… and choose napari-steatosis)."
            )
        painted = None if labels.multiscale else np.array(labels.data)
        known = labels.metadata["prediction"]
        return Wanted(
            known,
            painted,
            inside=tuple(regions_of(self.inside.value, labels)),
            left_out=tuple(outline for _, outline in regions_of(self.leave_out.value, labels)),
            smallest_um2=float(self.smallest.value),
            macro_um2=self.macro_um2,
            landmarks=self.findings.landmarks(Place(labels, known.frame, known.slide)),
            by_nuclei=self.findings.counting == NUCLEI,
        )

    @property
    def macro_um2(self) -> float:
        """The cut between micro and macro, as an area."""
        return max(float(self.cut.value), float(self.smallest.value))

    def start(self) -> None:
        """Measure what the fields ask for."""
        self.launch(self._steps, then=self._measured, otherwise=self._layers_changed)

    def _steps(self) -> Steps:
        wanted = self.wanted()
        self._forget()
        self._asked_of = self.labels.value
        return measuring(wanted)

    def _measured(self, measured: Measured) -> None:
        if self.labels.value is self._asked_of:
            self._take(measured)
        self._layers_changed()

    def _take(self, measured: Measured) -> None:
        """Show what was measured."""
        if self.labels.value is None:
            return
        self.measured = measured
        report = measured.report
        self.droplets = Droplets(self.viewer, self.labels.value, report)
        self.panel.show_flags(report)
        self.tabs.show_measured(measured, self.macro_um2)
        self.follow_cut()
        self._show_running(False)
        self.show_circles()

    def _forget(self) -> None:
        """Show nothing: what was measured is not what the fields say, or its labels have gone."""
        if self.droplets is not None:
            self.droplets.clear()
        self.measured = self.droplets = None
        self.panel.flags.hide()
        self.panel.say("")
        self.tabs.show_measured(None, self.macro_um2)
        self._show_running(self.is_running)

    def _show_running(self, running: bool) -> None:
        super()._show_running(running)
        known = None if running else self.measured
        self.maps.enable(known and known.report)
        self.save.enabled = known is not None

    # The cut

    def _cut_dragged(self, diameter_um: float) -> None:
        self.cut.value = round(max(math.pi / 4 * diameter_um**2, self.cut.min), 1)

    def _cut_changed(self, _: Any = None) -> None:
        self.tabs.histogram.show_cut(diameter_of(float(self.cut.value)))
        self._recut()

    def follow_cut(self) -> None:
        """Have the numbers, the table and the circles follow the cut."""
        from ..quantify import with_macro_cut

        if self.measured is None:
            return
        least = float(self.measured.report.provenance["measure"]["smallest_um2"])
        macro_um2 = max(self.macro_um2, least)
        report = with_macro_cut(self.measured.report, macro_um2)
        regions = tuple(with_macro_cut(one, macro_um2) for one in self.measured.regions)
        self.measured = replace(self.measured, report=report, regions=regions)
        self.tabs.show_cut(self.measured, macro_um2)
        if self.droplets is not None:
            self.droplets.recolour(macro_um2)

    # Droplets in the view and in the table

    def _view_moved(self, _: Any = None) -> None:
        if self.circles.value and self.droplets is not None:
            self._moved()

    def show_circles(self, _: Any = None) -> None:
        """Circle the droplets in the view, if that is asked for."""
        if self.droplets is None:
            return
        if self.circles.value:
            self.tabs.say(self.droplets.show_circles(self.macro_um2))
        else:
            self.droplets.hide_circles()
            self.tabs.say("")

    def _row_chosen(self, droplet: int) -> None:
        if self.droplets is not None:
            self.droplets.light(droplet, go=True)
            self.tabs.mark(droplet)

    def choose_at(self, world: Any) -> None:
        """Choose the droplet at a point of the viewer's world, if there is one."""
        if self.droplets is None or (droplet := self.droplets.at(world)) is None:
            return
        self.tabs.choose(droplet)
        self.droplets.light(droplet, go=False)

    def _pressed(self, viewer: Any, event: Any) -> Any:
        """Tell a click on a droplet from a drag, and leave drawing and painting alone."""
        active = self.viewer.layers.selection.active
        if active is not None and active.mode != "pan_zoom":
            return
        where, moved = tuple(event.position), False
        yield
        while event.type == "mouse_move":
            moved = True
            yield
        if not moved:
            self.choose_at(where)

    # Layers and files

    def _shown(self) -> tuple[Report, Any] | None:
        if self.measured is None or self.labels.value is None:
            return None
        return self.measured.report, self.labels.value

    def _ask_save(self) -> None:
        name, kind = QFileDialog.getSaveFileName(
            self.native, "Save what was measured", "", ";;".join(KINDS)
        )
        if name:
            suffix = kind.partition("*")[2].rstrip(")") or ".csv"
            known = (".csv", ".geojson", ".geojson.gz", ".html", ".json", ".parquet")
            self.write(Path(name if name.lower().endswith(known) else name + suffix))

    def write(self, path: Path) -> None:
        """Write what was measured in the format of a suffix."""
        if (measured := self.measured) is not None:
            self.launch(
                lambda: saving(measured, path),
                then=self._say_saved,
                otherwise=self._layers_changed,
                anew=False,
            )

    def _say_saved(self, files: list[Path]) -> None:
        self.panel.say("Saved " + ", ".join(file.name for file in files) + ".")
        self._layers_changed()

    def _closed(self, _: Any = None) -> None:
        if self._pressed in self.viewer.mouse_drag_callbacks:
            self.viewer.mouse_drag_callbacks.remove(self._pressed)
        self.measured = self.droplets = None


def _is_fat(layer: napari.layers.Layer) -> bool:
    prediction = layer.metadata.get("prediction")
    return type(layer).__name__ == "Labels" and "fat" in getattr(prediction, "classes", ())
