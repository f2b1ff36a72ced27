from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from brightness_model import BrightnessModel
from discs import disc_slide
from interrupted_run import __file__ as SCRIPT
from napari_steatosis.cli import app
from napari_steatosis.core.errors import (
    IncompleteRunError,
    SlideChangedError,
    StoreMismatchError,
    StoreWriteError,
)
from napari_steatosis.core.geometry import Frame, Region
from napari_steatosis.core.mask import Mask
from napari_steatosis.imaging import drawn_liver, fit_stain
from napari_steatosis.io import open_slide
from napari_steatosis.io._ngff.chunk_files import check_head
from napari_steatosis.io._store import open_results
from napari_steatosis.io.write import write
from napari_steatosis.pipelines.segment import segment

OPTIONS = {"tile_px": 64, "probabilities": True}
TILES = 27 * 24


@pytest.fixture(scope="module")
def slide_file(tmp_path_factory):
    return write(disc_slide(1700, 1500), tmp_path_factory.mktemp("slide") / "discs.ome.tiff")[0]


@pytest.fixture(scope="module")
def straight(slide_file, tmp_path_factory):
    """The store of a run that nothing disturbed."""
    store = tmp_path_factory.mktemp("straight") / "a.zarr"
    segment(open_slide(slide_file), BrightnessModel(), store=store, **OPTIONS)
    return files_of(store)


def files_of(store: Path) -> dict[str, bytes]:
    """Return every file of a store; those beside the groups that zarr had not yet renamed not."""
    paths = (path for path in store.rglob("*") if path.is_file())
    names = {path.relative_to(store).as_posix(): path for path in paths}
    return {
        name: path.read_bytes()
        for name, path in names.items()
        if not (name.endswith(".partial") and name.count("/") <= 1)
    }


def started(slide_file, store, **options):
    command = [sys.executable, SCRIPT, str(slide_file), str(store), json.dumps(OPTIONS | options)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "begins\n"
    return process


def no_chunk_is_torn(store: Path) -> int:
    count = 0
    for level in [*(store / "labels/fat").glob("[0-9]*"), *store.glob("fat-probability/[0-9]*")]:
        if not (level / ".zarray").exists():
            continue  # killed before the array was there
        expected = np.prod(json.loads((level / ".zarray").read_text())["chunks"])
        for file in (path for path in level.rglob("*") if path.name.isdigit() and path.is_file()):
            data = file.read_bytes()
            check_head(str(file), data, len(data), int(expected), "blosc")
            count += 1
    return count


def kill_and_resume(slide_file, folder, straight, times):
    """Kill runs at random moments; whenever one comes to its end, compare it with the other."""
    moments, killed, finished, seen = random.Random(times), 0, 0, []
    store = folder / "a.zarr"
    while killed < times or not finished:
        process = started(slide_file, store)
        if killed < times:
            wait_for(process, moments.randrange(-TILES // 10, TILES))
            time.sleep(moments.uniform(0, 0.1))
            process.kill()
        process.communicate(timeout=120)
        if process.returncode == -signal.SIGKILL:
            killed += 1
            ledger = store / "labels/fat/ledger.jsonl"
            seen.append(ledger.read_bytes().count(b"\n") if ledger.exists() else 0)
            no_chunk_is_torn(store)
        else:
            assert process.returncode == 0
            assert files_of(store) == straight
            finished += 1
            shutil.rmtree(store)
    return killed, finished, seen


def wait_for(process, tiles):
    """Wait until a run has said that so many tiles are done; a resumed one may be beyond."""
    while tiles > 0 and (line := process.stdout.readline()):
        if int(line) >= tiles:
            break


def test_killed_runs_resume_to_the_same_bytes(slide_file, straight, tmp_path):
    killed, finished, _ = kill_and_resume(slide_file, tmp_path, straight, times=3)
    assert killed == 3
    assert finished >= 1


@pytest.mark.slow
def test_twenty_killed_runs_resume_to_the_same_bytes(slide_file, straight, tmp_path):
    killed, finished, seen = kill_and_resume(slide_file, tmp_path, straight, times=20)
    print(f"killed with so many tiles recorded: {seen}; {finished} runs came to their end")
    assert killed == 20
    assert finished >= 1
    assert len(set(seen)) > 5


def test_the_second_process_is_refused_and_the_first_unharmed(slide_file, straight, tmp_path):
    store = tmp_path / "a.zarr"
    first = started(slide_file, store)
    assert first.stdout.readline() == "1\n"
    first.send_signal(signal.SIGSTOP)
    try:
        for overwrite in (False, True):
            second = started(slide_file, store, overwrite=overwrite)
            said, _ = second.communicate(timeout=60)
            assert said.startswith("StoreBusyError Another process is writing to")
            assert second.returncode == 1
    finally:
        first.send_signal(signal.SIGCONT)
    first.communicate(timeout=60)
    assert first.returncode == 0
    assert files_of(store) == straight
    assert (store / "labels/fat/writer.lock").exists()


def test_an_unfinished_store_is_no_result(slide_file, tmp_path):
    store = tmp_path / "a.zarr"
    process = started(slide_file, store)
    while "50" not in process.stdout.readline():
        pass
    process.kill()
    process.wait()
    assert not open_results(store).finished


@pytest.mark.parametrize("change", ["model", "slide", "tile", "mask", "stain", "precision"])
def test_another_run_is_refused_with_what_differs(tmp_path, change):
    slide, model, store = disc_slide(), BrightnessModel(), tmp_path / "a.zarr"
    segment(slide, model, store=store, tile_px=256)
    before = files_of(store)
    options = {"tile_px": 256}
    if change == "model":
        model, named = BrightnessModel(cut=190.0), r"model\.digest: stored '\w+', now '\w+'"
    elif change == "slide":
        slide = replace(slide, fingerprint="other")
        named = r"slide\.fingerprint: stored 'discs-1300-1100', now 'other'"
    elif change == "tile":
        options, named = {"tile_px": 128}, r"tile_px: stored 256, now 128"
    elif change == "mask":
        mask = Mask(np.ones((50, 50), bool), Frame((8.0, 8.0)), {"name": "box"})
        options["within"], named = mask, r"within.*: stored None, now"
    elif change == "stain":
        options["stain"], named = fit_stain(slide, method="reinhard"), r"stain.*: stored None, now"
    else:
        model, named = InSingle(), r"arithmetic\.precision: stored 'fp64', now 'fp32'"
    with pytest.raises(StoreMismatchError, match=named) as caught:
        segment(slide, model, store=store, **options)
    assert "--overwrite" in str(caught.value)
    assert files_of(store) == before


class InSingle(BrightnessModel):
    @property
    def arithmetic(self) -> dict[str, str]:
        return {"device": "cpu", "precision": "fp32"}


def test_another_border_is_refused(tmp_path):
    slide, store = disc_slide(), tmp_path / "a.zarr"
    segment(slide, BrightnessModel(), store=store, tile_px=256)
    with pytest.raises(StoreMismatchError, match="border: stored 'reflect', now 'exclude'"):
        segment(slide, BrightnessModel(), store=store, tile_px=256, border="exclude")


def test_probabilities_asked_for_afterwards_are_refused(tmp_path):
    slide, store = disc_slide(), tmp_path / "a.zarr"
    segment(slide, BrightnessModel(), store=store)
    with pytest.raises(StoreMismatchError, match="begun without probabilities"):
        segment(slide, BrightnessModel(), store=store, probabilities=True)


@contextmanager
def mounted(folder: Path, options: str):
    """A file system of its own; only root can make one."""
    folder.mkdir(exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("a file system cannot be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def remount(folder: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", str(folder)], check=True)


def test_a_full_disk_ends_the_run_and_with_room_it_goes_on(slide_file, straight, tmp_path):
    slide, pages = open_slide(slide_file), sum(-(-len(data) // 4096) for data in straight.values())
    with mounted(tmp_path / "disk", f"size={pages * 4 // 2}k") as disk:
        with pytest.raises(StoreWriteError, match=r"a\.zarr cannot be written.*No space left"):
            segment(slide, BrightnessModel(), store=disk / "a.zarr", **OPTIONS)
        assert not open_results(disk / "a.zarr").finished
        with pytest.raises(StoreWriteError, match="No space left"):  # and again, the same
            segment(slide, BrightnessModel(), store=disk / "a.zarr", **OPTIONS)
        remount(disk, "size=50m")
        seen = []
        segment(slide, BrightnessModel(), store=disk / "a.zarr", on_progress=seen.append, **OPTIONS)
        assert seen[0].done > 1
        assert files_of(disk / "a.zarr") == straight


def test_a_folder_that_may_not_be_written_to_is_said_before_anything_is_computed(tmp_path):
    seen = []
    with mounted(tmp_path / "disk", "size=1m") as disk:
        remount(disk, "ro")
        with pytest.raises(StoreWriteError, match=r"a\.zarr cannot be written.*Read-only"):
            segment(disc_slide(), BrightnessModel(), store=disk / "a.zarr", on_progress=seen.append)
    assert not seen


def run_with(slide, store, on_progress, tile_px=128):
    return segment(slide, BrightnessModel(), store=store, tile_px=tile_px, on_progress=on_progress)


def once(action):
    """Do something after the first tile of a run."""
    return lambda progress: action() if progress.done == 1 else None


def test_a_removed_output_folder_ends_the_run(tmp_path):
    store = tmp_path / "a.zarr"
    with pytest.raises(StoreWriteError, match=r"a\.zarr cannot be written"):
        run_with(disc_slide(), store, once(lambda: shutil.rmtree(store)))
    assert not store.exists()
    assert run_with(disc_slide(), store, lambda progress: None).finished


@pytest.fixture
def own_slide(slide_file, tmp_path):
    return Path(shutil.copy(slide_file, tmp_path / "discs.ome.tiff"))


def test_a_slide_that_vanishes_ends_the_run_and_back_again_it_goes_on(own_slide, tmp_path):
    store, away = tmp_path / "a.zarr", tmp_path / "away.tiff"
    with pytest.raises(SlideChangedError, match=r"discs\.ome\.tiff is no longer there"):
        run_with(open_slide(own_slide), store, once(lambda: own_slide.rename(away)))
    assert not open_results(store).finished
    away.rename(own_slide)
    seen = []
    assert run_with(open_slide(own_slide), store, seen.append).finished
    assert seen[0].done > 1


def test_a_slide_that_is_cut_off_ends_the_run(own_slide, tmp_path):
    store, whole = tmp_path / "a.zarr", own_slide.read_bytes()
    with pytest.raises(SlideChangedError, match=r"discs\.ome\.tiff changed while"):
        run_with(open_slide(own_slide), store, once(lambda: os.truncate(own_slide, 5000)))
    own_slide.write_bytes(whole)
    assert run_with(open_slide(own_slide), store, lambda progress: None).finished


def test_a_slide_that_is_replaced_never_gets_into_the_result(own_slide, straight, tmp_path):
    store, other = tmp_path / "a.zarr", tmp_path / "other.ome.tiff"
    first = own_slide.read_bytes()
    write(drawn_liver(1700, 1500, seed=9), other)
    with pytest.raises(SlideChangedError, match="replaced by another image"):
        segment(
            open_slide(own_slide),
            BrightnessModel(),
            store=store,
            on_progress=once(lambda: os.replace(other, own_slide)),
            **OPTIONS,
        )
    with pytest.raises(StoreMismatchError, match=r"slide\.fingerprint"):
        segment(open_slide(own_slide), BrightnessModel(), store=store, **OPTIONS)
    own_slide.write_bytes(first)
    resumed = segment(open_slide(own_slide), BrightnessModel(), store=store, **OPTIONS)
    mine = {name: data for name, data in files_of(store).items() if not name.endswith(".zattrs")}
    assert mine.items() <= straight.items()
    assert resumed.finished


def test_a_damaged_tile_leaves_the_rest(tmp_path):
    store = tmp_path / "a.zarr"
    damaged = disc_slide(damaged=Region(y=600, x=600, height=10, width=10))
    with pytest.raises(IncompleteRunError, match=r"discs\.svs: 1 of 30 tiles") as caught:
        segment(damaged, BrightnessModel(), store=store, tile_px=256)
    assert "run again" in str(caught.value)
    fat = open_results(store)
    assert fat.finished
    assert len(fat.failed) == 1


def test_an_error_in_the_model_reaches_the_caller_and_the_run_can_go_on(tmp_path):
    with pytest.raises(ZeroDivisionError):
        segment(disc_slide(), Breaks(), store=tmp_path / "a.zarr", tile_px=256)
    assert not open_results(tmp_path / "a.zarr").finished
    run_with(disc_slide(), tmp_path / "a.zarr", lambda progress: None, tile_px=256)
    run_with(disc_slide(), tmp_path / "b.zarr", lambda progress: None, tile_px=256)
    assert files_of(tmp_path / "a.zarr") == files_of(tmp_path / "b.zarr")


class Breaks(BrightnessModel):
    """Breaks down in its second call, in whichever thread that is."""

    calls = 0

    def predict(self, tiles):
        Breaks.calls += 1
        return super().predict(tiles if Breaks.calls < 2 else tiles[: 1 // 0])


def test_the_command_ends_with_1_where_the_disk_is_full(tmp_path):
    slide = write(drawn_liver(600, 600, seed=5), tmp_path / "a.ome.tiff")[0]
    with mounted(tmp_path / "disk", "size=24k") as disk:
        ended = CliRunner().invoke(app, ["analyse", str(slide), "--out", str(disk)])
    assert ended.exit_code == 1
    said = "".join(ended.output.split())  # lines are broken anywhere
    assert "a.zarrcannotbewritten(OSError:[Errno28]Nospaceleft" in said
    assert "thesamecallorcommandgoesonwithwhatisstored" in said


@pytest.mark.slow
def test_the_command_ends_with_1_where_the_slide_vanishes_and_goes_on_later(tmp_path):
    slide = write(drawn_liver(3000, 3000, seed=5), tmp_path / "a.ome.tiff")[0]
    command = [sys.executable, "-m", "napari_steatosis.cli", "analyse", slide, "--out", tmp_path]
    ledger = tmp_path / "a.zarr/labels/fat/ledger.jsonl"
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not (ledger.exists() and ledger.stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.005)
    slide.rename(tmp_path / "away")
    _, said = process.communicate(timeout=300)
    assert process.returncode == 1
    assert "a.ome.tiffisnolongerthere" in "".join(said.split())
    (tmp_path / "away").rename(slide)
    assert subprocess.run(command, timeout=300).returncode == 0
    assert open_results(tmp_path / "a.zarr").finished
