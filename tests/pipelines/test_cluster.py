"""The same run on real worker processes, and what is said where they cannot do it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import napari_steatosis as st
from brightness_model import BrightnessModel
from discs import disc_slide
from napari_steatosis.core.errors import BadValueError, ClusterError
from napari_steatosis.models import load_model, save_model
from napari_steatosis.pipelines import _cluster_workers
from napari_steatosis.pipelines._blocks import Block
from napari_steatosis.pipelines._cluster import WorkersModel, model_on, on_cluster
from napari_steatosis.pipelines._cluster_workers import connect
from napari_steatosis.pipelines._plan import plan_segmentation
from napari_steatosis.pipelines._tiles import compute_all
from napari_steatosis.pipelines.segment import open_store, run, segment

pytest.importorskip("distributed")

TESTS = Path(__file__).parents[1]
FOUND_BY_WORKERS = [str(TESTS.parent), str(TESTS), *sys.path]
"""Where workers find this file, what it uses, and the package."""


def level0(prediction):
    return np.asarray(prediction.levels[0][:])


def started(stack, *arguments, **options):
    """Start a process of dask, and end it with the stack."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(FOUND_BY_WORKERS)}
    environment.pop("OMP_NUM_THREADS", None)
    process = subprocess.Popen(
        [sys.executable, "-m", "dask", *arguments],
        env=environment,
        stderr=subprocess.PIPE,
        **options,
    )
    stack.callback(process.wait)
    stack.callback(process.kill)
    return process


@contextmanager
def processes(folder, workers):
    """Give a scheduler's address, its process, and those of workers without a nanny."""
    file = folder / "scheduler.json"
    common = ("--scheduler-file", str(file))
    with ExitStack() as stack:
        scheduler = started(
            stack, "scheduler", *common, "--port", "0", "--host", "127.0.0.1", "--no-dashboard"
        )
        deadline = time.monotonic() + 60
        while not file.exists() or not file.stat().st_size:
            assert time.monotonic() < deadline, scheduler.poll()
            time.sleep(0.05)
        address = json.loads(file.read_text())["address"]
        crew = [
            started(
                stack,
                "worker",
                address,
                "--no-nanny",
                "--nthreads",
                "1",
                "--no-dashboard",
                "--host",
                "127.0.0.1",
                "--local-directory",
                str(folder),
                cwd=folder,
            )
            for _ in range(workers)
        ]
        yield address, scheduler, crew


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    """Two worker processes of one thread each, kept alive by nannies."""
    from distributed import Client

    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(TESTS.parent))  # nannies give it to their workers
        with Client(n_workers=2, threads_per_worker=1, dashboard_address="localhost:0") as client:
            yield client


@pytest.fixture(scope="module")
def liver(tmp_path_factory):
    drawn = st.drawn_liver(900, 900, seed=5, fat_percent=12)
    return st.write(drawn, tmp_path_factory.mktemp("slide") / "liver.ome.zarr")[0]


@pytest.fixture
def plan(liver):
    return plan_segmentation(st.open_slide(liver), BrightnessModel(), tile_px=32)


def slowly(plan, block):
    time.sleep(0.03)
    return compute_all(plan, block)


def one_by_one(plan):
    return (Block(plan.grid, *divmod(index, plan.grid.columns), 1, 1) for index in plan.tiles)


def test_the_shipped_model_gives_the_same_bytes(client, liver, tmp_path):
    slide, model = st.open_slide(liver), load_model("steatosis-he", device="cpu")
    there = segment(slide, model, store=tmp_path / "a.zarr", client=client)
    here = segment(slide, model)
    for mine, other in zip(there.levels, here.levels, strict=True):
        assert np.array_equal(np.asarray(mine[:]), np.asarray(other[:]))
    assert there.provenance["digest"] == here.provenance["digest"]
    assert there.provenance["content"] == here.provenance["content"]
    assert (level0(here) == 2).any()


@pytest.mark.parametrize("nanny", [True, False], ids=["nanny", "no-nanny"])
def test_a_worker_killed_in_the_middle_changes_nothing(plan, tmp_path, nanny):
    from distributed import Client

    killed = []
    with ExitStack() as stack:
        if nanny:
            client = stack.enter_context(
                Client(n_workers=2, threads_per_worker=1, dashboard_address="localhost:0")
            )
            victims = list(client.run(os.getpid).values())
        else:
            address, _, crew = stack.enter_context(processes(tmp_path, 2))
            client = stack.enter_context(connect(address))
            client.wait_for_workers(2, timeout=60)
            victims = [one.pid for one in crew]
        with open_store(plan, tmp_path / "a.zarr") as results:
            for progress in run(plan, results, client=client):
                if progress.done in (len(plan.tiles) // 4, len(plan.tiles) // 2) and victims:
                    killed.append(victims.pop())
                    os.kill(killed[-1], signal.SIGKILL)
                    if not nanny:
                        victims.clear()  # one must be left
            there = results.prediction()
        assert len(killed) == (2 if nanny else 1)
        assert results.complete
    here = segment(plan.slide, plan.model, tile_px=32)
    assert np.array_equal(level0(there), level0(here))
    assert there.provenance["content"] == here.provenance["content"]


def test_a_scheduler_that_is_lost_leaves_a_store_to_resume(plan, tmp_path):
    with processes(tmp_path, 1) as (address, scheduler, _), connect(address) as client:
        with open_store(plan, tmp_path / "a.zarr") as results:
            steps = run(plan, results, client=client)
            for progress in steps:
                if progress.done == 30:
                    scheduler.kill()
                    break
            with pytest.raises(ClusterError, match="connection to the dask scheduler was lost"):
                list(steps)
        assert 30 <= len(results.ledger.done) < len(plan.tiles)
    resumed = segment(plan.slide, plan.model, tile_px=32, store=tmp_path / "a.zarr")
    assert np.array_equal(level0(resumed), level0(segment(plan.slide, plan.model, tile_px=32)))


def test_no_scheduler_at_the_address_is_said_within_seconds():
    began = time.monotonic()
    with pytest.raises(ClusterError, match=r"tcp://127.0.0.1:9 .*dask scheduler"):
        connect("tcp://127.0.0.1:9")
    assert time.monotonic() - began < 15
    with pytest.raises(BadValueError, match="tcp://host:8786"):
        connect("elephant://host")


def test_the_shell_joins_a_scheduler_by_address(liver, tmp_path):
    def shell(address, folder):
        command = [sys.executable, "-m", "napari_steatosis.cli", "analyse", liver.name]
        options = ["--out", str(folder), "--scheduler", address, "--json"]
        return subprocess.run(
            [*command, *options], capture_output=True, text=True, timeout=240, cwd=liver.parent
        )

    nowhere = shell("tcp://127.0.0.1:9", tmp_path / "none")
    assert nowhere.returncode == 1
    assert "No dask scheduler answers at tcp://127.0.0.1:9" in " ".join(nowhere.stderr.split())
    assert "Traceback" not in nowhere.stderr
    with processes(tmp_path, 1) as (address, _, _):
        done = shell(address, tmp_path / "out")
    assert done.returncode == 0, done.stderr
    report = st.analyse(st.open_slide(liver))
    assert json.loads(done.stdout)["provenance"]["content"] == report.provenance["content"]


def test_a_slide_that_workers_do_not_see_is_named_with_them(client, liver, tmp_path, monkeypatch):
    moved = tmp_path / "moved.ome.zarr"
    Path(liver).rename(moved)
    try:
        plan = plan_segmentation(st.open_slide(moved), BrightnessModel())
    finally:
        moved.rename(liver)
    with pytest.raises(ClusterError) as caught:
        list(on_cluster(client, plan, work=one_by_one(plan), task=compute_all))
    text = str(caught.value)
    assert "2 of 2 workers cannot take part" in text
    assert str(moved) in text
    assert all(worker in text for worker in client.nthreads())
    monkeypatch.chdir(tmp_path)
    st.write(st.drawn_liver(256, 256, seed=1), "moved.ome.zarr")
    other = plan_segmentation(st.open_slide("moved.ome.zarr"), BrightnessModel())
    client.run(os.chdir, "/")
    with pytest.raises(ClusterError, match=r"(?s)moved.ome.zarr.*absolute paths"):
        list(on_cluster(client, other, work=one_by_one(other), task=compute_all))
    with pytest.raises(ClusterError, match="another slide"):
        list(on_cluster(client, plan, work=one_by_one(plan), task=compute_all))


def test_a_worker_that_comes_late_is_looked_at_too(liver, tmp_path):
    moved = tmp_path / "moved.ome.zarr"
    Path(liver).rename(moved)
    plan = plan_segmentation(st.open_slide(moved), BrightnessModel(), tile_px=32)
    with ExitStack() as stack:
        address, _, crew = stack.enter_context(processes(tmp_path, 1))
        client = stack.enter_context(connect(address))
        parts = on_cluster(client, plan, work=one_by_one(plan), task=slowly)
        stack.enter_context(closing(parts))
        next(parts)
        moved.rename(liver)
        started(
            stack,
            "worker",
            address,
            "--no-nanny",
            "--nthreads",
            "1",
            "--no-dashboard",
            "--host",
            "127.0.0.1",
            "--local-directory",
            str(tmp_path),
        )
        client.wait_for_workers(2, timeout=60)
        crew[0].kill()
        with pytest.raises(ClusterError, match=r"(?s)The worker .* cannot take part.*moved"):
            list(parts)


def test_other_weights_on_a_worker_are_refused(client, tmp_path):
    save_model(load_model("steatosis-he", device="cpu"), tmp_path / "mine")
    mine = load_model(tmp_path / "mine", device="cpu")
    save_model(load_model("steatosis-he-drawn", device="cpu"), tmp_path / "mine")
    with pytest.raises(ClusterError, match=r"(?s)2 of 2 workers.*holds model.*was sent"):
        model_on(client, mine)


def test_another_version_on_a_worker_is_refused(client, monkeypatch):
    monkeypatch.setattr(_cluster_workers, "__version__", "9.9")
    with pytest.raises(ClusterError, match=r"has napari-steatosis 0\..*this process 9\.9"):
        model_on(client, BrightnessModel())


@dataclass(frozen=True)
class ElsewhereModel(BrightnessModel):
    """Computes otherwise in another process, as one on a worker with a GPU does."""

    home: int = 0
    alike: bool = True

    @property
    def arithmetic(self):
        device = "cpu" if os.getpid() == self.home else "cuda"
        return {"device": device if self.alike else f"{device} {os.getpid()}"}


def test_the_result_states_the_arithmetic_of_the_workers(client):
    slide = disc_slide(300, 300)
    model = model_on(client, ElsewhereModel(home=os.getpid()))
    assert isinstance(model, WorkersModel)
    assert model.spec.name == "brightness"
    there = segment(slide, ElsewhereModel(home=os.getpid()), client=client)
    assert there.provenance["arithmetic"] == {"device": "cuda"}
    assert np.array_equal(level0(there), level0(segment(slide, BrightnessModel())))
    with pytest.raises(ClusterError, match="would not compute 'brightness' alike"):
        model_on(client, ElsewhereModel(home=os.getpid(), alike=False))
    same = BrightnessModel()
    assert model_on(client, same) is same


def test_no_more_is_under_way_than_two_parts_per_thread(client, plan):
    taken, ahead, here = [], [], 0
    work = (taken.append(block) or block for block in one_by_one(plan))
    for result in on_cluster(client, plan, work=work, task=compute_all):
        ahead.append(len(taken) - here)
        here += len(result)
    assert here == len(plan.tiles) == len(taken)
    assert max(ahead) == 2 * 2


def test_a_run_that_is_stopped_leaves_the_workers_free(client, plan):
    stop = []
    parts = on_cluster(
        client, plan, work=one_by_one(plan), task=slowly, should_stop=lambda: bool(stop)
    )
    next(parts)
    stop.append(True)
    began = time.monotonic()
    assert list(parts) == []
    assert time.monotonic() - began < 1
    deadline = time.monotonic() + 10
    while any(client.processing().values()) or any(client.has_what().values()):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def threads_of_torch(plan, part):
    import torch

    return torch.get_num_threads()


def test_a_task_computes_with_one_thread_and_a_cluster_without_workers_is_said(
    plan, tmp_path, monkeypatch
):
    load_model("steatosis-he", device="cpu")
    with processes(tmp_path, 1) as (address, _, crew), connect(address) as client:
        client.wait_for_workers(1, timeout=60)
        client.run(load_model, "steatosis-he", device="cpu")
        parts = on_cluster(client, plan, work=[[0], [1]], task=threads_of_torch)
        assert list(parts) == [1, 1]
        monkeypatch.setattr(_cluster_workers, "WORKERS_S", 2.0)
        with closing(on_cluster(client, plan, work=one_by_one(plan), task=slowly)) as parts:
            next(parts)
            crew[0].kill()
            with pytest.raises(ClusterError, match="has had no worker for 2 s"):
                list(parts)
        with pytest.raises(ClusterError, match="has had no worker for 2 s"):
            model_on(client, BrightnessModel())
