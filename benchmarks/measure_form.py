"""The form *Measure* with a million droplets: seconds of the window per action.

    xvfb-run -a -s "-screen 0 1600x1000x24" python benchmarks/measure_form.py --droplets 1000000

The class map is the block of drawn discs of `geojson_million.py`, repeated and made where it is
read; `measure` makes a real report of it. Then the form is used as a person does: each action is
timed from the click until its events are through, which draws the table, the histogram and the
canvas. Several rounds; the median and the slowest are printed, by the clock and, for a busy
machine, the median by processor time. Before the first click the window rests for two seconds, and
the longest that it was held up in between is printed. Last the table is exported, and used
meanwhile.
"""

from __future__ import annotations

import argparse
import os
import pickle
import statistics
import tempfile
import time
from pathlib import Path

os.environ["NAPARI_CONFIG"] = ""

import numpy as np
from geojson_million import Repeated, report_of

ROUNDS = 7
REST_S = 2.0


class Seen(Repeated):
    """The same class map with what napari asks of an array."""

    ndim, dtype = 2, np.dtype(np.uint8)

    @property
    def size(self):
        return self.shape[0] * self.shape[1]

    def __array__(self, dtype=None, copy=None):
        return self[:, :].astype(dtype or self.dtype, copy=False)


def seen(report):
    from dataclasses import replace

    levels = report.prediction.levels
    made = [Seen(one.block, *(n // len(one.block) for n in one.full), one.stride) for one in levels]
    return replace(report, prediction=replace(report.prediction, levels=made))


def actions(viewer, form):
    """Name to what a person does; called with the number of the round."""
    from qtpy.QtCore import QPoint, Qt
    from qtpy.QtTest import QTest

    table, random = form.tabs.droplets, np.random.default_rng(1)
    down, up = Qt.SortOrder.DescendingOrder, Qt.SortOrder.AscendingOrder
    left = Qt.MouseButton.LeftButton

    def heading(column):
        header = table.horizontalHeader()
        place = header.sectionViewportPosition(column) + header.sectionSize(column) // 2
        QTest.mouseClick(header.viewport(), left, pos=QPoint(place, header.height() // 2))

    def row():
        place = QPoint(80, int(random.integers(20, table.viewport().height() - 20)))
        QTest.mouseClick(table.viewport(), left, pos=place)

    def scroll():
        bar = table.verticalScrollBar()
        bar.setValue(int(random.integers(0, bar.maximum())))

    def canvas():
        droplets = form.droplets
        centre = droplets.centres[random.integers(len(droplets.centres))]
        form.choose_at(droplets.world_of(centre))

    def drag():
        plot = form.tabs.histogram
        place = QPoint(int(random.integers(20, plot.width() - 20)), plot.height() // 2)
        QTest.mouseClick(plot, left, pos=place)

    def zoom(factor):
        viewer.scene.camera.zoom *= factor
        form.show_circles()

    return {
        "sort by diameter, first time": lambda k: k or heading(1),
        "sort by a column": lambda k: table.sortByColumn((k % 5) + 1, (down, up)[k % 2]),
        "scroll to somewhere": lambda k: scroll(),
        "nothing but the canvas redrawn": lambda k: viewer.layers[0].refresh(),
        "row clicked, first: go, light up": lambda k: k or row(),
        "row clicked: go there, light up": lambda k: row(),
        "droplet clicked in the view": lambda k: canvas(),
        "circles asked for, first": lambda k: setattr(form.circles, "value", True),
        "cut moved, circles on": lambda k: drag(),
        "view zoomed, circles anew": lambda k: zoom((0.25, 4)[k % 2]),
    }


def rested(app):
    """Leave the window alone; return the longest that it was busy at a stretch, s of processor."""
    longest, end = 0.0, time.perf_counter() + REST_S
    while time.perf_counter() < end:
        time.sleep(0.01)
        began = time.process_time()
        app.processEvents()
        longest = max(longest, time.process_time() - began)
    return longest


def use(viewer, form, drawn):
    """Act, and print how long each action takes."""

    def timed(name, act, rounds=ROUNDS):
        taken = []
        for k in range(rounds):
            began, processor = time.perf_counter(), time.process_time()
            act(k)
            drawn()
            taken.append((time.perf_counter() - began, time.process_time() - processor))
        clock, own = zip(*taken, strict=True)
        print(f"{name:38s} {statistics.median(clock):.3f} s, slowest {max(clock):.3f} s; "
              f"processor {statistics.median(own):.3f} s", flush=True)  # fmt: skip

    known = actions(viewer, form)
    for name, act in known.items():
        timed(name, act, 1 if "first" in name else ROUNDS)
    with tempfile.TemporaryDirectory() as folder:
        timed("export to CSV started", lambda k: form.write(Path(folder) / "a.csv"), 1)
        timed("row clicked while it is written", known["row clicked: go there, light up"])
        timed("sorted while it is written", known["sort by a column"])
        print(f"the export {'goes on' if form.is_running else 'has ended'}")
        while form.is_running:
            drawn()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--droplets", type=int, default=1_000_000)
    parser.add_argument("--report", type=Path, default=None, help="keep the report here")
    given = parser.parse_args()
    began = time.perf_counter()
    if given.report and given.report.exists():
        report = pickle.loads(given.report.read_bytes())
    else:
        report = report_of(given.droplets)
        if given.report:
            given.report.write_bytes(pickle.dumps(report))
    report = seen(report)
    print(f"{len(report.tables['droplets']['id'])} droplets, class map {report.prediction.shape}, "
          f"report in {time.perf_counter() - began:.0f} s")  # fmt: skip

    from napari.layers import Layer
    from qtpy.QtWidgets import QApplication

    import napari
    from napari_steatosis._napari.layers import prediction_layer

    viewer = napari.Viewer(show=True)
    viewer.window.resize(1600, 1000)
    _, form = viewer.window.add_plugin_dock_widget("napari-steatosis", "Measure")
    app = QApplication.instance()

    def drawn():
        app.processEvents()
        app.processEvents()

    data, options, kind = prediction_layer(report.prediction)
    layer = viewer.add_layer(Layer.create(data, options, kind))
    drawn()
    form.tabs.setCurrentIndex(1)
    began = time.perf_counter()
    layer.metadata = {"prediction": report.prediction, "report": report}
    drawn()
    print(f"{'report shown':38s} {time.perf_counter() - began:.3f} s")
    print(f"{'held up longest while it rests':38s} {rested(app):.3f} s")

    use(viewer, form, drawn)
    viewer.close()


if __name__ == "__main__":
    main()
