"""From geometry to colour: amounts of stain per pixel, then optical density to RGB."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from .cells import lining_nuclei, mosaic, scattered
from .damage import loose
from .debris import fragments, spilt
from .droplets import Droplets
from .grain import grain, soften
from .hepatocytes import drawn_nuclei
from .lattice import Doubles, Floats, key_of, noise
from .scene import Scene
from .stamp import Ellipses, Near, stamp
from .style import Style
from .vessels import Vessels, vessels_in, zone
from .view import View

UNIT = 256
"""Integer steps per unit of stain and of optical density."""

ZONE_STEP = 16
"""Coarse pixels per node of the grid on which the zone is computed."""

PLATES_END = 0.2
"""Where the tissue is more fibrous than this, there are no sinusoids."""


def paint(scene: Scene, view: View, step: int) -> NDArray[np.uint8]:
    """Draw a view as ``(height, width, 3) uint8``."""
    style = scene.style
    passes = min(4, round(2 * (style.blur / view.um) ** 2))
    wide = view.grow(passes)
    haematoxylin, eosin, blood = _stains(scene, wide, step)
    planes = [
        soften((np.clip(p, 0, 6) * UNIT).astype(np.int32), passes)
        for p in (haematoxylin, eosin, blood)
    ]
    fine = (15 * style.grain * grain(view, 0.3, 8)).astype(np.int32)
    planes[:2] = [plane + ((plane * fine) >> 8) for plane in planes[:2]]
    return _colour(style, planes, view)


def bare(style: Style, view: View) -> NDArray[np.uint8]:
    """Draw a view that holds only glass."""
    return _colour(style, [], view)


def _colour(style: Style, planes: list[NDArray[np.int32]], view: View) -> NDArray[np.uint8]:
    stains = np.rint(style.stains * UNIT).astype(np.int32)
    out = np.empty((view.height, view.width, 3), np.uint8)
    speckle = (1.1 * grain(view, 0.0, 7)).astype(np.int32)
    for channel in range(3):
        density = speckle.copy()
        for plane, stain in zip(planes, stains, strict=False):
            density += (plane * stain[channel]) >> 8
        table = _table(style.white[channel])
        out[..., channel] = table[np.clip(density + 16, 0, len(table) - 1)]
    return out


@lru_cache(maxsize=64)
def _table(white: float) -> NDArray[np.uint8]:
    density = (np.arange(6 * UNIT) - 16) / UNIT
    return np.clip(np.rint(white * np.exp(-density)), 0, min(255, white + 1)).astype(np.uint8)


def _edge(distance: Floats, soft_um: float | Floats) -> Floats:
    """Return how much of a pixel lies inside an outline: 1 inside, 0 outside."""
    return np.clip(np.float32(0.5) - distance / np.asarray(soft_um, np.float32), 0, 1)


def _stains(scene: Scene, view: View, step: int) -> tuple[Floats, Floats, Floats]:
    """Return haematoxylin, eosin and blood per pixel."""
    style, under = scene.style, view.under(step)
    vessels = vessels_in(scene.seed, under.box)
    deep, lumen = scene.voids(under, vessels)
    cells = mosaic(scene.seed, style, under)
    tract, slack = fibrous(scene, under, vessels)
    fields = _coarse_fields(scene, under, cells.border, cells.shade, cells.clear)
    foam, body, purple = fields
    if (tract > 0).any():
        body = body + tract * (_fibres(scene.seed, under, slack) - body)
    purple = purple + tract * (0.12 - purple)
    sinusoid = np.where(tract > PLATES_END, np.float32(-4), cells.sinusoid)
    eosin, haematoxylin = view.refine(body, step), view.refine(purple, step)
    eosin, haematoxylin = _granular(scene, view, eosin, haematoxylin, view.refine(foam, step))
    inside_sinusoid = _edge(-view.refine(sinusoid, step), max(1.2, view.um))
    fade = 1 - inside_sinusoid * (np.float32(0.97) - 0.3 * view.refine(cells.shade, step) ** 2)
    eosin, haematoxylin = eosin * fade, haematoxylin * fade
    soft = max(1.4, view.um)
    inside_lumen = _edge(view.refine(lumen, step), soft)
    fade = 1 - inside_lumen * np.float32(0.98)
    eosin, haematoxylin = eosin * fade, haematoxylin * fade
    tissue = _edge(-view.refine(deep, step), soft)
    spill = (1 - tissue) * view.refine(spilt(scene, under, deep), step)
    blood = _red_cells(scene, view, np.maximum(np.maximum(inside_sinusoid, inside_lumen), spill))
    droplets, near = scene.stamped(view)
    haematoxylin, eosin = _nuclei(scene, view, vessels, droplets, (haematoxylin, eosin))
    clear = _fat(style, droplets, near, view)
    eosin, haematoxylin, blood = eosin * clear, haematoxylin * clear, blood * clear
    haematoxylin, eosin = haematoxylin * tissue, eosin * tissue
    blood = blood * np.maximum(tissue, spill)
    if style.debris > 0 and (tissue < 1).any():
        purple, pink = (stain * (1 - tissue) for stain in fragments(scene, view))
        haematoxylin, eosin = haematoxylin + purple, eosin + pink
    return haematoxylin, eosin, blood


def fibrous(scene: Scene, under: View, vessels: Vessels) -> tuple[Floats, Floats]:
    """Return how fibrous (tracts, walls, loose tissue) and how loose the tissue is, 0 to 1."""
    wall = _edge(stamp(vessels.walls, under, 6.0).distance, 2.5)
    ragged = 14 * (noise(under.rows, under.columns, 22.0, key_of(scene.seed, "tract edge")) - 0.5)
    tract = np.maximum(_edge(stamp(vessels.tracts, under, 20.0).distance + ragged, 8.0), wall)
    slack = _slack(scene, under)
    return np.maximum(tract, slack), slack


def _slack(scene: Scene, under: View) -> Floats:
    """Return where the tissue is loose, 0 to 1."""
    if scene.style.loose <= 0:
        return np.zeros((under.height, under.width), np.float32)
    return _edge(-loose(scene.seed, scene.style, under.rows, under.columns), 8.0)


def _fibres(seed: int, under: View, slack: Floats) -> Floats:
    """Return the eosin of fibrous tissue: wavy bundles with clefts; paler where loose."""
    y, x = under.rows, under.columns
    bend = 30 * noise(y, x, 55.0, key_of(seed, "fibre bend"))
    strand = noise(y + bend, 0.16 * (x + 0 * y) + 0.3 * bend, 4.0, key_of(seed, "fibre"))
    cleft = np.clip(8 * (np.float32(0.24) - strand), 0, 1)
    return (0.45 + 0.75 * strand) * (1 - 0.9 * cleft) * (1 - 0.35 * slack)


def _coarse_fields(
    scene: Scene, under: View, border: Floats, shade: Floats, clear: Floats
) -> tuple[Floats, Floats, Floats]:
    """Return foam, eosin and haematoxylin of the cytoplasm on the coarse grid."""
    style, seed, y, x = scene.style, scene.seed, under.rows, under.columns
    slow = noise(y, x, 330.0, key_of(seed, "stain")) - 0.5
    cloud = noise(y, x, 11.0, key_of(seed, "cloud")) - 0.5
    sparse = under.under(ZONE_STEP)
    zonal = under.refine(zone(seed, sparse.rows, sparse.columns), ZONE_STEP)
    membrane = _edge(border - 0.5, 1.2)
    eosin = 1.0 + 0.45 * slow + 0.3 * (shade - 0.5) + style.grain * 0.35 * cloud
    eosin = eosin + 0.16 * style.grain * membrane
    patch = noise(y, x, 120.0, key_of(seed, "foam"))
    foam = style.foam * np.clip(2.4 * patch - 0.9, 0, 1) * (0.4 + 0.6 * zonal)
    foam = foam + 0.8 * np.clip(clear * 8 - 7.0, 0, 1) * style.foam
    eosin = eosin * (1 - 0.35 * foam * np.clip(border / 3, 0, 1))
    purple = style.basophilia * (0.8 + 0.5 * (1 - zonal) + 0.3 * slow + 0.3 * (shade - 0.5))
    place = noise(y, x, 140.0, key_of(seed, "pallor")) - (1.02 - 0.55 * style.pallor)
    pale = np.clip(5 * place, 0, 1)
    if pale.any():
        fleck = np.clip(5 * (noise(y, x, 5.5, key_of(seed, "fleck")) - 0.58), 0, 1)
        left = (1 - 0.45 * pale) * (1 - 0.85 * pale * fleck)
        eosin, purple, foam = eosin * left, purple * left, np.maximum(foam, pale)
    return foam, eosin, purple


def _granular(
    scene: Scene, view: View, eosin: Floats, haematoxylin: Floats, foam: Floats
) -> tuple[Floats, Floats]:
    """Give the cytoplasm its grain, and its unlabelled microvesicles where it is foamy."""
    contrast = np.float32(scene.style.grain)
    fine, middle = grain(view, 0.35, 1), grain(view, 0.9, 2)
    eosin = eosin * (1 + contrast * (0.12 * fine + 0.09 * middle))
    haematoxylin = haematoxylin * (1 + contrast * (0.12 * middle - 0.10 * fine))
    lace = np.maximum(grain(view, 0.8, 3), grain(view, 0.45, 6) - 0.3)
    holes = np.clip(lace - (2.1 - 1.9 * foam), 0, 1)
    clear = 1 - np.float32(0.75) * np.minimum(holes * 1.3, 1) * np.minimum(foam * 3, 1)
    return eosin * clear, haematoxylin * clear


def _red_cells(scene: Scene, view: View, space: Floats) -> Floats:
    """Return the blood in sinusoids and lumina."""
    style, seed = scene.style, scene.seed
    if style.congestion <= 0:
        return np.zeros_like(space)
    cells = scattered(seed, "red cell", view.box.grow(10.0), (6.0, 2.4, 3.3))
    crowd = noise(cells.y, cells.x, 45.0, key_of(seed, "congestion"))
    cells = cells.where(crowd < style.congestion * 0.9 + 0.05)
    distance = stamp(cells, view, 1.0).distance
    body = _edge(distance, max(0.9, view.um)) * (1 + 0.12 * np.clip(distance + 1, -2, 0))
    return body * space


def _fat(style: Style, droplets: Droplets, near: Near, view: View) -> Floats:
    """Return the share of stain that droplets leave: soft rims, some of them pale or hazy."""
    radius = np.append(droplets.outlines.radius, 1.0).astype(np.float32)
    mark = np.append(droplets.outlines.mark, 0.0).astype(np.float32)
    small = np.exp(-radius / np.float32(2.2))
    haze = style.haze * (0.9 * small + 0.12 * mark)
    haze = np.where(
        mark > 1 - 0.22 * style.haze, haze + style.haze * np.where(radius > 5, 0.15, 0.4), haze
    )
    um = view.um
    left = np.clip(haze, 0.004, 0.75)[near.index] * (
        1 + 0.5 * np.clip(grain(view, 1.2, 9), -1.6, 2)
    )
    gap = np.clip((near.second - near.distance) / np.float32(max(0.8, um)), 0, 1)
    thin = np.float32(0.45) + np.float32(0.55) * gap
    soft = np.maximum(1.0 + 3.0 * np.clip(haze, 0, 0.6) ** 2, um).astype(np.float32)[near.index]
    inside = _edge(near.distance, soft) * thin
    rim = np.clip(1 - np.abs(near.distance - np.float32(0.9)) / np.float32(0.9), 0, 1)
    return (1 - inside * (1 - np.minimum(left, 1))) * (1 + np.float32(0.12) * rim)


def _nuclei(
    scene: Scene,
    view: View,
    vessels: Vessels,
    droplets: Droplets,
    stains: tuple[Floats, Floats],
) -> tuple[Floats, Floats]:
    """Stamp the nuclei: vesicular in hepatocytes, dark in lining, duct and stray cells."""
    haematoxylin, eosin = stains
    style, seed, box = scene.style, scene.seed, view.box.grow(30.0)
    large = drawn_nuclei(seed, style, box, vessels, droplets)
    near = stamp(large, view, 4.0)
    inside = _edge(near.distance, max(0.9, view.um))
    depth = _per(style.nuclei * (1.05 + 0.9 * large.mark**2), near)
    chromatin = 1 + 0.13 * grain(view, 0.6, 4) - 0.16 * np.clip(-near.distance - 0.6, 0, 1)
    clear = np.where(large.mark * 7.3 % 1 < style.halos, 0.25 + 0.6 * (large.mark * 31 % 1), 0.0)
    ring = _edge(
        np.abs(near.distance - np.float32(0.6) + np.float32(0.9) * grain(view, 2.0, 5))
        - np.float32(0.5),
        1.6,
    )
    halo = 1 - _per(clear, near) * ring
    eosin = eosin * halo * (1 - np.float32(0.45) * inside)
    haematoxylin = haematoxylin * halo
    haematoxylin = haematoxylin * (1 - inside) + inside * depth * chromatin
    dots = _edge(stamp(_nucleoli(large), view, 0.8).distance, max(0.8, view.um))
    haematoxylin = haematoxylin + np.float32(0.55) * dots * inside
    dark = _small_nuclei(scene, view, vessels)
    near = stamp(dark, view, 2.0)
    inside = _edge(near.distance, max(0.9, view.um))
    depth = _per(style.nuclei * (1.5 + 0.9 * dark.mark), near)
    haematoxylin = haematoxylin + inside * (depth - haematoxylin)
    return haematoxylin, eosin + inside * (0.6 - eosin)


def _nucleoli(nuclei: Ellipses) -> Ellipses:
    """Return a nucleolus in about half of the nuclei."""
    some = nuclei.where(nuclei.mark * 17 % 1 < 0.5)
    angle, away = 40 * some.mark, 0.45 * some.radius
    return Ellipses(
        some.y + away * np.sin(angle),
        some.x + away * np.cos(angle),
        0.6 + 0.5 * (some.mark * 53 % 1),
        np.ones(len(some)),
        some.angle,
        some.mark,
    )


def _per(values: Doubles, near: Near) -> Floats:
    """Return the value of the nearest ellipse per pixel, 0 where there is none."""
    return np.append(values, 0.0).astype(np.float32)[near.index]


def _small_nuclei(scene: Scene, view: View, vessels: Vessels) -> Ellipses:
    """Return lining cells, cells of portal tracts and walls, and stray inflammatory cells."""
    style, seed, box = scene.style, scene.seed, view.box.grow(12.0)
    lining = lining_nuclei(seed, 0.10 + 0.2 * style.sinusoids, box)
    lining = lining.where(vessels.lumina.distance(lining.y, lining.x) > 2)
    portal = scattered(seed, "portal cell", box, (7.5, 1.5, 2.6))
    away = vessels.tracts.distance(portal.y, portal.x)
    share = (0.16 + 0.7 * style.inflammation) * np.clip(1 - away / 14, 0, 1)
    free = vessels.walls.distance(portal.y, portal.x) > 1
    portal = portal.where((portal.mark * 13 % 1 < share) & free)
    ring = scattered(seed, "duct cell", box, (4.4, 1.9, 2.5))
    shell = vessels.ducts.distance(ring.y, ring.x)
    ring = ring.where((shell < -1.5) & (shell > -4.8))
    stray = scattered(seed, "stray cell", box, (9.0, 1.4, 2.3))
    crowd = noise(stray.y, stray.x, 60.0, key_of(seed, "inflammation"))
    free = vessels.lumina.distance(stray.y, stray.x) > 2
    stray = stray.where((crowd > 0.93 - 0.35 * style.inflammation) & (stray.mark < 0.5) & free)
    return Ellipses.joined([lining, portal, ring, stray])
