"""How long a user waits for the first labels on screen, in a real window.

    python benchmarks/first_labels.py --sample small large --rounds 3

Without a screen: ``xvfb-run -a -s "-screen 0 1600x1000x24"`` before it. The times are medians of
the rounds; the stalls are the worst of all rounds. A stall is the longest time between two beats
of the window's own clock; beside it stands how much of that the window itself computed, which
does not depend on what else the machine does. ``--pictures FOLDER`` keeps screenshots.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from statistics import median
from typing import Any

os.environ["NAPARI_CONFIG"] = ""  # leaves the settings of whoever runs this alone
os.environ.setdefault("NAPARI_TIPS", "0")

import numpy as np
import psutil

SAMPLES = {"small": "liver_small", "large": "liver_large"}

PAN_S = 2.0
"""How long the view is moved while the run goes on, s."""


class Heart:
    """Beats on the GUI thread; the longest pause is how long the window stood still."""

    def __init__(self) -> None:
        from qtpy.QtCore import QTimer

        self.restart()
        self._timer = QTimer()
        self._timer.timeout.connect(self._beat)
        self._timer.start(10)

    def _beat(self) -> None:
        now, used = time.perf_counter(), time.thread_time()
        self.worst = max(self.worst, now - self._last)
        self.worst_own = max(self.worst_own, used - self._used)
        self._last, self._used = now, used

    def restart(self) -> None:
        """Forget what was."""
        self.worst = self.worst_own = 0.0
        self.skip()

    def skip(self) -> None:
        """Leave out what the measurement itself has just done."""
        self._last, self._used = time.perf_counter(), time.thread_time()


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


def pan(viewer: Any, seconds: float) -> None:
    """Move the view a little ten times a second, as a hand does."""
    camera = viewer.scene.camera
    home, angle = camera.center, 0.0
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        angle += 0.3
        reach = 0.1 * min(viewer.canvas.size) / camera.zoom
        camera.center = (0, home[1] + reach * np.sin(angle), home[2] + reach * np.cos(angle))
        wait(100)
    camera.center = home


def resident_mb() -> float:
    """Return the memory of this process, MB."""
    return float(psutil.Process().memory_info().rss / 1e6)


def measure(sample: str, pictures: Path | None = None) -> dict[str, Any]:
    """Open a sample, click Run, and return the times, s, and the memory, MB."""
    from qtpy.QtCore import Qt
    from qtpy.QtTest import QTest

    import napari

    def picture(name: str) -> None:
        if pictures is not None:
            pictures.mkdir(parents=True, exist_ok=True)
            viewer.screenshot(pictures / f"{sample}-{name}.png", canvas_only=False, flash=False)
            heart.skip()

    viewer = napari.Viewer()
    viewer.window.resize(1600, 1000)
    viewer.open_sample("napari-steatosis", SAMPLES[sample])
    opened = time.perf_counter()
    _, form = viewer.window.add_plugin_dock_widget("napari-steatosis", "Analyse slide")
    warm = wait_until(lambda: not form.warming.is_alive())
    wait(500)
    before_mb, load, heart = resident_mb(), os.getloadavg()[0], Heart()
    click, used = time.perf_counter(), time.process_time()
    QTest.mouseClick(form.run.native, Qt.MouseButton.LeftButton)
    known = wait_until(lambda: form.labels is not None)
    wait_until(lambda: form.tiles_done > 0)
    stalls = {"to_first_tile": (heart.worst, heart.worst_own)}
    shown = wait_until(lambda: fat_on_screen(viewer))
    used = time.process_time() - used
    picture("first-labels")
    heart.restart()
    pan(viewer, PAN_S)
    stalls["panning"] = (heart.worst, heart.worst_own)
    picture("panned")
    running = form.is_running
    heart.restart()
    stopping = time.perf_counter()
    form.stop()
    stopped = wait_until(lambda: not form.is_running)
    stalls["cancel"] = (heart.worst, heart.worst_own)
    wait(500)
    picture("end")
    after_mb = resident_mb()
    viewer.close()
    return {
        "form_ready": warm - opened,
        "click_to_labels_layer": known - click,
        "click_to_first_labels": shown - click,
        "cpu_to_first_labels": used,
        **({"cancel": stopped - stopping} if running else {}),
        **{f"stall_{name}": worst for name, (worst, _) in stalls.items()},
        **{f"stall_{name}_own": own for name, (_, own) in stalls.items()},
        "mb_before": before_mb,
        "mb_after": after_mb,
        "load_average_before": load,
    }


def summary(sample: str, rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the median of each figure over the rounds; of stalls the worst."""
    names = list(dict.fromkeys(name for one in rounds for name in one))
    values = {name: [one[name] for one in rounds if name in one] for name in names}
    chosen = {
        name: max(found) if name.startswith("stall") else median(found)
        for name, found in values.items()
    }
    figures = {name: round(value, 2) for name, value in chosen.items()}
    return {"sample": sample, "rounds": len(rounds), **figures, "processors": os.cpu_count()}


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("--sample", choices=SAMPLES, nargs="*", default=list(SAMPLES))
    asked.add_argument("--rounds", type=int, default=1)
    asked.add_argument("--pictures", type=Path)
    given = asked.parse_args()
    for sample in given.sample:
        rounds = [measure(sample, given.pictures) for _ in range(given.rounds)]
        print(json.dumps(summary(sample, rounds)), flush=True)


if __name__ == "__main__":
    main()
