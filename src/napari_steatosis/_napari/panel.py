"""The two halves of the form: rows of fields; how far the run is, flags and numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QComboBox,
    QFormLayout,
    QGridLayout,
    QLabel,
    QProgressBar,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from ..core.duration import duration
from .results import ResultTable, number

if TYPE_CHECKING:
    from magicgui.widgets import Widget

    from ..core.report import Report
    from ..pipelines.estimate import Estimate
    from ..pipelines.segment import Progress

MOST_ACROSS = 3
SHORTEST = 12
"""Letters of a chooser that stay readable in a narrow dock."""

MIND = "background: #7a5b00; color: white; border-radius: 3px; padding: 6px;"


class Rows(QWidget):
    """Fields under each other, their labels in one column."""

    def __init__(self) -> None:
        super().__init__()
        self._layout = QFormLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self._rows: dict[int, QWidget] = {}

    def add(self, field: Widget, under: QWidget | None = None) -> None:
        """Add a field behind its label, with something under it."""
        row = field.native
        if isinstance(row, QComboBox):  # the name of a layer may be as long as it likes
            row.setSizeAdjustPolicy(
                QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
            )
            row.setMinimumContentsLength(SHORTEST)
        if under is not None:
            row = QWidget()
            down = QVBoxLayout(row)
            down.setContentsMargins(0, 0, 0, 0)
            down.setSpacing(2)
            down.addWidget(field.native)
            down.addWidget(under)
        self._rows[id(field)] = row
        self._layout.addRow("" if field.label == field.name else field.label, row)

    def set_visible(self, field: Widget, visible: bool) -> None:
        """Show or hide a field with its label."""
        row = self._rows[id(field)]
        row.setVisible(visible)
        self._layout.labelForField(row).setVisible(visible)


class Panel(QWidget):
    """Bar, status line, flags and result table.

    Parameters
    ----------
    with_table : bool
        Whether there is a table; without one it takes no more height than its lines need.
    """

    def __init__(self, *, with_table: bool = True) -> None:
        super().__init__()
        self._stage = ""
        self.bar = QProgressBar()
        self.bar.setTextVisible(True)
        self.plan = wrapped_label()
        self.plan.hide()
        self.status = wrapped_label()
        self.flags = wrapped_label()
        self.flags.setStyleSheet(MIND)
        self.flags.hide()
        self.table = ResultTable()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for widget in (self.plan, self.bar, self.status, self.flags):
            layout.addWidget(widget)
        layout.addWidget(self.table, 1)
        if not with_table:
            self.table.hide()
            self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        self.end()

    def begin(self, *, anew: bool = True) -> None:
        """Show that a run has begun; `anew`, what the last one left is cleared."""
        if anew:
            self.table.show_report(None)
            self.flags.hide()
            self.plan.hide()
        self.bar.setRange(0, 1)  # an animated bar would have the whole canvas drawn all the time
        self.bar.setValue(0)

    def end(self) -> None:
        """Show that nothing runs."""
        self.bar.setRange(0, 1)
        self.bar.reset()

    def begin_stage(self, text: str) -> None:
        """Show that a step without tiles has begun."""
        self._stage = text
        self.say(f"{text}…")

    def show_step(self, item: Any) -> float | None:
        """Show an item of a job that says how far it is; return how far, None for other items."""
        from ..pipelines._events import Share, Stage

        if isinstance(item, Stage):
            self.begin_stage(item.text)
            return 0.0
        if not isinstance(item, float | Share):
            return None
        share = item if isinstance(item, float) else item.done
        self.show_share(share)
        return share

    def show_share(self, done: float) -> None:
        """Show how far that step is."""
        self.bar.setRange(0, 100)
        self.bar.setValue(int(100 * done))
        self.say(f"{self._stage}… {100 * done:.0f} %")

    def show_estimate(self, ahead: Estimate) -> None:
        """Show what the run will do, on what, and about how long it will take."""
        parts = [f"{ahead.tiles} tiles"]
        if ahead.tissue_mm2 is not None:
            parts.append(f"{number(ahead.tissue_mm2)} mm² of tissue")
        parts += [f"{number(ahead.mpx)} Mpx", f"about {duration(ahead.seconds)}"]
        lines = [" · ".join(parts)]
        if ahead.compute:
            lines.append(f"Computed on {ahead.compute}")
        self.plan.setText("\n".join(lines))
        self.plan.show()
        if ahead.warning:
            self.warn(ahead.warning)

    def say(self, text: str) -> None:
        """Show a status line."""
        self.status.setText(text)

    def warn(self, text: str) -> None:
        """Show a text that must not be overlooked."""
        self.flags.setText(text)
        self.flags.show()

    def complain(self, text: str) -> None:
        """Show what went wrong, here and in napari's notifications."""
        from napari.utils.notifications import show_error

        self.warn(text)
        show_error(text)

    def show_progress(self, progress: Progress) -> None:
        """Show how far the run is and how long it takes."""
        self.bar.setRange(0, progress.total)
        self.bar.setValue(progress.done)
        parts = [f"Tile {progress.done} of {progress.total}", f"{progress.mpx_per_s:.2f} Mpx/s"]
        parts.append(f"{duration(progress.seconds)} so far")
        if progress.done < progress.total:
            parts.append(f"{duration(progress.seconds_left)} left")
        self.say(" · ".join(parts))

    def show_report(self, report: Report) -> None:
        """Show the numbers, and first what must be known before using them."""
        self.show_flags(report)
        self.table.show_report(report)

    def show_flags(self, report: Report) -> None:
        """Show what must be known before using the numbers."""
        from ..io.write_report import printed

        if report.flags:
            self.warn("\n".join(f"• {printed(flag)}" for flag in report.flags))


def across(*buttons: Widget) -> QWidget:
    """Return buttons beside each other, in as many rows as a narrow dock needs."""
    block = QWidget()
    grid = QGridLayout(block)
    grid.setContentsMargins(0, 0, 0, 0)
    for place, button in enumerate(buttons):
        grid.addWidget(button.native, *divmod(place, MOST_ACROSS))
    return block


def wrapped_label() -> QLabel:
    """Return an empty label that breaks its lines and can be copied from."""
    label = QLabel()
    label.setWordWrap(True)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return label
