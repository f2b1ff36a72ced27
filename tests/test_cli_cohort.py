"""The command that analyses the slides of a study."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pandas
import pytest

import napari_steatosis as st


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    for name, side in (("a", 400), ("b", 2000)):  # the second is not done when the first is
        st.write(st.drawn_liver(side, side, seed=5, glass=False), folder / f"{name}.ome.zarr")
    (folder / "c.svs").write_text("this is no slide")
    (folder / "all.csv").write_text("path,patient\na.ome.zarr,P1\nb.ome.zarr,P2\nc.svs,P3\n")
    (folder / "good.csv").write_text("path\na.ome.zarr\nb.ome.zarr\n")
    return folder


def command(*arguments):
    return [sys.executable, "-m", "napari_steatosis.cli", "cohort", *map(str, arguments)]


def shell(*arguments):
    return subprocess.run(command(*arguments), capture_output=True, text=True, timeout=500)


def test_exit_codes_lines_and_a_second_call(study, tmp_path):
    done = shell(study / "all.csv", "--out", tmp_path, "--json")
    assert done.returncode == 1, done.stderr
    said = {
        line["slide"].split("/")[-1]: line for line in map(json.loads, done.stdout.splitlines())
    }
    assert said["a.ome.zarr"]["state"] == "done"
    assert said["a.ome.zarr"]["measurements"]
    assert "cannot be opened" in said["c.svs"]["error"]
    assert "1 failed" in done.stderr
    assert "Traceback" not in done.stderr
    good = shell(study / "good.csv", "--out", tmp_path, "--json")
    assert good.returncode == 0, good.stderr
    assert [json.loads(line)["state"] for line in good.stdout.splitlines()] == ["kept", "kept"]
    assert list(pandas.read_csv(tmp_path / "slides.csv")["slide"]) == ["a", "b"]
    bad = shell(study / "none.csv", "--out", tmp_path)
    assert bad.returncode == 1
    assert "none.csv cannot be read as a table" in " ".join(bad.stderr.split())


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_at_once_and_the_same_command_goes_on(study, tmp_path, how):
    arguments = (study / "good.csv", "--out", tmp_path, "--json")
    process = subprocess.Popen(
        command(*arguments),
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert json.loads(process.stdout.readline())["state"] == "done"
    if how == signal.SIGINT:
        os.killpg(process.pid, how)  # as a terminal does
    else:
        process.send_signal(how)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "goes on" in stderr
    assert "Traceback" not in stderr
    if how == signal.SIGINT:
        again = shell(*arguments)
        assert again.returncode == 0, again.stderr
        assert [json.loads(one)["state"] for one in again.stdout.splitlines()] == ["kept", "done"]


def test_a_scheduler_that_does_not_answer_is_one_message(study, tmp_path):
    done = shell(study / "good.csv", "--out", tmp_path, "--scheduler", "tcp://127.0.0.1:9")
    assert done.returncode == 1
    assert "No dask scheduler answers" in done.stderr
    assert "Traceback" not in done.stderr
