from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from napari.layers import Layer
from napari.utils.notifications import notification_manager
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QFileDialog

import napari_steatosis as st
from discs import disc_slide
from napari_steatosis._napari.layers import slide_layer
from napari_steatosis._napari.model_field import CHOOSE
from napari_steatosis._napari.part_fields import SHAPES, VIEW
from napari_steatosis._napari.scale import give_scale
from napari_steatosis.core.errors import BadValueError, MissingScaleError
from napari_steatosis.core.geometry import Region
from napari_steatosis.imaging import mask_of_polygons

WAIT_MS = 240_000
"""Long, because machines that run tests are busy."""


def click(button) -> None:
    QTest.mouseClick(button.native, Qt.MouseButton.LeftButton)


def errors_shown() -> list[str]:
    return [n.message for n in notification_manager.records if n.severity == "error"]


def finish(form, qtbot) -> None:
    qtbot.waitUntil(lambda: not form.is_running, timeout=WAIT_MS)


def rows(form) -> dict[str, str]:
    table = form.panel.table
    texts = [[table.item(r, c).text() for c in range(3)] for r in range(table.rowCount())]
    return {name: value for name, value, _ in texts}


def test_a_run_gives_a_layer_and_the_numbers_of_a_script(with_slide, qtbot):
    form = with_slide
    click(form.run)
    assert not form.run.enabled
    assert form.cancel.enabled
    finish(form, qtbot)
    scripted = st.analyse(disc_slide())
    own = {**scripted.to_json(), "provenance": form.report.provenance}
    assert str(form.report.to_json()) == str(own)  # what is undefined is not equal to itself
    for key in ("digest", "content"):
        assert form.report.provenance[key] == scripted.provenance[key]
    labels = form.viewer.layers["fat: discs.svs"]
    assert tuple(labels.scale) == (0.5, 0.5)
    assert not labels.editable
    assert np.array_equal(np.asarray(labels.data[0]), np.asarray(scripted.prediction.levels[0]))
    assert rows(form)["Fat area fraction"].endswith("%")
    assert set(rows(form)) > {"Tissue analysed", "Droplets"}
    assert form.panel.table.item(0, 0).toolTip().count("divided by") == 1
    assert form.run.enabled
    assert form.save.enabled


def test_without_a_slide_it_says_how_to_open_one(form):
    click(form.run)
    assert "Open Sample" in errors_shown()[-1]
    assert "Open Sample" in form.panel.flags.text()
    assert not form.is_running


def test_an_image_of_another_reader_is_refused(form):
    form.viewer.add_image(np.zeros((64, 64, 3), np.uint8), rgb=True, name="foreign")
    with pytest.raises(BadValueError, match="foreign"):
        form.request()


def test_grey_images_are_no_slides(form):
    form.viewer.add_image(np.zeros((64, 64)), name="grey")
    assert form.slide.value is None


def test_an_unknown_pixel_size_is_asked_for_and_never_assumed(form, qtbot):
    unknown = replace(disc_slide(), um_per_px=None, scale_source="the file states no pixel size")
    form.viewer.add_layer(Layer.create(*slide_layer(unknown)))
    assert form.pixel_size.value == 0
    with pytest.raises(MissingScaleError, match="Pixel size"):
        form.request()
    click(form.run)
    assert "states no pixel size" in form.panel.flags.text()
    assert not form.is_running
    form.pixel_size.value = 0.5
    click(form.run)
    finish(form, qtbot)
    assert form.report.provenance["slide"]["um_per_px"] == [0.5, 0.5]
    assert "given by the user" in form.panel.flags.text()
    labels = form.viewer.layers["fat: discs.svs"]
    assert tuple(labels.scale) == (1, 1)  # it lies on the slide, which is shown in px


def test_a_pixel_size_given_elsewhere_is_shown(form):
    unknown = replace(disc_slide(), um_per_px=None)
    form.viewer.add_layer(Layer.create(*slide_layer(unknown)))
    give_scale(form.viewer, unknown, 0.25)
    assert form.pixel_size.value == 0.25
    assert form.request().slide.um_per_px == (0.25, 0.25)


def test_label_and_macro_are_no_slides(with_slide):
    picture = np.zeros((64, 64, 3), np.uint8)
    with_slide.viewer.add_image(picture, rgb=True, metadata={"associated": "label"})
    assert [layer.name for layer in with_slide.slide.choices if layer] == ["discs.svs"]


def test_a_known_pixel_size_is_shown_with_its_source_and_locked(with_slide):
    assert with_slide.pixel_size.value == 0.5
    assert with_slide.pixel_size.native.isReadOnly()
    assert with_slide._which.source.text() == "drawn"


def test_regions_and_exclusions_drawn_as_shapes(with_slide, qtbot):
    form = with_slide
    inside = np.array([(50, 50), (50, 450), (400, 450), (400, 50)])  # um
    hole = inside * 0.2 + 100
    region = form.viewer.add_shapes([inside], name="region", units=("um", "um"))
    form.viewer.add_shapes([hole], name="hole", units=("um", "um"))
    form.part.region.value = SHAPES
    form.part.shapes.value = region
    form.exclude.value = form.viewer.layers["hole"]
    click(form.run)
    finish(form, qtbot)
    within, without = mask_of_polygons([inside]), mask_of_polygons([hole])
    scripted = st.analyse(disc_slide(), region=within, exclude=without)
    assert form.report.provenance["digest"] == scripted.provenance["digest"]
    assert form.report.provenance["content"] == scripted.provenance["content"]
    classes = np.asarray(form.report.prediction.levels[0])
    assert not classes[:96].any()  # above 50 um
    assert not classes[250:310, 250:340].any()  # in the hole
    assert classes[400:700, 400:800].any()


def test_a_region_of_shapes_needs_a_layer(with_slide):
    with_slide.part.region.value = SHAPES
    with pytest.raises(BadValueError, match="Shapes layer"):
        with_slide.request()


def test_the_current_view_is_the_region(with_slide):
    form = with_slide
    form.part.region.value = VIEW
    form.viewer.canvas.size = (200, 300)
    form.viewer.scene.camera.zoom = 1.0
    form.viewer.scene.camera.center = (0, 300.0, 250.0)
    region = form.request().region
    assert region.area_mm2 * 1e6 == pytest.approx(200 * 300, rel=0.05)


def test_cancel_in_the_middle_stops_within_a_tile_and_measures_nothing(form, qtbot):
    form.viewer.add_layer(Layer.create(*slide_layer(disc_slide(5000, 4000))))
    click(form.run)
    qtbot.waitUntil(lambda: form.tiles_done > 0, timeout=WAIT_MS)
    click(form.cancel)
    done = form.tiles_done
    finish(form, qtbot)
    assert form.report is None
    assert form.tiles_done <= done + 2  # the tile at work, and one on its way to the window
    assert form.panel.bar.value() < 1
    assert "Stopped" in form.panel.status.text()
    assert np.asarray(form.viewer.layers["fat: discs.svs"].data[-1]).any()
    assert not form.save.enabled


def test_cancelled_before_the_first_tile_no_empty_layer_stays(with_slide, qtbot):
    click(with_slide.run)
    click(with_slide.cancel)
    finish(with_slide, qtbot)
    assert [layer.name for layer in with_slide.viewer.layers] == ["discs.svs"]


class DamagedPyramid:
    """Two stored levels, the finer one damaged in one place."""

    def __init__(self, slide, damaged: Region) -> None:
        whole = [Region(y=0, x=0, height=one.height, width=one.width) for one in slide.levels]
        self.levels = [slide.read(region, level) for level, region in enumerate(whole)]
        self.damaged = damaged

    def read(self, level: int, region: Region) -> np.ndarray:
        if level == 0 and region.intersect(self.damaged) is not None:
            raise RuntimeError("truncated strip")
        return self.levels[level][region.slices]

    def associated(self, name: str) -> np.ndarray:
        raise KeyError(name)


def test_a_read_that_fails_in_the_middle_is_flagged_and_stays_not_analysed(form, qtbot):
    whole = disc_slide(2200, 1000)
    levels = tuple(replace(one, stored=n, shrink=1) for n, one in enumerate(whole.levels))
    damaged = Region(y=1500, x=500, height=9, width=9)
    slide = replace(whole, source=DamagedPyramid(whole, damaged), levels=levels)
    form.viewer.add_layer(Layer.create(*slide_layer(slide)))
    click(form.run)
    finish(form, qtbot)
    assert "could not be read" in form.panel.flags.text()
    assert "truncated strip" in form.panel.flags.text()
    classes = np.asarray(form.report.prediction.levels[0])
    assert not classes[damaged.slices].any()
    assert classes[:1000].any()
    scripted = st.analyse(slide, accept_unreadable=True)
    assert form.report.provenance["content"] == scripted.provenance["content"]
    assert rows(form)["Fat area fraction"].endswith("%")


def test_results_and_report_go_to_the_folder(with_slide, qtbot, tmp_path):
    form = with_slide
    form.folder.value = tmp_path / "out"
    click(form.run)
    finish(form, qtbot)
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names >= {f"discs{end}" for end in (".zarr", ".html", ".json", ".csv", ".geojson.gz")}
    first = form.report.provenance["content"]
    click(form.run)  # everything is there already
    finish(form, qtbot)
    assert form.report.provenance["content"] == first


def test_another_setting_on_the_same_folder_is_refused_with_a_reason(with_slide, qtbot, tmp_path):
    form = with_slide
    form.folder.value = tmp_path
    click(form.run)
    finish(form, qtbot)
    form.part.region.value = VIEW
    form.viewer.canvas.size = (200, 300)
    click(form.run)
    finish(form, qtbot)
    assert "begun with other inputs" in form.panel.flags.text()
    assert len([text for text in errors_shown() if "begun with other inputs" in text]) == 1
    form.replace.value = True
    click(form.run)
    finish(form, qtbot)
    assert form.report is not None


def test_a_report_can_be_saved_later_and_as_pdf_too(with_slide, qtbot, tmp_path):
    pytest.importorskip("plutoprint")
    form = with_slide
    click(form.run)
    finish(form, qtbot)
    form.pdf.value = True
    form.write_report(tmp_path)
    finish(form, qtbot)
    assert Path(tmp_path / "discs.html").read_text().count("Research use only") >= 1
    assert Path(tmp_path / "discs.pdf").read_bytes().startswith(b"%PDF")


def test_pdf_without_its_package_is_refused_before_the_run(with_slide, monkeypatch):
    monkeypatch.setitem(sys.modules, "plutoprint", None)
    with_slide.pdf.value = True
    click(with_slide.run)
    assert "napari-steatosis[pdf]" in errors_shown()[-1]
    assert not with_slide.is_running


def test_a_folder_can_be_the_model(form, monkeypatch, tmp_path):
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *a: str(tmp_path))
    form.model.value = CHOOSE
    assert form.model.value == str(tmp_path)
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *a: "")
    form.model.value = CHOOSE
    assert form.model.value == "steatosis-he"


def test_choosers_follow_the_layers(form):
    layer = form.viewer.add_layer(Layer.create(*slide_layer(disc_slide(), "first")))
    assert form.slide.value.name == "first"
    form.viewer.add_layer(Layer.create(*slide_layer(disc_slide(), "second")))
    assert form.slide.value.name == "first"
    layer.name = "renamed"
    shown = form.slide.native
    assert {shown.itemText(i) for i in range(shown.count())} >= {"renamed", "second"}
    form.viewer.layers.remove(layer)
    assert form.slide.value.name == "second"


def test_an_error_while_running_is_shown_once(with_slide, qtbot, tmp_path):
    form = with_slide
    form.model.choices = [*form.model.choices, str(tmp_path)]
    form.model.value = str(tmp_path)  # no model in this folder
    before = len(errors_shown())
    click(form.run)
    finish(form, qtbot)
    assert len(errors_shown()) == before + 1
    assert str(tmp_path) in errors_shown()[-1]
    assert form.run.enabled
    assert len(form.viewer.layers) == 1
