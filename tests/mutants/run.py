"""Judge many damaged copies in worker processes, and stop what hangs or floods."""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from . import Mutant, bases, mutant

MOST_SECONDS = 10.0
MOST_BYTES = 10**9
HARMLESS = ("refused", "unreadable", "sound", "as stored")


@dataclass
class Tally:
    """What became of the copies."""

    outcomes: Counter[str] = field(default_factory=Counter)
    bad: list[str] = field(default_factory=list)
    slowest_s: float = 0.0
    most_bytes: int = 0

    def __str__(self) -> str:
        counts = ", ".join(f"{n} {name}" for name, n in self.outcomes.most_common())
        return (
            f"{sum(self.outcomes.values())} copies: {counts}; slowest {self.slowest_s:.1f} s; "
            f"largest growth {self.most_bytes / 1e6:.0f} MB"
        )


class Worker:
    """A process that judges copies, started anew after each mishap."""

    def __init__(self) -> None:
        here = Path(__file__).parents[1]
        command = [sys.executable, "-m", "mutants.worker"]
        paths = os.pathsep.join([str(here), *filter(None, sys.path)])
        self.process = subprocess.Popen(
            command,
            cwd=here,
            env={**os.environ, "PYTHONPATH": paths},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self.memory = psutil.Process(self.process.pid)
        self.at_start: int | None = None

    def judge(self, path: Path) -> tuple[str, float, int]:
        """Return the outcome, seconds, and bytes by which the process grew at most."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        start, peak = time.monotonic(), 0
        before = self.memory.memory_info().rss
        self.process.stdin.write(f"{path}\n".encode())
        self.process.stdin.flush()
        while True:
            if select.select([self.process.stdout], [], [], 0.02)[0]:
                line = self.process.stdout.readline()
                seconds = time.monotonic() - start
                if not line:
                    return f"CRASH: signal or exit {self.process.wait()}", seconds, peak
                said = json.loads(line)
                grown = max(peak, said["grown_kb"] * 1024)
                return said["outcome"], seconds, grown
            seconds = time.monotonic() - start
            try:
                peak = max(peak, self.memory.memory_info().rss - before)
            except psutil.Error:
                return f"CRASH: signal or exit {self.process.wait()}", seconds, peak
            if seconds > 2 * MOST_SECONDS or peak > 3 * MOST_BYTES:
                self.close()
                return ("HANG" if peak <= 3 * MOST_BYTES else "FLOOD"), seconds, peak

    def close(self) -> None:
        self.process.kill()
        self.process.wait()


def judge_all(numbers: range, folder: Path, of: str = "") -> Tally:
    """Make and judge the copies of these numbers, or those whose base begins with `of`."""
    tally, worker = Tally(), Worker()
    sound = bases(folder / "sound")
    warm = [worker.judge(path)[0] for path in sound.values()]
    assert {*warm} <= {"sound", "as stored"}, f"sound slides are not: {warm}"
    for number in numbers:
        own = folder / "copy"
        own.mkdir()
        made = mutant(number, sound, own)
        if not made.base.startswith(of):
            shutil.rmtree(own, ignore_errors=True)
            continue
        outcome, seconds, grown = worker.judge(made.path)
        _count(tally, made, outcome, seconds, grown)
        if worker.process.poll() is not None or grown > MOST_BYTES // 2:
            worker.close()
            worker = Worker()
            for path in sound.values():
                worker.judge(path)
        shutil.rmtree(own, ignore_errors=True)
    worker.close()
    return tally


def _count(tally: Tally, made: Mutant, outcome: str, seconds: float, grown: int) -> None:
    kind = outcome if outcome in HARMLESS else "BAD"
    tally.slowest_s, tally.most_bytes = (
        max(tally.slowest_s, seconds),
        max(tally.most_bytes, grown),
    )
    if kind == "BAD" or seconds > MOST_SECONDS or grown > MOST_BYTES:
        kind = "BAD"
        tally.bad.append(
            f"{made.number} {made.base} {made.change}: {outcome} ({seconds:.1f} s, "
            f"{grown / 1e6:.0f} MB)"
        )
    tally.outcomes[kind] += 1


if __name__ == "__main__":
    import tempfile

    first, last, *of = sys.argv[1:] or ("0", "2000")
    with tempfile.TemporaryDirectory() as place:
        result = judge_all(range(int(first), int(last)), Path(place), *of)
    print(result)
    print("\n".join(result.bad))
    sys.exit(bool(result.bad))
