"""A run of `segment` in a process of its own, which a test then kills."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from brightness_model import BrightnessModel
from napari_steatosis.core.errors import SteatosisError
from napari_steatosis.io import open_slide
from napari_steatosis.pipelines.segment import segment


def main(slide: str, store: str, options: dict[str, Any]) -> int:
    """Say when the run begins, and after each tile; 1 is the code of an error of ours."""
    print("begins", flush=True)
    try:
        segment(
            open_slide(slide),
            BrightnessModel(),
            store=store,
            on_progress=lambda progress: print(progress.done, flush=True),
            **options,
        )
    except SteatosisError as error:
        print(type(error).__name__, error, flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], json.loads(sys.argv[3])))
