from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from made_slides import aperio, stained
from napari_steatosis.core.errors import (
    BadValueError,
    CannotOpenError,
    SlideChangedError,
    StoreBusyError,
    StoreMismatchError,
    StoreWriteError,
)
from napari_steatosis.core.geometry import Frame, Region
from napari_steatosis.core.grid import Grid
from napari_steatosis.io import open_slide
from napari_steatosis.io._probability_pyramid import quantised
from napari_steatosis.io._store import Header, ResultStore, StoredTile, open_results
from napari_steatosis.quantify import measure

HEIGHT, WIDTH = 1300, 1100


@pytest.fixture(scope="module")
def pixels():
    """A class map with 0 outside a disc, and its probabilities."""
    rng = np.random.default_rng(4)
    fat = rng.random((HEIGHT, WIDTH), np.float32)
    rows, columns = np.ogrid[:HEIGHT, :WIDTH]
    inside = (rows - 700) ** 2 + (columns - 500) ** 2 < 480**2
    classes = np.where(inside, np.where(fat > 0.8, 2, 1), 0).astype(np.uint8)
    return classes, quantised(np.stack([1 - fat, fat]), classes)


def header(probabilities=False, **identity):
    identity = {"model": "a", **identity}
    frame = Frame((0.5, 0.5), (0.0, 0.0))
    return Header(
        "fat", (HEIGHT, WIDTH), frame, ("tissue", "fat"), identity, {}, probabilities=probabilities
    )


def tiles_of(pixels, px=192, probabilities=False):
    classes, stored = pixels
    return [
        StoredTile(
            tile.index,
            tile.inner,
            classes[tile.inner.slices],
            stored[(slice(None), *tile.inner.slices)] if probabilities else None,
        )
        for tile in Grid(HEIGHT, WIDTH, tile_px=px)
    ]


def filled(path, pixels, px=192, at_once=7, probabilities=False, shuffle=None, finish=True):
    tiles = tiles_of(pixels, px, probabilities)
    if shuffle is not None:
        np.random.default_rng(shuffle).shuffle(tiles)
    with ResultStore(path, header(probabilities)) as store:
        for first in range(0, len(tiles), at_once):
            store.add_all(tiles[first : first + at_once])
        if finish:
            store.finish()
    return path


def interrupted(path, tiles, happens, slide=None):
    """Store four tiles, let something happen, and go on."""
    with ResultStore(path, header(), slide=slide) as store:
        store.add_all(tiles[:4])
        happens()
        store.add_all(tiles[4:8])
        store.finish()


def recorded(path):
    lines = (path / "labels/fat/ledger.jsonl").read_text().splitlines()
    return [json.loads(line)["tile"] for line in lines]


def tree(path: Path) -> dict[str, str]:
    return {
        file.relative_to(path).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in path.rglob("*")
        if file.is_file()
    }


@pytest.mark.parametrize("px", [64, 192, 512, 700, 2048])
def test_every_level_of_class_map_and_probabilities_is_a_stride(tmp_path, pixels, px):
    classes, stored = pixels
    filled(tmp_path / "a.zarr", pixels, px, probabilities=True)
    fat = open_results(tmp_path / "a.zarr")
    assert fat.finished
    assert len(fat.levels) == len(fat.probabilities) == 3
    for level in range(3):
        step = slice(None, None, 2**level)
        assert np.array_equal(fat.levels[level][:], classes[step, step])
        assert np.array_equal(fat.probabilities[level][:], stored[:, step, step])


def test_in_memory_it_is_the_same(pixels):
    classes, stored = pixels
    with ResultStore(None, header(probabilities=True)) as store:
        store.add_all(tiles_of(pixels, 256, probabilities=True))
        store.finish()
        fat = store.prediction()
    for level in range(3):
        step = slice(None, None, 2**level)
        assert np.array_equal(fat.levels[level][:], classes[step, step])
        assert np.array_equal(fat.probabilities[level][:], stored[:, step, step])


def test_order_and_company_of_the_tiles_do_not_show_in_the_files(tmp_path, pixels):
    one = filled(tmp_path / "a", pixels, at_once=1, probabilities=True, shuffle=1)
    many = filled(tmp_path / "b", pixels, at_once=42, probabilities=True)
    some = filled(tmp_path / "c", pixels, at_once=5, probabilities=True, shuffle=2)
    assert tree(one) == tree(many) == tree(some)


def test_what_is_stored_shows_at_every_level_before_the_end(tmp_path, pixels):
    with ResultStore(tmp_path / "a.zarr", header()) as store:
        store.add_all(tiles_of(pixels, 256)[5:9])
        levels = store.prediction().levels
        for level, array in enumerate(levels):
            assert np.array_equal(array[:], levels[0][:: 2**level, :: 2**level])
            assert np.asarray(array[:]).any()


def test_many_tiles_cost_one_wait_for_the_disk(tmp_path, pixels, monkeypatch):
    waits = []
    sync = os.fsync
    with ResultStore(tmp_path / "a.zarr", header()) as store:
        monkeypatch.setattr(os, "fsync", lambda file: (waits.append(file), sync(file)))
        store.add_all(tiles_of(pixels))
    assert len(waits) == 1


def test_others_read_the_probabilities(tmp_path, pixels):
    models = pytest.importorskip("ome_zarr_models.v04.image")
    reader = pytest.importorskip("ome_zarr.reader")
    parse_url = pytest.importorskip("ome_zarr.io").parse_url
    import zarr

    folder = filled(tmp_path / "a.zarr", pixels, probabilities=True) / "fat-probability"
    image = models.Image.from_zarr(zarr.open_group(str(folder), mode="r")).attributes
    assert [axis.name for axis in image.multiscales[0].axes] == ["c", "y", "x"]
    assert image.multiscales[0].axes[1].unit == "micrometer"
    steps = [s.coordinateTransformations for s in image.multiscales[0].datasets]
    assert [s[0].scale for s in steps] == [[1, 0.5, 0.5], [1, 1, 1], [1, 2, 2]]
    assert steps[2][1].translation == [0, 0.75, 0.75]
    assert [channel.label for channel in image.omero.channels] == ["tissue", "fat"]
    node = next(iter(reader.Reader(parse_url(str(folder)))()))
    assert [part.shape for part in node.data] == [(2, 1300, 1100), (2, 650, 550), (2, 325, 275)]
    assert np.array_equal(node.data[0].compute(), pixels[1])
    assert node.metadata["channel_names"] == ["tissue", "fat"]


def test_probabilities_cannot_be_asked_for_afterwards(tmp_path, pixels):
    for finish in (False, True):
        path = filled(tmp_path / f"{finish}", pixels, finish=finish)
        before = tree(path)
        with pytest.raises(StoreMismatchError, match="begun without probabilities"):
            ResultStore(path, header(probabilities=True))
        assert tree(path) == before
    with ResultStore(path, header(probabilities=True), overwrite=True) as store:
        store.add_all(tiles_of(pixels, probabilities=True))
        with pytest.raises(BadValueError, match="Tile 0 comes without probabilities"):
            store.add_all(tiles_of(pixels)[:1])
    with pytest.raises(StoreMismatchError, match="begun with probabilities and is not finished"):
        ResultStore(path, header())
    with ResultStore(path, header(probabilities=True)) as store:
        store.finish()
    with ResultStore(path, header()) as store:
        assert store.complete
    with ResultStore(path, header(), overwrite=True):
        assert not (path / "fat-probability").exists()


def test_an_unfinished_result_is_known_as_one(tmp_path, pixels):
    path = filled(tmp_path / "a.zarr", pixels, finish=False)
    fat = open_results(path)
    assert not fat.finished
    assert "not finished" in measure(fat).flags[0]
    with ResultStore(path, header()) as store:
        assert not store.prediction().finished
        store.finish()
        assert store.prediction().finished
    assert open_results(path).finished
    assert not any("not finished" in flag for flag in measure(open_results(path)).flags)


def test_a_run_with_unreadable_tiles_is_finished_and_lists_them(tmp_path, pixels):
    tiles = tiles_of(pixels)
    tiles[3] = StoredTile(3, tiles[3].inner, None, error="strip 7 is cut off")
    with ResultStore(tmp_path / "a", header()) as store:
        store.add_all(tiles)
        assert not store.prediction().finished
        store.finish()
        assert not store.complete
    fat = open_results(tmp_path / "a")
    assert fat.finished
    assert fat.failed == ("strip 7 is cut off",)
    assert not fat.levels[0][tiles[3].inner.slices].any()
    with ResultStore(tmp_path / "a", header()) as store:
        assert len(store.ledger.done) == len(tiles) - 1
        store.add_all([tiles_of(pixels)[3]])
        store.finish()
        assert store.complete
    assert tree(tmp_path / "a") == tree(filled(tmp_path / "b", pixels))


def cut_off(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-9])


def emptied(file: Path) -> None:
    file.write_bytes(b"")


def zeroed(file: Path) -> None:
    file.write_bytes(bytes(file.stat().st_size))


def other_pixels(file: Path) -> None:
    shutil.copy(file.parent / "1", file)


@pytest.mark.parametrize("lose", [Path.unlink, emptied, cut_off, zeroed, other_pixels])
@pytest.mark.parametrize("where", ["labels/fat/0/1/0", "fat-probability/0/1/1/0"])
def test_pixels_that_went_with_the_power_are_computed_again(tmp_path, pixels, lose, where):
    tiles = tiles_of(pixels, 256, probabilities=True)
    path = filled(tmp_path / "a", pixels, 256, probabilities=True, finish=False)
    lose(path / where)
    with ResultStore(path, header(probabilities=True)) as store:
        lost = sorted({tile.index for tile in tiles} - set(store.ledger.done))
        assert lost == [10, 11, 15, 16]  # those in the chunk of rows 512-1023, columns 0-511
        store.add_all([tiles[index] for index in lost])
        store.finish()
    assert tree(path) == tree(filled(tmp_path / "b", pixels, 256, probabilities=True))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data[:-17],
        lambda data: data + b'{"tile": 9',
        lambda data: data + bytes(300),
        lambda data: data + bytes(30) + b"\n",
        lambda data: data.replace(b"yxhw", b"yxh", 1),
        lambda data: b'{"tile": 1, "content": "00"}\n' + data[200:],
    ],
)
def test_lines_of_the_ledger_that_are_not_whole_are_dropped(tmp_path, pixels, spoil):
    path = filled(tmp_path / "a", pixels, finish=False)
    ledger = path / "labels/fat/ledger.jsonl"
    count = ledger.read_bytes().count(b"\n")
    ledger.write_bytes(spoil(ledger.read_bytes()))
    tiles = tiles_of(pixels)
    with ResultStore(path, header()) as store:
        done = store.ledger.done
        assert count - 2 <= len(done) <= count
        store.add_all([tile for tile in tiles if tile.index not in done])
        store.finish()
    assert len(ledger.read_text().splitlines()) == count == len(tiles)
    assert tree(path) == tree(filled(tmp_path / "b", pixels))


def test_a_removed_or_moved_folder_is_not_begun_anew(tmp_path, pixels):
    path, tiles = tmp_path / "a.zarr", tiles_of(pixels)
    for away in (shutil.rmtree, lambda path: path.rename(tmp_path / "moved")):
        with pytest.raises(StoreWriteError, match=r"a\.zarr cannot be written.*choose another"):
            interrupted(path, tiles, lambda away=away: away(path))
        assert not path.exists()
    assert recorded(tmp_path / "moved") == [0, 1, 2, 3]


def test_damaged_metadata_are_said_and_can_be_overwritten(tmp_path, pixels):
    path = filled(tmp_path / "a", pixels)
    cut_off(path / "labels/fat/.zattrs")
    with pytest.raises(CannotOpenError, match=r"metadata that are damaged.*--overwrite"):
        ResultStore(path, header())
    with pytest.raises(CannotOpenError, match="holds no result 'fat'"):
        open_results(path)
    with ResultStore(path, header(), overwrite=True) as store:
        assert not store.ledger.done


def test_one_writer_at_a_time_and_a_stale_lock_is_no_obstacle(tmp_path, pixels):
    with ResultStore(tmp_path / "a", header()) as store:
        with pytest.raises(StoreBusyError, match="Another process is writing"):
            ResultStore(tmp_path / "a", header(), overwrite=True)
        store.add_all(tiles_of(pixels))
        store.finish()
    (tmp_path / "a/labels/fat/writer.lock").write_text("12345")
    with ResultStore(tmp_path / "a", header()) as store:
        assert store.complete


def test_the_message_of_another_run_names_what_differs(tmp_path, pixels):
    path = filled(tmp_path / "a", pixels, finish=False)
    with pytest.raises(StoreMismatchError, match="border: stored None, now 'exclude'"):
        ResultStore(path, header(border="exclude"))
    with pytest.raises(StoreMismatchError, match="model: stored 'a', now 'b'"):
        ResultStore(path, header(model="b"))


@pytest.fixture
def slide(tmp_path):
    return open_slide(aperio(tmp_path, stained(HEIGHT, WIDTH)))


def test_a_slide_that_vanishes_ends_the_run_and_back_again_it_goes_on(tmp_path, pixels, slide):
    path, file, tiles = tmp_path / "a", Path(slide.path), tiles_of(pixels)
    with pytest.raises(SlideChangedError, match=r"slide\.svs is no longer there.*goes on"):
        interrupted(path, tiles, lambda: file.rename(tmp_path / "away"), slide)
    assert recorded(path) == [0, 1, 2, 3]
    (tmp_path / "away").rename(file)
    interrupted(path, tiles, lambda: os.utime(file), slide)  # touched, with the same content
    assert open_results(path).finished


def test_a_slide_that_is_cut_off_or_replaced_ends_the_run(tmp_path, pixels, slide):
    path, file, tiles = tmp_path / "a", Path(slide.path), tiles_of(pixels)
    whole = file.read_bytes()
    with pytest.raises(SlideChangedError, match=r"slide\.svs changed while it was analysed"):
        interrupted(path, tiles, lambda: file.write_bytes(whole[:2000]), slide)
    file.write_bytes(whole)
    with pytest.raises(SlideChangedError, match="was replaced by another image"):
        interrupted(path, tiles, lambda: aperio(tmp_path, stained(HEIGHT, WIDTH, seed=1)), slide)
    assert set(recorded(path)) == {0, 1, 2, 3}


def test_a_slide_that_changed_unseen_takes_the_tiles_of_this_run_along(tmp_path, pixels, slide):
    path, tiles = tmp_path / "a", tiles_of(pixels)
    with ResultStore(path, header(), slide=slide) as store:
        store.add_all(tiles[:4])
    with ResultStore(path, header(), slide=slide) as store:
        store.add_all(tiles[4:])
        aperio(tmp_path, stained(HEIGHT, WIDTH, seed=1))
        with pytest.raises(SlideChangedError, match="was replaced"):
            store.finish()
    assert recorded(path) == [0, 1, 2, 3]


def test_a_region_is_no_part_of_two_tiles():
    """The stride of what lies at odd places: `Part.halved` keeps the phase of the plane."""
    from napari_steatosis.io._ngff.chunk_writer import Part

    plane = np.arange(40 * 30, dtype=np.uint16).astype(np.uint8).reshape(40, 30)
    region = Region(y=7, x=3, height=21, width=13)
    half = Part(7, 3, plane[region.slices]).halved()
    assert (half.y, half.x) == (4, 2)
    assert np.array_equal(half.pixels, plane[::2, ::2][4:14, 2:8])
