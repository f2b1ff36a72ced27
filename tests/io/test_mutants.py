"""Damaged and hostile files end in an error of ours or in the pixels that they hold."""

from __future__ import annotations

import os
import sys

import pytest

from mutants.run import judge_all

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="it has no ru_maxrss")


def test_a_few_damaged_copies(tmp_path):
    tally = judge_all(range(160), tmp_path)
    assert sum(tally.outcomes.values()) == 160
    assert not tally.bad, "\n".join(tally.bad)
    assert set(tally.outcomes) == {"refused", "unreadable", "sound", "as stored"}


@pytest.mark.slow
def test_thousands_of_damaged_copies(tmp_path):
    last = int(os.environ.get("MUTANTS", "4000"))
    tally = judge_all(range(last), tmp_path)
    print(tally)
    assert not tally.bad, "\n".join(tally.bad)
