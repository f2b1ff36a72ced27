"""What is loaded beside the window while the user fills in the form."""

from __future__ import annotations

import logging
import threading

from ..core.errors import SteatosisError
from .layers import prediction_layer

log = logging.getLogger(__name__)

SIDE_PX = 128


def start_warm_up() -> threading.Thread:
    """Start `warm_up` beside the window, from the GUI thread.

    The units of napari's layers load on first use; in two threads at once that fails.
    """
    import pint

    pint.get_application_registry().Unit("pixel")
    thread = threading.Thread(target=warm_up, name="warm-up", daemon=True)
    thread.start()
    return thread


def warm_up() -> None:
    """Analyse a few drawn cells, so that the first run starts at once.

    It imports what a run needs; importing on the GUI thread would hold the window up.
    """
    from napari.layers import Layer

    from ..imaging import drawn_liver
    from ..pipelines.analyse import analyse

    try:
        report = analyse(drawn_liver(SIDE_PX, SIDE_PX))
    except SteatosisError as error:
        log.info("The default model was not loaded ahead: %s", error)
        return
    Layer.create(*prediction_layer(report.prediction))  # compiles napari's colouring of labels
