"""Slides of a study side by side: each on its own, none lost, and what cannot work said first."""

from __future__ import annotations

import csv
import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pandas
import pytest

import napari_steatosis as st
from napari_steatosis.core.errors import BadValueError, CannotOpenError, StoreBusyError
from napari_steatosis.models._threads import sharing, threads, use_threads
from napari_steatosis.pipelines import _cohort_pool, _cohort_record
from napari_steatosis.pipelines._cohort_process import Settings
from napari_steatosis.pipelines._cohort_record import Record
from napari_steatosis.pipelines._manifest import read_rows, with_model
from napari_steatosis.pipelines.cohort import _settings as cohort_settings


@pytest.fixture(scope="module")
def slides(tmp_path_factory):
    """Two drawn livers, and a file that is none."""
    folder = tmp_path_factory.mktemp("slides")
    for name, seed in (("a", 5), ("b", 6)):
        st.write(st.drawn_liver(400, 400, seed=seed, glass=False), folder / f"{name}.ome.zarr")
    (folder / "broken.svs").write_text("this is no slide")
    manifest(
        folder,
        "path,patient,mpp,sex,name",
        "a.ome.zarr,P1,,f,",
        "broken.svs,P2,0.5,m,",
        "b.ome.zarr,P1,,f,liver-b",
    )
    return folder


@pytest.fixture(scope="module")
def study(slides, tmp_path_factory):
    """Give the manifest, the folder of the results, what was said, and what came back."""
    out, states = tmp_path_factory.mktemp("out"), []
    result = st.cohort(slides / "manifest.csv", out, jobs=2, on_state=states.append)
    return slides / "manifest.csv", out, states, result


def manifest(folder, *lines):
    path = folder / "manifest.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def states_of(states, name):
    return [one.state for one in states if one.row.name == name]


def test_slides_side_by_side_are_those_of_one_after_the_other(slides, study):
    _, out, states, result = study
    assert [report.title for report in result.reports] == ["a", "liver-b"]
    assert list(result.failed) == ["broken"]
    assert "cannot be opened as a slide" in result.failed["broken"]
    assert result.left == ()
    assert states_of(states, "a")[0] == "running"
    for name, file in (("a", "a"), ("liver-b", "b")):
        alone = st.analyse(st.open_slide(slides / f"{file}.ome.zarr"))
        stored = st.open_results(out / f"{name}.zarr")
        assert stored.provenance["content"] == alone.provenance["content"]
        assert np.array_equal(stored.levels[0][:], alone.prediction.levels[0][:])
        assert (out / f"{name}.html").stat().st_size > 0
    rows = pandas.read_csv(out / "slides.csv")
    assert list(rows["slide"]) == ["a", "liver-b"]
    assert list(rows["patient"]) == ["P1", "P1"]
    assert len(pandas.read_csv(out / "slides_patients.csv")) == 1
    with (out / "failed.csv").open() as file:
        (failed,) = csv.DictReader(file)
    assert (failed["path"], failed["row"], failed["sex"]) == ("broken.svs", "3", "m")
    assert "cannot be opened" in failed["error"]


def test_the_same_call_again_keeps_and_retries(slides, study, tmp_path):
    table, first, _, result = study
    out, states = tmp_path / "out", []
    shutil.copytree(first, out)
    pictures = (out / "a.html").stat().st_mtime_ns
    again = st.cohort(table, out, on_state=states.append)
    assert states_of(states, "a") == states_of(states, "liver-b") == ["kept"]
    assert states_of(states, "broken")[-1] == "failed"
    assert pictures == (out / "a.html").stat().st_mtime_ns
    for mine, other in zip(again.reports, result.reports, strict=True):
        assert json.dumps(mine.to_json()) == json.dumps(other.to_json())

    shutil.copytree(slides, tmp_path / "in")
    (tmp_path / "in/broken.svs").unlink()
    st.write(st.drawn_liver(256, 256, seed=7, glass=False), tmp_path / "in/mended.ome.tif")
    (tmp_path / "in/mended.ome.tif").rename(tmp_path / "in/broken.svs")
    states.clear()
    retried = st.cohort(
        tmp_path / "in/manifest.csv", out, retry_failed=True, on_state=states.append
    )
    assert retried.failed == {}
    assert states_of(states, "broken")[-1] == "done"
    assert list(pandas.read_csv(out / "slides.csv")["slide"]) == ["a", "broken", "liver-b"]
    assert not (out / "failed.csv").exists()


def test_a_finished_slide_is_kept_only_if_it_is_what_is_asked_for(study, tmp_path, monkeypatch):
    table, first, _, _ = study
    out = tmp_path / "out"
    shutil.copytree(first, out)
    settings = cohort_settings(out, 1, {})
    row = with_model(read_rows(table), "steatosis-he")[0]

    def kept(row=row, settings=settings):
        return Record(out / "cohort.jsonl").finished(row, settings) is not None

    assert kept()
    assert not kept(replace(row, um_per_px=0.45))
    assert not kept(replace(row, model="steatosis-he-drawn"))
    assert not kept(replace(row, swap_red_blue=True))
    assert not kept(replace(row, regions=table))
    assert not kept(replace(row, name="another"))
    assert not kept(settings=replace(settings, precision="fp32"))
    assert not kept(settings=replace(settings, overwrite=True))
    with (out / "cohort.jsonl").open("ab") as file:
        file.write(b'{"name": "a", "err')  # a line torn by a kill
    assert kept()
    assert (out / "cohort.jsonl").read_bytes().endswith(b"\n")
    text = (out / "a.json").read_text()
    (out / "a.json").write_text(text[:100])
    assert not kept()
    (out / "a.json").write_text(text)
    assert kept()
    monkeypatch.setattr(_cohort_record, "__version__", "9.9")
    assert not kept()
    monkeypatch.undo()
    shutil.rmtree(out / "a.zarr")
    assert not kept()


def test_the_same_stem_twice_needs_names(slides, tmp_path):
    (tmp_path / "other").mkdir()
    shutil.copytree(slides / "b.ome.zarr", tmp_path / "other" / "a.ome.zarr")
    paths = [slides / "a.ome.zarr", tmp_path / "other/a.ome.zarr"]
    with pytest.raises(BadValueError, match=r"row 2: its results would be named a, .*row 1"):
        st.cohort(paths, tmp_path / "out")
    named = [{"path": path, "name": f"a{i}"} for i, path in enumerate(paths)]
    assert [row.name for row in read_rows(named)] == ["a0", "a1"]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["file,patient", "a.ome.zarr,P1"], r"no column path \(or slide\); it has: file, patient"),
        (["path,mpp", "a.ome.zarr,abc"], r"row 2: um_per_px is 'abc'.*0\.25"),
        (["path,mpp", "a.ome.zarr,250"], r"row 2: um_per_px is '250'.*0\.05 to 20"),
        (["path", "a.ome.zarr", "nowhere.svs"], r"row 3: .*nowhere\.svs: there is no such file"),
        (["path", "a.ome.zarr", "./a.ome.zarr"], r"row 3: .*is the slide of row 2"),
        (["path,patient", ",P1"], "row 2: the path is empty"),
        (["path,regoins", "a.ome.zarr,"], "column 'regoins'. Is 'regions' meant"),
        (["path,regions", "a.ome.zarr,x.geojson"], r"row 2: .*x\.geojson, of the column regions"),
        (["path,model", "a.ome.zarr,steatosis-xx"], r"row 2: There is no model named"),
        (["path,name", "a.ome.zarr,slides"], "row 2: the name 'slides' is that of a table"),
        (["path,name", "a.ome.zarr,x/y"], "row 2: the name 'x/y' cannot be that of a file"),
        (["path,name", "a.ome.zarr,x", "b.ome.zarr,x_tiles"], "row 3: its results .* row 2"),
        (["path,tissue", "a.ome.zarr,1.5"], r"row 2: tissue is '1\.5'; write a sensitivity from 0"),
        (["path,tissue", "a.ome.zarr,a.png"], r"row 2: tissue is 'a\.png': there is no .*a\.png"),
        (["path,tissue", "a.ome.zarr,broken.svs"], r"tissue is 'broken\.svs', which is no mask"),
        (["path,tissue", "broken.svs,."], r"row 2: tissue is .*has no tissue mask of .*broken"),
        (["path,stain", "a.ome.zarr,macenco"], "row 2: stain is 'macenco'; write one of auto,"),
        (["path,stain", "a.ome.zarr,matrix"], "row 2: stain is 'matrix'"),
        (["path,reference", "a.ome.zarr,he-blue"], "row 2: reference is 'he-blue'; write one"),
        (["path,srgb", "a.ome.zarr,perhaps"], "row 2: srgb is 'perhaps'; write yes or no"),
        (["path", "a.ome.zarr,P1"], "more cells than there are columns"),
        (["path,path", "a.ome.zarr,"], "column 'path' twice"),
        (["path"], "lists no slide"),
        ([""], "no column path"),
    ],
)
def test_a_bad_manifest_is_refused_before_anything_is_computed(slides, tmp_path, lines, said):
    shutil.copytree(slides, tmp_path / "in")
    table = manifest(tmp_path / "in", *lines)
    with pytest.raises(BadValueError, match=f"(?s){said}"):
        st.cohort(table, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_every_bad_row_is_named_at_once(slides, tmp_path):
    shutil.copytree(slides, tmp_path / "in")
    table = manifest(tmp_path / "in", "path,mpp", "x.svs,0.5", "a.ome.zarr,-1", "y.svs,")
    with pytest.raises(BadValueError) as caught:
        read_rows(table)
    assert all(f"row {number}:" in str(caught.value) for number in (2, 3, 4))
    (tmp_path / "m.csv").write_text("in the way")
    with pytest.raises(CannotOpenError, match="UTF-8"):
        read_rows(tmp_path / "missing.csv")
    with pytest.raises(BadValueError, match=r"no model\.json"):
        st.cohort([slides / "a.ome.zarr"], tmp_path / "out", model=str(tmp_path))
    with pytest.raises(CannotOpenError, match=r"m\.csv.* cannot be written.*--out"):
        st.cohort([slides / "a.ome.zarr"], tmp_path / "m.csv" / "out")
    with pytest.raises(BadValueError, match=r"1000 slides at a time need about 1500\.0 GB"):
        st.cohort([slides / "a.ome.zarr"], tmp_path / "out", jobs=1000)


def test_tables_as_spreadsheets_write_them(slides, tmp_path):
    shutil.copytree(slides, tmp_path / "in")
    table = tmp_path / "in/m.csv"
    table.write_bytes("﻿Slide;Patient;MPP\r\na.ome.zarr;Ü;0.5\r\n;;\r\n".encode())
    (row,) = read_rows(table)
    assert (row.name, row.patient, row.um_per_px, row.number) == ("a", "Ü", 0.5, 2)


def test_a_process_that_is_killed_fails_its_slide_and_no_other(slides, tmp_path):
    def kill_b(state):
        if state.row.name == "b" and state.stage == "Loading the model":
            os.kill(multiprocessing.active_children()[-1].pid, signal.SIGKILL)

    given = [slides / "b.ome.zarr", slides / "a.ome.zarr"]
    result = st.cohort(given, tmp_path, on_state=kill_b)
    assert [one.title for one in result.reports] == ["a"]
    assert "signal SIGKILL" in result.failed["b"]
    assert "fewer jobs" in result.failed["b"]


def test_a_stopped_cohort_goes_on_and_leaves_no_process(slides, tmp_path):
    def interrupt(state):
        if state.stage == "Finding tissue":
            raise KeyboardInterrupt

    given = [slides / "b.ome.zarr"]
    with pytest.raises(KeyboardInterrupt):
        st.cohort(given, tmp_path, on_state=interrupt)
    assert multiprocessing.active_children() == []
    stopped = st.cohort(given, tmp_path, should_stop=lambda: True)
    assert stopped.left == ("b",)
    assert (stopped.reports, stopped.failed, stopped.files) == ((), {}, ())
    result = st.cohort(given, tmp_path)
    alone = st.analyse(st.open_slide(slides / "b.ome.zarr"))
    assert result.reports[0].provenance["content"] == alone.provenance["content"]


def test_a_second_cohort_in_the_folder_is_refused(study, tmp_path):
    table, first, _, _ = study
    out, refused = tmp_path / "out", []
    shutil.copytree(first, out)

    def another(state):
        with pytest.raises(StoreBusyError, match="Another process"):
            st.cohort(table, out)
        refused.append(state.state)

    st.cohort(table, out, on_state=another, should_stop=lambda: True)
    assert refused == ["kept", "kept"]


def test_a_process_ends_with_its_caller(tmp_path):
    worker = _cohort_pool.Worker.start(Settings(tmp_path))
    deadline = time.monotonic() + 120
    while not worker.ready:
        assert time.monotonic() < deadline
        worker.hear()
    worker.connection.close()  # as the end of the caller does
    worker.process.join(30)
    assert worker.process.exitcode == 0


def test_each_process_has_its_share_of_the_threads(tmp_path):
    everything = cohort_settings(tmp_path, 1, {}).threads
    assert everything == threads()
    with sharing(1):
        use_threads(5)
        assert cohort_settings(tmp_path, 2, {}).threads == 2
        assert cohort_settings(tmp_path, 6, {}).threads == 1
    code = (
        "from napari_steatosis.models._threads import use_threads; use_threads(1);"
        "import torch; before = torch.get_num_threads(); use_threads(2);"
        "print(before, torch.get_num_threads())"
    )
    elsewhere = {k: v for k, v in os.environ.items() if k != "OMP_NUM_THREADS"}
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, env=elsewhere)
    assert said.stdout.split() == [b"1", b"2"]


def test_the_tiles_of_a_cohort_on_a_dask_cluster(slides, tmp_path):
    distributed = pytest.importorskip("distributed")
    with distributed.Client(
        n_workers=1, threads_per_worker=1, dashboard_address="localhost:0"
    ) as client:
        result = st.cohort([slides / "a.ome.zarr"], tmp_path, client=client)
    assert result.failed == {}
    alone = st.analyse(st.open_slide(slides / "a.ome.zarr"))
    assert result.reports[0].provenance["content"] == alone.provenance["content"]
