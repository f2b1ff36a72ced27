"""How long a user waits for the first labels on screen, in a real window.

    python benchmarks/first_labels.py --sample small large

Without a screen: ``xvfb-run -a -s "-screen 0 1600x1000x24"`` before it.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from typing import Any

os.environ["NAPARI_CONFIG"] = ""  # leaves the settings of whoever runs this alone
os.environ.setdefault("NAPARI_TIPS", "0")

import numpy as np

SAMPLES = {"small": "liver_small", "large": "liver_large"}


class Heart:
    """Beats on the GUI thread; the longest pause is how long the window stood still."""

    def __init__(self) -> None:
        from qtpy.QtCore import QTimer

        self.worst, self._last = 0.0, time.perf_counter()
        self._timer = QTimer()
        self._timer.timeout.connect(self._beat)
        self._timer.start(10)

    def _beat(self) -> None:
        now = time.perf_counter()
        self.worst, self._last = max(self.worst, now - self._last), now

    def restart(self) -> None:
        """Forget what was."""
        self.worst, self._last = 0.0, time.perf_counter()


def fat_on_screen(viewer: Any) -> bool:
    """Say whether the canvas shows the colour of fat, which no H&E slide holds."""
    red, green, blue = np.moveaxis(viewer.screenshot(flash=False)[..., :3].astype(int), -1, 0)
    return np.count_nonzero((blue - red > 60) & (green - red > 40)) > 20


def wait(ms: int) -> None:
    """Let the window live as napari does: asleep until an event comes.

    vispy replaces ``QTest.qWait`` by a loop that never sleeps and takes the interpreter from
    the thread that works.
    """
    from qtpy.QtCore import QEventLoop, QTimer

    loop = QEventLoop()
    QTimer.singleShot(ms, loop.quit)
    loop.exec()


def wait_until(true: Any, seconds: float = 600.0) -> float:
    """Wait until something is so; return the time."""
    end = time.perf_counter() + seconds
    while not true():
        if time.perf_counter() > end:
            raise TimeoutError("waited too long for the window")
        wait(10)
    return time.perf_counter()


def measure(sample: str) -> dict[str, Any]:
    """Open a sample, click Run, and return the times, s."""
    from qtpy.QtCore import Qt
    from qtpy.QtTest import QTest

    import napari

    viewer = napari.Viewer()
    viewer.window.resize(1600, 1000)
    began = time.perf_counter()
    viewer.open_sample("napari-steatosis", SAMPLES[sample])
    opened = time.perf_counter()
    _, form = viewer.window.add_plugin_dock_widget("napari-steatosis", "Analyse slide")
    warm = wait_until(lambda: not form.warming.is_alive())
    wait(500)
    heart = Heart()
    load = os.getloadavg()[0]
    heart.restart()
    click, used = time.perf_counter(), time.process_time()
    QTest.mouseClick(form.run.native, Qt.MouseButton.LeftButton)
    known = wait_until(lambda: form.labels is not None)
    wait_until(lambda: form.tiles_done > 0)
    shown = wait_until(lambda: fat_on_screen(viewer))
    used = time.process_time() - used
    times = {"click_to_labels_layer": known - click, "click_to_first_labels": shown - click}
    worst = heart.worst
    heart.restart()
    stopping = time.perf_counter()
    form.stop()
    times["cancel"] = wait_until(lambda: not form.is_running) - stopping
    viewer.close()
    return {
        "sample": sample,
        "open_sample": round(opened - began, 2),
        "form_ready": round(warm - opened, 2),
        **{name: round(value, 2) for name, value in times.items()},
        "cpu_to_first_labels": round(used, 2),
        "worst_stall": round(worst, 2),
        "load_average_before": round(load, 1),
        "processors": os.cpu_count(),
    }


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("--sample", choices=SAMPLES, nargs="*", default=list(SAMPLES))
    given = asked.parse_args()
    for sample in given.sample:
        print(json.dumps(measure(sample)), flush=True)


if __name__ == "__main__":
    main()
