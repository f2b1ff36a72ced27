from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from napari_steatosis.io._handles import HandleCache


class Handle:
    """Counts how often it was opened and closed."""

    def __init__(self, path: str) -> None:
        self.path, self.closed = path, 0

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def paths(tmp_path: Path) -> list[str]:
    files = [tmp_path / name for name in "abcd"]
    for file in files:
        file.write_text("x")
    return [str(file) for file in files]


def test_a_handle_is_opened_once(paths: list[str]) -> None:
    cache = HandleCache()
    with cache.borrow(paths[0], Handle) as first, cache.borrow(paths[0], Handle) as second:
        assert first is second
    with cache.borrow(paths[0], Handle) as third:
        assert third is first
    assert first.closed == 0


def test_the_least_recently_used_is_closed_first(paths: list[str]) -> None:
    cache, handles = HandleCache(limit=2), []
    for path in [paths[0], paths[1], paths[0], paths[2]]:
        with cache.borrow(path, Handle) as handle:
            handles.append(handle)
    assert [handle.closed for handle in handles] == [0, 1, 0, 0]
    assert len(cache) == 2


def test_a_borrowed_handle_is_closed_only_when_given_back(paths: list[str]) -> None:
    cache = HandleCache(limit=1)
    with cache.borrow(paths[0], Handle) as handle:
        with cache.borrow(paths[1], Handle):
            assert handle.closed == 0
        cache.close()
        cache.forget(paths[0])
        assert handle.closed == 0
    assert handle.closed == 1
    assert len(cache) == 0


def test_a_changed_file_is_opened_anew_and_the_old_handle_closed(paths: list[str]) -> None:
    cache = HandleCache()
    with cache.borrow(paths[0], Handle) as old:
        pass
    Path(paths[0]).write_text("longer")
    with cache.borrow(paths[0], Handle) as new:
        assert new is not old
    assert (old.closed, new.closed, len(cache)) == (1, 0, 1)


def test_a_forgotten_path_is_opened_anew(paths: list[str]) -> None:
    cache = HandleCache()
    with cache.borrow(paths[0], Handle) as old, cache.borrow(paths[1], Handle) as other:
        pass
    cache.forget(paths[0])
    assert (old.closed, other.closed) == (1, 0)
    with cache.borrow(paths[0], Handle) as new:
        assert new is not old


def test_a_failed_opening_leaves_nothing_behind(paths: list[str]) -> None:
    cache = HandleCache()

    def fail(path: str) -> Handle:
        raise OSError(path)

    with pytest.raises(OSError, match="a"), cache.borrow(paths[0], fail):
        pass
    with pytest.raises(FileNotFoundError), cache.borrow(paths[0] + "missing", Handle):
        pass
    assert len(cache) == 0


def test_threads_share_few_handles_and_close_each_once(paths: list[str]) -> None:
    cache, made, wrong = HandleCache(limit=2), [], []

    def opener(path: str) -> Handle:
        made.append(Handle(path))
        return made[-1]

    def work(seed: int) -> None:
        for step in range(200):
            path = paths[(seed + step * (seed + 1)) % 4]
            with cache.borrow(path, opener) as handle:
                if handle.closed or handle.path != path:
                    wrong.append(path)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    cache.close()
    assert wrong == []
    assert {handle.closed for handle in made} == {1}


def test_reset_forgets_without_closing(paths: list[str]) -> None:
    cache = HandleCache()
    with cache.borrow(paths[0], Handle) as handle:
        pass
    cache.reset()
    assert (handle.closed, len(cache)) == (0, 0)
    assert os.path.exists(paths[0])
