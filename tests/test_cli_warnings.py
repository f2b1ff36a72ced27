"""The shell says what is worse than it need be, in a sentence, and goes on."""

from __future__ import annotations

import sys
import warnings

import pytest

import napari_steatosis as st
from napari_steatosis.cli import main
from napari_steatosis.cli._say import show_warning
from napari_steatosis.core.errors import SteatosisWarning
from napari_steatosis.models._gpus import Machine


def test_a_gpu_that_is_not_used_is_said_once_for_all_slides(tmp_path, monkeypatch, capsys):
    machine = Machine("PyTorch 2.9.0+cpu", nvidia=("NVIDIA GeForce RTX 5090",))
    monkeypatch.setattr("napari_steatosis.models._device.this_machine", lambda: machine)
    slide = str(tmp_path / "liver.ome.zarr")
    st.write(st.drawn_liver(384, 384, seed=1, glass=False), slide)
    command = ["napari-steatosis", "analyse", slide, "--out", str(tmp_path / "out")]
    monkeypatch.setattr(sys, "argv", command)
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        with pytest.raises(SystemExit) as ended:
            main()
    assert not ended.value.code
    said = " ".join(capsys.readouterr().err.split())
    assert said.count("Warning: The GPU is not used. NVIDIA GeForce RTX 5090: PyTorch") == 1
    assert "without CUDA" in said
    assert "RuntimeWarning" not in said
    stored = st.open_results(tmp_path / "out" / "liver.zarr")
    assert "the GPU here cannot be used" in stored.provenance["model"]["computed_on"]


def test_warnings_of_others_stay_as_they_are(capsys):
    with pytest.warns(DeprecationWarning, match="old name"):
        show_warning(DeprecationWarning("old name"), DeprecationWarning, "file.py", 7)
    show_warning(SteatosisWarning("mend it"), SteatosisWarning, "file.py", 7)
    assert capsys.readouterr().err == "Warning: mend it\n"
