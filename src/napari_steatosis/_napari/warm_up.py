"""What is loaded beside the window while the user fills in the form."""

from __future__ import annotations

import logging

from ..core.errors import SteatosisError
from .layers import prediction_layer

log = logging.getLogger(__name__)

SIDE_PX = 128


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
