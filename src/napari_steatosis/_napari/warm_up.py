"""What is loaded beside the window while the user fills in the form."""

from __future__ import annotations

import logging
import threading

from ..core.errors import SteatosisError
from .layers import prediction_layer

log = logging.getLogger(__name__)

SIDE_PX = 128


_threads: list[threading.Thread] = []


def start_warm_up() -> threading.Thread:
    """Start `warm_up` beside the window, from the GUI thread; once in a process.

    The units of napari's layers load on first use; in two threads at once that fails.
    """
    import pint

    if not _threads:
        pint.get_application_registry().Unit("pixel")
        _threads.append(threading.Thread(target=warm_up, name="warm-up", daemon=True))
        _threads[0].start()
    return _threads[0]


def wait_for_warm_up(stop: threading.Event) -> None:
    """Wait, in another thread, until it is over: torch cannot prepare two models at a time."""
    while any(thread.is_alive() for thread in _threads) and not stop.wait(0.02):
        pass


def warm_up() -> None:
    """Analyse a few drawn cells, so that the first run starts at once.

    It imports what a run needs, which would hold the window up on the GUI thread, prepares
    what napari prepares for its first labels, and measures the pace of the default model.
    """
    from napari.layers import Layer
    from vispy.visuals.line.dash_atlas import DashAtlas

    from ..imaging import drawn_liver
    from ..models import load_model
    from ..pipelines.analyse import DEFAULT_MODEL, analyse
    from ..pipelines.estimate import network_px_per_s

    DashAtlas()  # for a line that each labels layer brings; its patterns are kept
    try:
        model = load_model(DEFAULT_MODEL)
        report = analyse(drawn_liver(SIDE_PX, SIDE_PX), model=model)
        network_px_per_s(model)
    except SteatosisError as error:
        log.info("The default model was not loaded ahead: %s", error)
        return
    Layer.create(*prediction_layer(report.prediction))  # compiles napari's colouring of labels
