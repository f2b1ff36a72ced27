"""Draw the picture of the drawn liver in the documentation; compare it with real tiles.

    python benchmarks/phantom_picture.py
    python benchmarks/phantom_picture.py --compare /tmp/drawn-and-real.png --data path/to/data

The first writes docs/images/drawn-liver.png, drawn tissue only. The second also writes real
tiles (top rows) above drawn ones (bottom rows) to a place of your own, where real tiles are
at hand; that picture holds other people's images and does not belong into the repository.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np
from PIL import Image

from napari_steatosis.core.geometry import Region
from napari_steatosis.imaging.phantom import drawn_liver

ROOT = Path(__file__).parents[1]
SIDE = 256
FAT = (0.0, 1.0, 4.0, 8.0, 12.0, 18.0, 25.0, 35.0)
GAP = 4


def sheet(tiles: list[np.ndarray], columns: int) -> np.ndarray:
    """Lay tiles of one size out in rows on white."""
    side = tiles[0].shape[0] + GAP
    rows = -(-len(tiles) // columns)
    out = np.full((rows * side - GAP, columns * side - GAP, 3), 255, np.uint8)
    for k, tile in enumerate(tiles):
        y, x = k // columns * side, k % columns * side
        out[y : y + tile.shape[0], x : x + tile.shape[1]] = tile
    return out


def drawn(side: int, first_seed: int) -> list[np.ndarray]:
    """Return one window per wanted fat, each of another liver; the second shows an edge."""
    tiles = []
    for k, fat in enumerate(FAT):
        edge = k == 1
        slide = drawn_liver(1200, 1200, seed=first_seed + k, fat_percent=fat, glass=edge)
        y, x = (60, 300) if edge else (400, 400)
        tiles.append(slide.read(Region(y=y, x=x, height=side, width=side)))
    return tiles


def real(data: Path, seed: int) -> list[np.ndarray]:
    """Return eight real tiles from fat-free to the fattest."""
    folder = data / "steatosis-tiles"
    with open(folder / "manifest.csv", newline="") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: float(row["fat_percent"]))
    random = np.random.default_rng(seed)
    bands = np.array_split(np.arange(len(rows))[-200:], 6)
    chosen = [*random.integers(0, len(rows) - 200, 2), *(random.choice(band) for band in bands)]
    return [np.asarray(Image.open(folder / rows[k]["path"]).convert("RGB")) for k in chosen]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images" / "drawn-liver.png")
    parser.add_argument("--compare", type=Path, help="where to write real and drawn tiles")
    parser.add_argument("--data", type=Path, help="folder that holds steatosis-tiles")
    parser.add_argument("--seed", type=int, default=40)
    given = parser.parse_args()
    if given.compare:
        if given.data is None:
            parser.error("--compare needs --data, the folder that holds steatosis-tiles")
        tiles = real(given.data, given.seed)
        both = tiles + drawn(tiles[0].shape[0], given.seed)
        Image.fromarray(sheet(both, 4)).save(given.compare)
    picture = Image.fromarray(sheet(drawn(SIDE, given.seed), 4))
    given.out.parent.mkdir(parents=True, exist_ok=True)
    picture.quantize(128, dither=Image.Dither.NONE).save(given.out, optimize=True)


if __name__ == "__main__":
    main()
