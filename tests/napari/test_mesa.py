"""Python lives on where Mesa draws the window and something imports triton."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest

DRAWS = """
import faulthandler, sys
import napari
from napari_steatosis._napari.mesa import keep_triton_out
viewer = napari.Viewer(show=True)
viewer.add_image(__import__("numpy").zeros((64, 64)))
viewer.screenshot(canvas_only=True, flash=False)
kept = keep_triton_out()
import torch.optim, timm
print("kept" if kept else "no LLVM", "triton" in sys.modules)
viewer.close()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="Mesa is the drawing library of Linux")
@pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="triton is not there")
def test_importing_timm_after_mesa_does_not_end_python(qapp):
    pytest.importorskip("timm")
    done = subprocess.run([sys.executable, "-c", DRAWS], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[0] in {"kept", "no"}
