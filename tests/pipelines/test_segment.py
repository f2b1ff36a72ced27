from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from brightness_model import BrightnessModel
from discs import disc_slide
from napari_steatosis.core.errors import (
    IncompleteRunError,
    MissingScaleError,
    NoTissueError,
    StoreBusyError,
    StoreMismatchError,
)
from napari_steatosis.core.geometry import Frame, Region
from napari_steatosis.core.mask import Mask
from napari_steatosis.imaging import drawn_liver, fit_stain
from napari_steatosis.io._store import open_results
from napari_steatosis.models import load_model
from napari_steatosis.pipelines._plan import plan_segmentation
from napari_steatosis.pipelines.segment import open_store, run, segment
from napari_steatosis.quantify import measure


def level0(prediction):
    return np.asarray(prediction.levels[0][:])


def fat_probability(plan):
    """Put the probabilities that the tiles own together, over the whole plane."""
    whole = np.full((plan.plane.height, plan.plane.width), np.nan, np.float32)
    for index in plan.tiles:
        tile = plan.grid[index]
        probabilities = plan.model.predict(plan.plane.read(tile.outer)[None])[0, 1]
        whole[tile.inner.slices] = probabilities[tile.inner.within(tile.outer)]
    return whole


def test_probabilities_do_not_depend_on_the_tile_size():
    slide, model = disc_slide(), BrightnessModel()
    maps = [fat_probability(plan_segmentation(slide, model, tile_px=px)) for px in (128, 512, 2048)]
    assert np.abs(maps[0] - maps[2]).max() <= 1e-6
    assert np.abs(maps[1] - maps[2]).max() <= 1e-6
    assert 0.01 < (maps[2] > 0.5).mean() < 0.5


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("name", ["steatosis-he", "steatosis-he-drawn"])
def test_the_shipped_models_do_not_see_the_tiles(name, precision):
    slide = drawn_liver(1300, 1100, seed=6, glass=False)
    model = load_model(name, device="cpu", precision=precision)
    maps = [fat_probability(plan_segmentation(slide, model, tile_px=px)) for px in (256, 512, 2048)]
    assert np.abs(maps[0] - maps[2]).max() <= 1e-3
    assert np.abs(maps[1] - maps[2]).max() <= 1e-3
    counts = []
    for px in (256, 2048):
        report = measure(segment(slide, model, tile_px=px))
        counts.append(report["droplet_count"].value)
    assert abs(counts[0] / counts[1] - 1) <= 0.005
    assert counts[1] > 100


def test_stored_map_equals_the_model_on_the_whole_image(tmp_path):
    slide, model = disc_slide(), BrightnessModel()
    fat = segment(slide, model, store=tmp_path / "a.zarr", tile_px=256)
    padded = slide.read(Region(y=-16, x=-16, height=1300 + 32, width=1100 + 32))
    expected = model.predict(padded[None])[0, 1, 16:-16, 16:-16] >= 0.5
    assert np.array_equal(level0(fat) == 2, expected)
    assert set(np.unique(level0(fat))) == {1, 2}


def test_every_level_is_a_stride_of_the_finest_after_a_run_and_after_reopening(tmp_path):
    fat = segment(disc_slide(), BrightnessModel(), store=tmp_path / "a.zarr", tile_px=192)
    for prediction in (fat, open_results(tmp_path / "a.zarr")):
        finest = level0(prediction)
        assert len(prediction.levels) == 3
        for level, array in enumerate(prediction.levels):
            assert np.array_equal(np.asarray(array[:]), finest[:: 2**level, :: 2**level])


def test_outside_the_mask_nothing_is_analysed():
    values = np.zeros((163, 138), bool)
    values[20:60, 30:90] = True
    mask = Mask(values, Frame((4.0, 4.0), (1.75, 1.75)), {"name": "box"})
    slide = disc_slide()
    fat = segment(slide, BrightnessModel(), within=mask, tile_px=128)
    analysed = level0(fat) > 0
    assert np.array_equal(analysed[160:480, 240:720], np.ones((320, 480), bool))
    assert np.count_nonzero(analysed) == 320 * 480
    plan = plan_segmentation(slide, BrightnessModel(), within=mask, tile_px=128)
    assert len(plan.tiles) == 3 * 5  # only tiles with something to analyse are computed


def test_an_unreadable_tile_is_reported_and_never_becomes_tissue(tmp_path):
    slide = disc_slide(damaged=Region(y=600, x=600, height=10, width=10))
    with pytest.raises(IncompleteRunError, match="1 of 30 tiles could not be read") as caught:
        segment(slide, BrightnessModel(), store=tmp_path / "a.zarr", tile_px=256)
    assert "truncated strip" in str(caught.value)
    assert "discs.svs" in str(caught.value)
    partial = open_results(tmp_path / "a.zarr")
    assert len(partial.failed) == 1
    assert not level0(partial)[512:768, 512:768].any()
    mended = segment(disc_slide(), BrightnessModel(), store=tmp_path / "a.zarr", tile_px=256)
    assert level0(mended).all()
    assert not mended.failed


def test_a_finished_run_is_returned_without_computing(tmp_path):
    first = segment(disc_slide(), BrightnessModel(), store=tmp_path / "a.zarr")
    seen = []
    again = segment(
        disc_slide(), BrightnessModel(), store=tmp_path / "a.zarr", on_progress=seen.append
    )
    assert seen == []
    assert again.provenance["content"] == first.provenance["content"]
    assert np.array_equal(level0(again), level0(first))


@pytest.mark.parametrize("change", ["model", "slide", "tile", "region"])
def test_a_store_of_another_run_is_refused_by_name_and_kept(tmp_path, change):
    store = tmp_path / "a.zarr"
    before = level0(segment(disc_slide(), BrightnessModel(), store=store))
    slide, model, options = disc_slide(), BrightnessModel(), {}
    if change == "model":
        model = BrightnessModel(cut=150)
    elif change == "slide":
        slide = replace(slide, fingerprint="another")
    elif change == "tile":
        options["tile_px"] = 256
    else:
        options["within"] = Mask(np.ones((20, 20), bool), Frame((8.0, 8.0)), {"name": "box"})
    named = {
        "model": "model.digest",
        "slide": "slide.fingerprint",
        "tile": "tile_px",
        "region": "within",
    }[change]
    with pytest.raises(StoreMismatchError, match=named):
        segment(slide, model, store=store, **options)
    assert np.array_equal(level0(open_results(store)), before)
    assert not segment(slide, model, store=store, overwrite=True, **options).failed


def test_stain_is_applied_to_every_tile_and_part_of_the_identity(tmp_path):
    slide = drawn_liver(700, 700, seed=2, glass=False)
    stain = fit_stain(slide, method="reinhard")
    fat = segment(slide, BrightnessModel(), store=tmp_path / "a.zarr", stain=stain, tile_px=256)
    padded = slide.read(Region(y=-16, x=-16, height=732, width=732))
    whole = BrightnessModel().predict(stain.apply(padded)[None])[0, 1, 16:-16, 16:-16]
    assert np.array_equal(level0(fat) == 2, whole >= 0.5)
    assert fat.provenance["stain"] == stain.to_json()
    with pytest.raises(StoreMismatchError, match="stain"):
        segment(slide, BrightnessModel(), store=tmp_path / "a.zarr", tile_px=256)


def test_a_second_writer_is_refused(tmp_path):
    plan = plan_segmentation(disc_slide(), BrightnessModel())
    with open_store(plan, tmp_path / "a.zarr"):
        command = (
            "import sys; from filelock import FileLock, Timeout\n"
            "try: FileLock(sys.argv[1]).acquire(timeout=0)\n"
            "except Timeout: sys.exit(7)"
        )
        lock = tmp_path / "a.zarr" / "labels" / "fat" / "writer.lock"
        assert subprocess.run([sys.executable, "-c", command, str(lock)]).returncode == 7
        with pytest.raises(StoreBusyError, match="Another process"):
            open_store(plan, tmp_path / "a.zarr")


def test_foreign_folders_are_left_alone(tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1.txt").write_text("words")
    with pytest.raises(StoreMismatchError, match="other contents"):
        segment(disc_slide(), BrightnessModel(), store=tmp_path / "thesis")
    assert [p.name for p in (tmp_path / "thesis").iterdir()] == ["chapter1.txt"]


def test_a_missing_pixel_size_is_asked_for():
    slide = replace(disc_slide(), um_per_px=None, scale_source="the file states none")
    with pytest.raises(MissingScaleError, match=r"discs.svs.*--mpp"):
        segment(slide, BrightnessModel())


def test_an_empty_mask_is_refused():
    empty = Mask(np.zeros((10, 10), bool), Frame((8.0, 8.0)))
    with pytest.raises(NoTissueError, match=r"discs.svs.*nothing to analyse"):
        segment(disc_slide(), BrightnessModel(), within=empty)


def test_tiles_near_the_focus_come_first_and_follow_it():
    plan = plan_segmentation(disc_slide(), BrightnessModel(), tile_px=128)
    where = [(1250.0, 1050.0)]
    with open_store(plan, None) as results:
        seen = []
        for progress in run(plan, results, focus=lambda: where[0]):
            seen.append(progress.inner)
            if len(seen) == 5:
                where[0] = (10.0, 10.0)
    assert seen[0] == Region(y=1152, x=1024, height=128, width=76)
    assert all(box.y >= 896 for box in seen[:5])
    assert any(box.y == 0 and box.x == 0 for box in seen[5:45])  # blocks under way come first
    assert len(seen) == len({(box.y, box.x) for box in seen}) == len(plan.tiles)


def test_stopping_leaves_a_store_that_can_be_resumed(tmp_path):
    plan = plan_segmentation(disc_slide(), BrightnessModel(), tile_px=64)
    with open_store(plan, tmp_path / "a.zarr") as results:
        taken = list(islice(run(plan, results), 4))
        assert not results.complete
    assert [p.done for p in taken] == [1, 2, 3, 4]
    resumed = []
    fat = segment(
        disc_slide(),
        BrightnessModel(),
        store=tmp_path / "a.zarr",
        tile_px=64,
        on_progress=resumed.append,
    )
    stored = resumed[0].done - 1  # those of the batch that the run was stopped in are stored, too
    assert 4 <= stored < len(plan.tiles)
    assert len(resumed) == len(plan.tiles) - stored
    straight = segment(disc_slide(), BrightnessModel(), tile_px=64)
    assert np.array_equal(level0(fat), level0(straight))
    assert fat.provenance["content"] == straight.provenance["content"]


TESTS = str(Path(__file__).parents[1])
KILLED = """
import sys, time
sys.path.insert(0, {tests!r})
from brightness_model import BrightnessModel
from discs import disc_slide
from discs import disc_slide
from napari_steatosis.pipelines.segment import segment
segment(disc_slide(), BrightnessModel(), store=sys.argv[1], tile_px=64,
        on_progress=lambda p: (print(p.done, flush=True), time.sleep(0.01)))
"""


def test_a_killed_run_resumes_to_the_same_bytes(tmp_path):
    script = KILLED.format(tests=TESTS)
    store = tmp_path / "killed.zarr"
    for after in (3, 230):
        process = subprocess.Popen(
            [sys.executable, "-c", script, str(store)], stdout=subprocess.PIPE, text=True
        )
        for line in process.stdout:
            if int(line) >= after:
                os.kill(process.pid, signal.SIGKILL)
                break
        process.wait()
        assert process.returncode == -signal.SIGKILL
        with (store / "labels/fat/ledger.jsonl").open("ab") as file:
            file.write(b'{"tile": 9')  # a line torn by the kill
    resumed = segment(disc_slide(), BrightnessModel(), store=store, tile_px=64)
    straight = segment(disc_slide(), BrightnessModel(), store=tmp_path / "b.zarr", tile_px=64)
    for mine, other in zip(resumed.levels, straight.levels, strict=True):
        assert np.array_equal(np.asarray(mine[:]), np.asarray(other[:]))
    assert resumed.provenance["content"] == straight.provenance["content"]


def test_the_store_is_an_ome_zarr_that_others_validate(tmp_path):
    models = pytest.importorskip("ome_zarr_models.v04.image_label")
    import zarr

    segment(disc_slide(), BrightnessModel(), store=tmp_path / "a.zarr")
    group = zarr.open_group(tmp_path / "a.zarr" / "labels" / "fat", mode="r")
    label = models.ImageLabel.from_zarr(group)
    assert label.attributes.multiscales[0].axes[0].unit == "micrometer"
    listed = json.loads((tmp_path / "a.zarr/labels/.zattrs").read_text())
    assert listed == {"labels": ["fat"]}


def test_a_dask_cluster_gives_the_same_bytes(tmp_path):
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=True,
            dashboard_address=None,
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        client.run(sys.path.append, TESTS)
        slide = disc_slide()
        there = segment(
            slide, BrightnessModel(), store=tmp_path / "a.zarr", tile_px=256, client=client
        )
    here_ = segment(slide, BrightnessModel(), tile_px=256)
    assert np.array_equal(level0(there), level0(here_))
    assert there.provenance["content"] == here_.provenance["content"]
