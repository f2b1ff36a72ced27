"""The form *Open slide*: what a file is, how it is to be opened, and its layers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from magicgui.widgets import CheckBox, Container, FloatSpinBox, LineEdit, PushButton
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QTextEdit, QWidget

from ..core.errors import SteatosisError
from .job import JobSlot, Outcome, Steps
from .panel import MIND, Rows, wrapped_label
from .scale import HINT, remember_or_warn

if TYPE_CHECKING:
    import napari

    from ..core.explanation import Explanation
    from ..core.slide import Slide

WIDTH_PX = 390
SWAPPED = "red and blue look swapped"
MIND_SWAPPED = (
    "Red and blue look swapped in this file. Tick 'Swap red and blue' if its nuclei look brown and "
    "its tissue violet."
)
PROMPT = "Choose a slide to see what it holds before it is opened."


class OpenSlideForm(Container):
    """Say what a slide holds, take what it does not know of itself, and open it.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        The window.
    """

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        super().__init__(labels=False)
        self.viewer = napari_viewer
        self.slide: Slide | None = None
        self._looking, self._opening = JobSlot(self.native), JobSlot(self.native)
        self._looked_at = ""
        self._unreadable: SteatosisError | None = None
        self._build()
        self._connect()
        self._show(None)

    def _build(self) -> None:
        self.path = LineEdit(label="Slide")
        self.file, self.folder = PushButton(text="File…"), PushButton(text="Folder…")
        self.pixel_size = FloatSpinBox(label="Pixel size (µm)", min=0, max=20, step=0.05)
        self.srgb = CheckBox(text="Convert colours to sRGB (ICC profile)")
        self.swap = CheckBox(text="Swap red and blue")
        self.associated = CheckBox(text="Label, macro and thumbnail")
        self.remember = CheckBox(text="Remember this pixel size")
        self.open = PushButton(text="Open")
        self.scale_source, self.status, self.mind = (wrapped_label() for _ in range(3))
        self.mind.setStyleSheet(MIND)
        self.mind.setText(MIND_SWAPPED)
        self.text = QTextEdit()
        self.text.setReadOnly(True)
        self._path_row, self._rows = Rows(), Rows()
        self._path_row.add(self.path)
        choosers = QWidget()
        across = QHBoxLayout(choosers)
        across.setContentsMargins(0, 0, 0, 0)
        for button in (self.file, self.folder):
            across.addWidget(button.native)
        self._rows.add(self.pixel_size, self.scale_source)
        boxes = (self.remember, self.srgb, self.swap, self.associated)
        layout = self.native.layout()
        for part in (self._path_row, choosers, self.text, self.mind, self._rows):
            layout.addWidget(part, int(part is self.text))
        for field in (*boxes, self.open):
            layout.addWidget(field.native)
        layout.addWidget(self.status)
        self.native.setMinimumWidth(WIDTH_PX)
        self._explain()

    def _explain(self) -> None:
        spin = self.pixel_size.native
        spin.setDecimals(4)
        spin.setSpecialValueText("unknown")
        self.path.native.setPlaceholderText("file, or folder of OME-Zarr, DICOM or tiles")
        self.text.setPlaceholderText(PROMPT)
        self.pixel_size.tooltip = f"Of the finest level; {HINT}"
        self.remember.tooltip = (
            "In a small file beside the slide, or among your own data where the folder is "
            "read-only. It then holds whenever the slide is opened."
        )
        self.srgb.tooltip = (
            "Apply the colour profile of the scanner. Models were trained without it; results "
            "say which was used."
        )
        self.swap.tooltip = "For files that were written with red in place of blue"
        self.associated.tooltip = (
            "Small images to the right of the slide. A label can name a patient"
        )

    def _connect(self) -> None:
        self.file.changed.connect(self._ask_file)
        self.folder.changed.connect(self._ask_folder)
        self.path.native.editingFinished.connect(self.look)
        self.pixel_size.changed.connect(self._size_changed)
        self.open.changed.connect(self.start)

    # What the path holds

    def _ask_file(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self.native, "A slide", self._beside())
        self.choose(name)

    def _ask_folder(self) -> None:
        self.choose(
            QFileDialog.getExistingDirectory(self.native, "Folder of a slide", self._beside())
        )

    def _beside(self) -> str:
        return str(Path(self.path.value).parent) if self.path.value else ""

    def choose(self, path: str | Path) -> None:
        """Put a path into the form and say what it holds."""
        if str(path):
            self.path.value = str(path)
            self.look()

    def look(self) -> None:
        """Say what the path holds, unless that is said already."""
        path = self.path.value.strip()
        if path == self._looked_at:
            return
        self._looked_at = path
        self._looking.abandon()
        self._show(None)
        if path:
            self.status.setText("Looking into it…")
            steps = looking(path)
            self._looking.start(steps, "Open slide", on_item=self._found, on_end=self._looked)

    def _found(self, found: Explanation) -> None:
        if self.slide is None:  # else these are its colours, and fields may be filled in already
            self._show(found.slide)
        self.text.setHtml(in_columns(found))
        order = found.channel_order
        self.mind.setVisible(order is not None and order.name == SWAPPED)

    def _looked(self, outcome: Outcome) -> None:
        self.status.setText("" if outcome.error is None else outcome.said)

    def _show(self, slide: Slide | None) -> None:
        """Fill the fields from a slide, or empty them."""
        self.slide = slide
        self.text.clear()
        self.mind.hide()
        self.status.setText("")
        for box in (self.srgb, self.swap, self.associated, self.remember):
            box.value = False
        self.pixel_size.value = self._stated()
        for field in (self.pixel_size, self.swap, self.open):
            field.enabled = slide is not None
        self.srgb.enabled = slide is not None and slide.profile is not None
        self.associated.enabled = slide is not None and bool(slide.associated)
        self._size_changed()

    def _stated(self) -> float:
        slide = self.slide
        return 0.0 if slide is None or slide.um_per_px is None else slide.um_per_px[0]

    def given_size(self) -> float | None:
        """Return the pixel size that the user typed in place of what the file states, um."""
        size = float(self.pixel_size.value)
        return None if size == 0 or abs(size - self._stated()) < 1e-4 else size

    def _size_changed(self, _: Any = None) -> None:
        given, stated = self.given_size(), self._stated()
        if self.slide is None:
            self.scale_source.setText("")
        elif given is None:
            self.scale_source.setText("as stated above" if stated else f"({HINT})")
        else:
            self.scale_source.setText("given here" + f", in place of {stated:.4g}" * bool(stated))
        self.remember.enabled = given is not None
        if given is None:
            self.remember.value = False

    # Opening

    @property
    def is_running(self) -> bool:
        """Whether a path is looked into or a slide is opened."""
        return self._looking.is_taken or self._opening.is_taken

    def start(self) -> None:
        """Open the slide as the fields say."""
        if self.slide is None or self._opening.is_taken:
            return
        asked = {
            "um_per_px": self.given_size(),
            "srgb": bool(self.srgb.value),
            "swap_red_blue": bool(self.swap.value),
        }
        self._unreadable = None
        self.open.enabled = False
        self.status.setText("Opening…")
        steps = opening(self._looked_at, asked, with_associated=bool(self.associated.value))
        self._opening.start(steps, "Open slide", on_item=self._add, on_end=self._opened)

    def _add(self, opened: tuple[list[Any], list[Any]]) -> None:
        from napari.layers import Layer

        try:  # napari reads the overview now
            slide, beside = ([Layer.create(*layer) for layer in layers] for layers in opened)
        except SteatosisError as error:
            self._unreadable = error
            return
        for layer in slide:
            self.viewer.add_layer(layer)
        for layer in beside:  # under the slide, so that the slide stays the one that is chosen
            self.viewer.layers.insert(0, layer)
        self.viewer.layers.selection.active = slide[0]
        if beside:
            self.viewer.reset_view()

    def _opened(self, outcome: Outcome) -> None:
        from napari.utils.notifications import show_error

        self.open.enabled = self.slide is not None
        if self._unreadable is not None:
            outcome = Outcome("failed", self._unreadable)
        if outcome.error is not None:
            self.status.setText(outcome.said)
            show_error(outcome.said)
            return
        self.status.setText("Opened.")
        if self.remember.value and (size := self.given_size()) is not None:
            remember_or_warn(self.slide, size)


def looking(path: str) -> Steps:
    """Return the steps that say what a path holds: first its header, then its colours."""

    def steps(should_stop: Callable[[], bool]) -> Iterator[Explanation]:
        from ..io import explain_open as explain_header
        from ..pipelines.opening import explain_open

        found = explain_header(path)
        yield found
        if found.slide is not None and not should_stop():
            yield explain_open(path)

    return steps


def opening(path: str, asked: dict[str, Any], *, with_associated: bool) -> Steps:
    """Return the steps that open a slide; they yield its layers, and those beside it."""

    def steps(should_stop: Callable[[], bool]) -> Iterator[tuple[list[Any], list[Any]]]:
        from ..io import open_slide
        from .associated import associated_layers
        from .files import slide_layers

        slide = open_slide(path, **asked)
        yield slide_layers(slide), associated_layers(slide) if with_associated else []

    return steps


def in_columns(found: Explanation) -> str:
    """Return an explanation as HTML, what the slide holds in two columns."""
    rows = [
        f"<tr><td><b>{escape(name)}</b></td><td>{escape(value)}</td></tr>"
        for name, value in found.rows()
    ]
    said = [
        f"<div{INDENTED * line.startswith(' ')}>{escape(line.strip())}</div>"
        for line in found.readers_said()
    ]
    table = f"<table>{''.join(rows)}</table>" if rows else ""
    return f"<div>{escape(found.headline)}</div>{table}{''.join(said)}"


INDENTED = " style='margin-left: 8px'"
