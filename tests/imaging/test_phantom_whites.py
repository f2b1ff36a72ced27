"""The kind of every white place of a drawn liver."""

from __future__ import annotations

import numpy as np

from napari_steatosis.core.geometry import Region
from napari_steatosis.imaging import drawn_liver
from napari_steatosis.imaging.phantom import WHITES
from napari_steatosis.imaging.phantom.lattice import Box
from napari_steatosis.imaging.phantom.vessels import KINDS, vessels_in

VOID = [WHITES.index(name) for name in ("vein", "portal vessel", "duct", "tear", "glass")]


def test_kinds_agree_with_the_truth():
    for glass in (False, True):
        liver = drawn_liver(400, 400, seed=2, glass=glass, fat_percent=20).source
        kinds, truth = liver.white_kinds(liver.bounds), liver.truth(liver.bounds)
        assert np.array_equal(kinds == WHITES.index("fat"), truth == 2)
        assert np.array_equal(np.isin(kinds, VOID), truth == 0)
        assert (kinds == WHITES.index("glass")).any() == glass


def test_kinds_do_not_depend_on_how_they_are_cut():
    liver = drawn_liver(300, 300, seed=5).source
    whole = liver.white_kinds(liver.bounds)
    part = Region(y=70, x=101, height=90, width=133)
    assert np.array_equal(liver.white_kinds(part), whole[part.slices])


def test_each_lumen_is_what_it_belongs_to():
    liver = drawn_liver(4000, 4000, seed=7, glass=False).source
    vessels = vessels_in(liver.seed, Box(0.0, 0.0, 2000.0, 2000.0))
    assert len(vessels.kinds) == len(vessels.lumina)
    names = {"central vein": "vein", "portal vein": "portal vessel", "duct": "duct"}
    for kind, name in names.items():
        mine = (vessels.kinds == KINDS.index(kind)) & (vessels.lumina.radius > 4)
        places = np.column_stack([vessels.lumina.y, vessels.lumina.x])[mine] / liver.um_per_px
        inside = places[((places > 20) & (places < 3980)).all(1)][:6]
        seen = [
            liver.white_kinds(Region(y=int(y) - 4, x=int(x) - 4, height=9, width=9))
            for y, x in inside
        ]
        assert len(seen) > 0
        shown = [one for one in seen if np.isin(one, VOID).mean() > 0.5]
        hits = [(one == WHITES.index(name)).any() for one in shown]
        assert np.mean(hits) > 0.8
