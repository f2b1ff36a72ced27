"""The form *Classify slide*: as *Analyse slide*, with a classifier that looks through a window."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from magicgui.widgets import FileEdit

from ..core.errors import BadValueError
from .analyse import AnalyseForm
from .count_field import count_field
from .probability_layers import probabilities_over

if TYPE_CHECKING:
    import napari.layers

    from ..core.report import Report
    from ..pipelines.analyse import Began, Event, Request
    from ..pipelines.classify import Stepping

MOST_PX = 100_000


class ClassifyForm(AnalyseForm):
    """Classify a slide, while class map and probabilities fill on screen.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        The window.
    """

    title = "Classify slide"

    def _model_field(self) -> Any:
        return FileEdit(label="Classifier", mode="d", nullable=True, value=None)

    def _own_fields(self) -> tuple[Any, ...]:
        self.probabilities: list[napari.layers.Image] = []
        self.step = count_field("Step (px)", most=MOST_PX, usual="side of the window")
        return (self.step,)

    def _explain(self) -> None:
        super()._explain()
        self.model.choose_btn.text = "Choose…"
        self.model.line_edit.native.setPlaceholderText("folder of the model")
        self.model.tooltip = "Folder of a classifier: of this program, or a WSInfer model"
        self.step.tooltip = (
            "How far the window moves, in px of the model's resolution: the side of a pixel of the "
            "result. Steps smaller than the window make it finer and take longer: half of it, four "
            "times as long."
        )
        self.exclude.tooltip = "Shapes to leave out"
        self.folder.tooltip = (
            "Gets class map and probabilities as OME-Zarr and the numbers as tables; a run that "
            "was stopped goes on there. Without a folder the result is gone when napari closes: "
            "use Save tables."
        )
        self.save.text = "Save tables…"
        self.save.tooltip = "CSV and JSON into a folder"

    def request(self) -> Request:
        """Return what the fields ask for.

        Raises
        ------
        SteatosisError
            Where something is missing, with what to do about it.
        """
        request = super().request()
        if self.model.value is None or not str(self.model.line_edit.value).strip():
            raise BadValueError(
                "There is no classifier. Choose the folder of one under 'Classifier': one that "
                "was saved by this program, or a WSInfer model."
            )
        return replace(request, model=str(self.model.value))

    def stepping(self) -> Stepping:
        """Return how the window is to move."""
        from ..pipelines.classify import Stepping

        return Stepping(step_px=int(self.step.value) or None)

    def _beginning(self, request: Request) -> Callable[..., Iterator[Event]]:
        stepping, self.probabilities = self.stepping(), []

        def begin(**options: Any) -> Iterator[Event]:
            from ..pipelines.classify import classification_steps

            return classification_steps(request, stepping, **options)

        return begin

    def _kinds(self) -> tuple[Any, ...]:
        return ()

    def _findings(self) -> tuple[Any, ...]:
        return ()

    def _maps(self) -> tuple[Any, ...]:
        return ()

    def _writer(self) -> Callable[..., Iterator[Event]]:
        return self._writing

    @staticmethod
    def _writing(report: Report, folder: str | Path, *, overwrite: bool) -> Iterator[Event]:
        """Write the numbers as CSV and JSON, in the place of earlier ones; runs in the worker."""
        from ..pipelines.analyse import Stage
        from ..pipelines.classify import write_tables

        yield Stage("Writing the tables")
        write_tables(report, folder)

    def _add_labels(self, event: Began) -> None:
        from napari.layers import Layer

        frame = event.plan.slide.frame()
        for data in probabilities_over(event.prediction, self._image, frame):
            layer = self.viewer.add_layer(Layer.create(*data))
            layer.name = f"{layer.name} · {self._image.name}"
            self.probabilities.append(layer)
        super()._add_labels(event)

    def _drop_empty_labels(self) -> None:
        if not self.tiles_done:
            for layer in self._images_alive():
                self.viewer.layers.remove(layer)
        super()._drop_empty_labels()

    def _images_alive(self) -> list[Any]:
        return [layer for layer in self.probabilities if layer in self.viewer.layers]

    def _refresh(self) -> None:
        super()._refresh()
        for layer in self._images_alive():
            layer.refresh(extent=False, highlight=False)

    def _analysed(self, report: Report) -> None:
        super()._analysed(report)
        for layer in self._images_alive():
            layer.metadata = {**layer.metadata, "prediction": report.prediction}
