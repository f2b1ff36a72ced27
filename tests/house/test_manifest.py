"""The manifest is what napari reads: its menus exist, and reading it costs nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from napari._app_model.constants._menus import is_menu_contributable
from npe2 import PluginManager, PluginManifest

NAME = "napari-steatosis"
HEAVY = {"torch", "zarr", "dask", "tifffile", "openslide", "scipy", "skimage", "pandas"}


@pytest.fixture(scope="module")
def manifest() -> PluginManifest:
    return PluginManifest.from_distribution(NAME)


def loaded_after(code: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_every_command_can_be_imported(manifest: PluginManifest) -> None:
    manifest.validate_imports()


def test_menus_are_known_to_napari_and_name_our_commands(manifest: PluginManifest) -> None:
    given = manifest.contributions
    known = {c.id for c in given.commands or ()} | {s.id for s in given.submenus or ()}
    menus: dict[str, list[Any]] = given.menus or {}
    assert menus
    for menu, items in menus.items():
        assert not menu.startswith("napari/") or is_menu_contributable(menu), menu
        for item in items:
            assert (getattr(item, "command", None) or item.submenu) in known


def test_every_command_is_contributed_somewhere(manifest: PluginManifest) -> None:
    given = manifest.contributions
    kinds = (given.readers, given.writers, given.widgets, given.sample_data, *given.menus.values())
    used = {item.command for items in kinds for item in items}
    assert used == {command.id for command in given.commands}


def test_one_dock_whichever_way_it_is_opened(manifest: PluginManifest) -> None:
    # napari names a dock by the display name from the menu and by the package from scripts.
    assert manifest.display_name == manifest.name == NAME


def test_patterns_cover_the_formats(manifest: PluginManifest) -> None:
    (reader,) = manifest.contributions.readers
    assert reader.accepts_directories
    wanted = ("svs", "ndpi", "mrxs", "scn", "bif", "dcm", "tif", "tiff", "zarr", "png", "jpg")
    annotations = ("geojson", "geojson.gz")
    assert {f"*.{suffix}" for suffix in wanted + annotations} <= set(reader.filename_patterns)


@pytest.mark.parametrize("kind", ["image", "labels", "shapes", "points"])
def test_a_layer_saved_without_a_suffix_goes_to_the_built_in_writer(kind: str) -> None:
    found = PluginManager.instance()
    found.discover()
    writer, _ = found.get_writer("name", [kind])
    assert writer is not None
    assert writer.command.startswith("napari.")


def test_discovery_imports_nothing_of_us() -> None:
    loaded = loaded_after(
        "from npe2 import PluginManager\n"
        "found = PluginManager.instance(); found.discover()\n"
        f"assert found.get_manifest({NAME!r})"
    )
    assert not {name for name in loaded if name.startswith("napari_steatosis.")}
    assert not {name.partition(".")[0] for name in loaded} & (HEAVY | {"napari_steatosis"})


def test_resolving_the_commands_imports_nothing_heavy(manifest: PluginManifest) -> None:
    modules = {c.python_name.partition(":")[0] for c in manifest.contributions.commands}
    loaded = loaded_after("\n".join(f"import {module}" for module in sorted(modules)))
    assert "napari_steatosis._napari.analyse" in loaded
    assert not {name.partition(".")[0] for name in loaded} & HEAVY


def test_the_manifest_travels_with_the_package() -> None:
    import napari_steatosis

    assert (Path(napari_steatosis.__file__).parent / "napari.yaml").is_file()
