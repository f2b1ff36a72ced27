"""Tissue: all parenchyma however fat, no glass, no large lumen, whatever the slide."""

from __future__ import annotations

import csv
import json
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import distance_transform_edt, label

from arrays import glass, slide_of, stained_ground
from napari_steatosis.core.errors import BadValueError, MissingScaleError
from napari_steatosis.core.geometry import Frame, Region
from napari_steatosis.core.mask import Mask
from napari_steatosis.core.slide import Slide, virtual_levels
from napari_steatosis.imaging.phantom import drawn_liver
from napari_steatosis.imaging.tissue import find_tissue

HALF_UM = Frame((0.5, 0.5))


def on_all(mask: Mask, shape: tuple[int, ...], frame: Frame = HALF_UM) -> NDArray[np.bool_]:
    return mask.on(Region(y=0, x=0, height=shape[0], width=shape[1]), frame)


def rgb_of(path: Path) -> NDArray[np.uint8]:
    return np.asarray(Image.open(path).convert("RGB"))


def disc(shape: tuple[int, ...], y: float, x: float, radius: float) -> NDArray[np.bool_]:
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    return (rows - y) ** 2 + (columns - x) ** 2 <= radius**2


@pytest.mark.parametrize(
    ("side", "um_per_px", "seed", "fat_percent"),
    [(2048, 0.5, 4, 60), (2048, 0.5, 2, 60), (1536, 1.0, 6, 30), (2048, 0.5, 1, 0)],
    ids=["60 % fat", "60 % fat, pale", "coarse", "torn all around"],
)
def test_drawn_liver_is_found_and_glass_is_not(
    side: int, um_per_px: float, seed: int, fat_percent: float
) -> None:
    slide = drawn_liver(side, side, um_per_px=um_per_px, seed=seed, fat_percent=fat_percent)
    whole = Region(y=0, x=0, height=side, width=side)
    truth = slide.source.truth(whole)  # type: ignore[attr-defined]
    found = find_tissue(slide).on(whole, slide.frame())
    places, _ = label(truth == 0)
    outside = np.unique(np.concatenate([places[0], places[-1], places[:, 0], places[:, -1]]))
    bare = np.isin(places, outside[outside > 0])
    assert bare.mean() > 0.1
    assert found[truth > 0].mean() >= 0.99
    assert found[bare].mean() < 0.01
    if fat_percent == 60:
        assert (truth == 2).sum() > 0.58 * (truth > 0).sum()
        assert found[truth == 2].mean() > 0.99
    away = bare & (distance_transform_edt(truth == 0) * um_per_px > 6)
    assert found[away].mean() < 0.003


def foam(height: int, width: int) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Stained ground with droplets of 40 um in a hexagonal lattice, septa of 5 um."""
    fat = np.zeros((height, width), bool)
    for row, y in enumerate(range(0, height + 80, 78)):
        for x in range(45 * (row % 2), width + 90, 90):
            y0, x0 = max(0, y - 40), max(0, x - 40)
            part = fat[y0 : y + 41, x0 : x + 41]
            part |= disc(part.shape, y - y0, x - x0, 40)
    return np.where(fat[..., None], glass(height, width), stained_ground(height, width)), fat


def test_foam_of_seventy_percent_fat_is_tissue_and_a_vein_in_it_is_not() -> None:
    pixels, fat = foam(1600, 1600)
    assert fat.mean() > 0.7
    vein = disc(fat.shape, 800, 700, 160)
    wall = disc(fat.shape, 800, 700, 172) & ~vein
    pixels[vein], pixels[wall] = 242, (200, 120, 170)
    pixels[:, 1280:1300] = stained_ground(1600, 20)
    pixels[:, 1300:] = glass(1600, 300)
    found = on_all(find_tissue(slide_of(pixels)), pixels.shape)
    liver = ~vein
    liver[:, 1300:] = False
    assert found[liver].mean() >= 0.99
    assert found[vein].mean() < 0.1
    assert found[:, 1310:].mean() < 0.01


def test_edges_are_not_moved() -> None:
    pixels = glass(1200, 1200)
    tissue = disc(pixels.shape, 600, 600, 450)
    pixels[tissue] = stained_ground(1200, 1200)[tissue]
    area_mm2 = tissue.sum() * 0.25e-6
    assert find_tissue(slide_of(pixels)).area_mm2 == pytest.approx(area_mm2, rel=0.01)


def test_fat_of_real_tiles_is_tissue(shared_data: Path) -> None:
    folder = shared_data / "steatosis-tiles"
    with (folder / "manifest.csv").open() as file:
        rows = sorted(csv.DictReader(file), key=lambda row: -float(row["fat_percent"]))
    kept = total = 0
    for row in [*rows[:40], *rows[40::12]]:
        fat = np.asarray(Image.open(folder / row["mask_path"])) > 0
        found = on_all(find_tissue(slide_of(rgb_of(folder / row["path"]))), fat.shape)
        kept, total = kept + int((fat & found).sum()), total + int(fat.sum())
        assert found.mean() > float(row["tissue_percent"]) / 100 - 0.03, row["path"]
    assert kept / total > 0.999


def test_severe_steatosis_keeps_droplets_and_drops_the_vein(shared_data: Path) -> None:
    pixels = rgb_of(shared_data / "liver" / "severe-macrovesicular.jpg")
    found = on_all(find_tissue(slide_of(pixels, 0.2)), pixels.shape, Frame((0.2, 0.2)))
    assert not found[1350:1450, 2560:2680].any()  # the lumen of the vein
    assert not found[3450:, 3700:].any()  # glass beyond the edge
    assert found[1500:3000, 200:2300].all()  # droplets of up to 50 um, touching


def test_a_section_lies_alone_on_its_glass(shared_data: Path) -> None:
    import napari_steatosis as st

    slide = st.open_slide(shared_data / "slides" / "tiff" / "he-section-pyramid.tiff")
    mask = find_tissue(slide.with_scale(1.0))
    assert 0.29 < mask.values.mean() < 0.34
    pieces = np.bincount(label(mask.values)[0].ravel())[1:]
    assert pieces.max() > 0.98 * pieces.sum()  # dust and coverslip dirt are not tissue


@pytest.mark.parametrize(
    ("pixels", "reason"),
    [
        (glass(900, 700), "no stained tissue"),
        (np.full((300, 300, 3), 255, np.uint8), "no stained tissue"),
        (np.zeros((300, 300, 3), np.uint8), "dark all over"),
        (np.repeat(stained_ground(400, 400)[..., :1], 3, axis=2), "no stained tissue"),
        (np.full((1, 1, 3), 200, np.uint8), "no stained tissue"),
    ],
    ids=["glass", "white", "black", "grey", "one pixel"],
)
def test_no_tissue_gives_an_empty_mask_and_the_reason(
    pixels: NDArray[np.uint8], reason: str
) -> None:
    mask = find_tissue(slide_of(pixels))
    assert mask.area_mm2 == 0
    assert reason in mask.provenance["reason"]


def test_fluorescence_is_not_tissue(shared_data: Path) -> None:
    import napari_steatosis as st

    for path in sorted((shared_data / "slides" / "ndpi").glob("*.ndpi")):
        assert "dark all over" in find_tissue(st.open_slide(path)).provenance["reason"]


def test_a_pale_tile_without_glass_is_all_tissue() -> None:
    pale = 255 - (255 - stained_ground(416, 416).astype(float)) * 0.45
    assert find_tissue(slide_of(pale.astype(np.uint8))).values.all()


def test_black_borders_dust_and_ink_are_not_tissue() -> None:
    pixels = np.zeros((1600, 1600, 3), np.uint8)
    pixels[200:1400, 200:1400] = glass(1200, 1200)
    pixels[500:900, 500:900] = stained_ground(400, 400)
    pixels[1000:1300, 300:340] = (40, 120, 60)  # green felt pen
    pixels[1000:1300, 600:640] = 20  # black felt pen
    pixels[1000:1100, 900:1000] = 150  # shadow of a bubble
    expected = np.zeros((1600, 1600), bool)
    expected[500:900, 500:900] = True
    found = on_all(find_tissue(slide_of(pixels)), pixels.shape)
    assert (found != expected).sum() < 0.1 * expected.sum()
    assert not found[950:].any()


def test_memory_does_not_follow_the_slide() -> None:
    """A slide of 201 MB, drawn by repetition, is read in blocks."""
    pattern = stained_ground(512, 512)

    class Repeated:
        def read(self, level: int, region: Region) -> NDArray[np.uint8]:
            rows = np.arange(region.y, region.y_end) % 512
            columns = np.arange(region.x, region.x_end) % 512
            return pattern[rows[:, None], columns[None, :]]

        def associated(self, name: str) -> NDArray[np.uint8]:
            raise KeyError(name)

    levels = tuple(virtual_levels([(8192, 8192, 1.0)]))
    slide = Slide("repeated", "array", Repeated(), levels, "repeated", (0.5, 0.5))
    tracemalloc.start()
    mask = find_tissue(slide)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert mask.values.all()
    assert peak < 90e6


def test_provenance_is_plain_and_complete() -> None:
    made = find_tissue(slide_of(stained_ground(300, 300)), lumen_um=90).provenance
    assert json.loads(json.dumps(made)) == made
    assert made["method"] == "find_tissue"
    assert made["lumen_um"] == 90
    assert {"version", "um_per_px", "sensitivity", "stain", "gap_um", "piece_um"} < set(made)
    assert made["slide"]["um_per_px"] == [0.5, 0.5]


@pytest.mark.parametrize("um_per_px", [2.0, 8.0, 24.0])
def test_the_mask_lies_on_the_tissue_at_any_resolution(um_per_px: float) -> None:
    pixels = glass(1000, 1000)
    pixels[200:700, 300:900] = stained_ground(500, 600)
    mask = find_tissue(slide_of(pixels), um_per_px=um_per_px)
    assert mask.frame.um_per_px[0] == pytest.approx(um_per_px)
    found = on_all(mask, pixels.shape)
    rows, columns = np.nonzero(found)
    assert rows.mean() == pytest.approx(449.5, abs=um_per_px)
    assert columns.mean() == pytest.approx(599.5, abs=um_per_px)


def test_the_edge_is_finer_on_a_small_slide() -> None:
    pixels = glass(1000, 1100)
    pixels[200:700, 300:900] = stained_ground(500, 600)
    small, large = slide_of(pixels), slide_of(pixels, 3.9)
    assert find_tissue(small).frame.um_per_px == (2.0, 2.0)
    assert find_tissue(large).frame.um_per_px == (3.9, 3.9)
    assert find_tissue(slide_of(pixels, 1.0), um_per_px=4.0).frame.um_per_px == (4.0, 4.0)

    class Bare:
        def read(self, level: int, region: Region) -> NDArray[np.uint8]:
            return np.full((region.height, region.width, 3), 240, np.uint8)

        def associated(self, name: str) -> NDArray[np.uint8]:
            raise KeyError(name)

    levels = tuple(virtual_levels([(4200, 4200, 1.0)]))
    wide = Slide("bare", "array", Bare(), levels, "bare", (1.0, 1.0))
    assert find_tissue(wide).frame.um_per_px == (4.0, 4.0)


def test_errors_name_the_value() -> None:
    with pytest.raises(BadValueError, match="lumen_um must be positive, got -1"):
        find_tissue(slide_of(glass(50, 50)), lumen_um=-1)
    with pytest.raises(BadValueError, match="sensitivity must lie in 0 to 1, got 50"):
        find_tissue(slide_of(glass(50, 50)), sensitivity=50)
    with pytest.raises(MissingScaleError):
        find_tissue(slide_of(glass(50, 50), None))


def test_sensitivity_decides_on_pale_tissue() -> None:
    pixels = glass(800, 800)
    pixels[:, 300:] = (240, 226, 234)  # a density of 0.07 in green
    shares = [find_tissue(slide_of(pixels), sensitivity=s).values.mean() for s in (0, 0.5, 1)]
    assert shares[0] == 0
    assert shares[1:] == pytest.approx([500 / 800] * 2, abs=0.02)


PENS = {
    "green": (40, 120, 60),
    "blue": (40, 60, 170),
    "light blue": (120, 160, 220),
    "cyan": (20, 150, 170),
    "red": (205, 35, 45),
    "orange": (240, 140, 40),
    "brown": (120, 60, 20),
    "black": (20, 20, 20),
}


@pytest.mark.parametrize("name", list(PENS))
def test_felt_pen_is_no_tissue(name: str) -> None:
    pixels = np.concatenate([glass(700, 900), stained_ground(700, 500)], axis=1)
    noise = np.random.default_rng(0).normal(0, 5, (160, 700, 3))
    pixels[200:360, 100:800] = np.clip(PENS[name] + noise, 0, 255)
    found = on_all(find_tissue(slide_of(pixels)), pixels.shape)
    assert not found[:, :880].any()
    assert found[:, 910:].mean() > 0.99


def test_pen_over_tissue_and_folds_are_left_out() -> None:
    tissue = drawn_liver(900, 1500, seed=5, glass=False)
    pixels = tissue.read(Region(y=0, x=0, height=900, width=1500))
    pixels[300:500, 100:700] = (pixels[300:500, 100:700] * [0.2, 0.6, 0.3]).astype(np.uint8)
    fold = pixels[300:440, 900:1500] / 245
    pixels[300:440, 900:1500] = (245 * fold**2.2).astype(np.uint8)  # two layers
    pixels = np.concatenate([pixels, glass(300, 1500)])
    found = on_all(find_tissue(slide_of(pixels)), pixels.shape)
    assert found[330:470, 130:670].mean() < 0.1
    assert found[350:390, 960:1400].mean() < 0.4
    assert found[:250].mean() > 0.99
    assert found[550:880].mean() > 0.99


def test_a_septum_seen_in_parts_keeps_two_droplets_apart() -> None:
    pixels = stained_ground(600, 600)
    for x in (240, 348):
        pixels[disc(pixels.shape, 300, x, 53)] = 243
    pixels[270:330:4, 293:296] = (225, 190, 210)  # a broken line between them
    assert find_tissue(slide_of(pixels)).values.all()


def test_swapped_channels_and_ultrasound_give_a_mask_or_a_reason() -> None:
    swapped = find_tissue(slide_of(np.ascontiguousarray(stained_ground(400, 400)[..., ::-1])))
    assert 0 <= swapped.area_mm2 <= 0.04
    assert swapped.area_mm2 > 0 or swapped.provenance["reason"]
    fan = np.zeros((600, 600), np.uint8)
    rows, columns = np.ogrid[:600, :600]
    inside = (np.hypot(rows, columns - 300) < 580) & (abs(columns - 300) < rows)
    fan[inside] = np.random.default_rng(0).integers(0, 255, np.count_nonzero(inside))
    mask = find_tissue(slide_of(np.repeat(fan[..., None], 3, axis=2)))
    assert mask.area_mm2 == 0
    assert mask.provenance["reason"]
