"""Every example in a docstring runs as written."""

from __future__ import annotations

import doctest
import pkgutil
from importlib import import_module
from pathlib import Path

import pytest

import napari_steatosis

MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(napari_steatosis.__path__, "napari_steatosis.")
    if not module.name.startswith("napari_steatosis._napari")
)


@pytest.mark.parametrize("name", ["napari_steatosis", *MODULES])
def test_examples_of_a_module(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    module = import_module(name)
    runner = doctest.DocTestRunner(verbose=False, optionflags=doctest.ELLIPSIS)
    report: list[str] = []
    for example in doctest.DocTestFinder().find(module, name):
        runner.run(example, out=report.append)
    assert runner.summarize(verbose=False).failed == 0, "".join(report)
