"""A run of the form *Analyse slide*: what it says, which tiles it computes, what it leaves."""

from __future__ import annotations

import gc

import numpy as np
from napari.layers import Layer
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

import napari_steatosis as st
from discs import disc_slide
from napari_steatosis._napari.layers import slide_layer
from napari_steatosis._napari.part_fields import SHAPES
from napari_steatosis._napari.results import number
from napari_steatosis._napari.sample_data import large_slide
from napari_steatosis.core.geometry import Region
from napari_steatosis.imaging import mask_of_polygons
from napari_steatosis.pipelines._plan import plan_segmentation

WAIT_MS = 240_000
"""Long, because machines that run tests are busy."""


def click(button) -> None:
    QTest.mouseClick(button.native, Qt.MouseButton.LeftButton)


def finish(form, qtbot) -> None:
    qtbot.waitUntil(lambda: not form.is_running, timeout=WAIT_MS)


def test_the_plan_is_shown_before_the_first_tile(form, qtbot):
    form.viewer.add_layer(Layer.create(*slide_layer(disc_slide(2200, 1000))))
    shown = {}
    happened = form._happened

    def watch(event):
        happened(event)
        if form.panel.plan.text():
            shown.setdefault(form.panel.plan.text(), form.tiles_done)

    form._happened = watch
    click(form.run)
    finish(form, qtbot)
    ((text, done),) = shown.items()
    assert done == 0
    plan = plan_of(form.report)
    first, second = text.splitlines()
    assert first.startswith(f"{len(plan.tiles)} tiles · ")
    assert f" {number(plan.pixels / 1e6)} Mpx · about " in first
    assert f"{number(plan.within.area_mm2)} mm² of tissue" in first
    assert second == f"Computed on {plan.model.compute}"
    assert form.panel.status.text().startswith("Done in ")


def plan_of(report, **regions):
    slide = report.prediction.slide
    within = st.find_tissue(slide)
    if "region" in regions:
        within = within & regions["region"]
    if "exclude" in regions:
        within = within.without(regions["exclude"])
    return plan_segmentation(slide, st.load_model("steatosis-he"), within=within)


def test_only_tiles_that_touch_a_region_are_computed(form, qtbot):
    form.viewer.add_layer(Layer.create(*slide_layer(disc_slide(2900, 2300))))
    region = np.array([(100, 100), (100, 600), (1200, 600), (1200, 100)])  # um
    hole = np.array([(0, 0), (0, 1150), (800, 1150), (800, 0)])
    form.viewer.add_shapes([region], name="region", units=("um", "um"))
    form.viewer.add_shapes([hole], name="hole", units=("um", "um"))
    form.part.region.value = SHAPES
    form.part.shapes.value = form.viewer.layers["region"]
    form.exclude.value = form.viewer.layers["hole"]
    stored = watch_tiles(form)
    click(form.run)
    finish(form, qtbot)
    masks = {"region": mask_of_polygons([region]), "exclude": mask_of_polygons([hole])}
    plan = plan_of(form.report, **masks)
    assert 1 < len(plan.tiles) < len(plan.grid) / 2
    assert sorted((one.y, one.x) for one in stored) == sorted(
        (plan.grid[index].inner.y, plan.grid[index].inner.x) for index in plan.tiles
    )
    left_out = Region(y=0, x=0, height=1590, width=2300)
    assert not any(one.y_end <= left_out.height for one in stored)


def watch_tiles(form) -> list[Region]:
    stored, advance = [], form._advance

    def watch(progress):
        stored.append(progress.inner)
        advance(progress)

    form._advance = watch
    return stored


def test_tiles_follow_a_user_who_moves_on(form, qtbot):
    form.viewer.add_layer(Layer.create(*slide_layer(large_slide())))
    form.viewer.canvas.size = (200, 200)
    camera = form.viewer.scene.camera
    camera.zoom, camera.center = 1.0, (0, 300.0, 300.0)  # um
    stored = watch_tiles(form)
    click(form.run)
    qtbot.waitUntil(lambda: len(stored) > 0, timeout=WAIT_MS)
    assert stored[0].y < 1100
    camera.center = (0, 4200.0, 2800.0)
    seen = Region(y=8200, x=5400, height=400, width=400)
    before = len(stored)
    qtbot.waitUntil(
        lambda: any(one.intersect(seen) for one in stored) or not form.is_running, timeout=WAIT_MS
    )
    click(form.cancel)
    place = next(i for i, one in enumerate(stored) if one.intersect(seen))
    assert place <= before + 8  # what two threads had under way


def test_cancelled_while_tissue_is_looked_for(form, qtbot):
    form.viewer.add_layer(Layer.create(*slide_layer(large_slide())))
    shares, show = [], form.panel.show_share

    def watch(done):
        shares.append(done)
        show(done)
        form.stop()

    form.panel.show_share = watch
    click(form.run)
    finish(form, qtbot)
    assert shares
    assert shares[0] < 0.9
    assert form.report is None
    assert "Stopped" in form.panel.status.text()
    assert len(form.viewer.layers) == 1


def models_alive() -> int:
    gc.collect()
    return sum(type(one).__name__ == "TorchModel" for one in gc.get_objects())


def test_the_model_has_gone_after_a_run_and_after_a_cancel(with_slide, qtbot):
    form = with_slide
    form.warming.join(240)
    before = models_alive()
    click(form.run)
    finish(form, qtbot)
    assert models_alive() <= before
    click(form.run)
    qtbot.waitUntil(lambda: form.labels is not None, timeout=WAIT_MS)
    click(form.cancel)
    finish(form, qtbot)
    qtbot.wait(50)
    assert models_alive() <= before
