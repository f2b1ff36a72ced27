"""Throughput of training against a bare loop over batches that lie ready, in one run.

    python benchmarks/training.py --threads 1 --steps 20 --rounds 4

The bare loop does forward pass, loss, backward pass and optimiser, nothing else. Rounds of both
alternate, so that what else the machine does falls on both; the ratio is that of their times
for equally many steps. ``--tiles`` takes real tiles in place of drawn ones.
"""

from __future__ import annotations

import argparse
import itertools
import os
import time
from pathlib import Path

import numpy as np
import torch

from napari_steatosis.training.rows import Step
from napari_steatosis.training.tiles import as_dataset, drawn_tiles, read_tiles
from napari_steatosis.training.train import begin_session, feed_of, steps_of


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--architecture", default="droplet-net")
    ask.add_argument("--tiles", type=Path, help="folder with manifest.csv")
    ask.add_argument("--steps", type=int, default=20, help="of a round")
    ask.add_argument("--rounds", type=int, default=4)
    ask.add_argument("--threads", type=int, default=1)
    ask.add_argument("--workers", type=int, default=-1)
    ask.add_argument("--batch", type=int, default=8)
    ask.add_argument("--device", default="cpu")
    asked = ask.parse_args()
    torch.set_num_threads(asked.threads)
    tiles = read_tiles(asked.tiles, "train")[:60] if asked.tiles else drawn_tiles(20, seed=1)
    changes = {"device": asked.device, "batch": asked.batch, "workers": asked.workers}
    changes["steps"] = (asked.rounds + 1) * asked.steps * 2
    session = begin_session(asked.architecture, as_dataset(tiles), None, None, changes)
    ready = [session.batches.batch(number) for number in range(8)]
    ready = [(rgb.to(session.learner.device), t.to(session.learner.device)) for rgb, t in ready]
    rounds, feed = [], feed_of(session)
    for number in range(asked.rounds + 1):  # the first one warms up
        bare = bare_loop(session, ready, asked.steps)
        ours, waited = our_loop(session, feed, asked.steps)
        if number:
            rounds.append((bare, ours, waited))
    bare, ours, waited = np.array(rounds).sum(0) / asked.rounds
    print(
        f"{asked.architecture}, batch {asked.batch}, {session.compute}, {asked.threads} threads, "
        f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}"
    )
    print(f"making a batch   {1e3 * making(session):8.1f} ms")
    print(f"bare loop        {1e3 * bare:8.1f} ms a step")
    print(f"training         {1e3 * ours:8.1f} ms a step, of it {1e3 * waited:.1f} ms waiting")
    print(f"ratio            {bare / ours:8.3f}   rounds: "
          + " ".join(f"{b / o:.3f}" for b, o, _ in rounds))  # fmt: skip


def bare_loop(session, ready, steps: int) -> float:
    """Return the seconds of a step."""
    learner = session.learner
    network, optimiser = learner.network, learner.optimiser
    began = time.perf_counter()
    for rgb, truth in itertools.islice(itertools.cycle(ready), steps):
        rgb = rgb.to(memory_format=torch.channels_last)
        with torch.autocast(learner.device.type, learner.dtype, learner.dtype != torch.float32):
            logits = network(rgb)
        loss = learner.objective(logits.float(), truth)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        float(loss.detach())
    return (time.perf_counter() - began) / steps


def our_loop(session, feed, steps: int) -> tuple[float, float]:
    """Return the seconds of a step, and of what it waited for its batch."""
    rows, began = [], time.perf_counter()
    while len(rows) < steps:
        steps_left = (row for row in steps_of(session, feed) if isinstance(row, Step))
        rows += itertools.islice(steps_left, steps - len(rows))
    return (time.perf_counter() - began) / len(rows), sum(r.waited_s for r in rows) / len(rows)


def making(session) -> float:
    """Return the median seconds of making a batch by itself."""
    seconds = []
    for number in range(8):
        began = time.perf_counter()
        session.batches.batch(1000 + number)
        seconds.append(time.perf_counter() - began)
    return float(np.median(seconds))


if __name__ == "__main__":
    main()
