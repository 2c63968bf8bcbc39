"""Before the catalog confirms anything, the disk has every file and every name that it points to.

Needs no root: it looks at what is flushed and when. `tests/e2e/test_power_cut.py` cuts the power of a real disk.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from tests.support.durable_steps import STEPS, do_step

CONFIRMED = ("recordings", "shards", "datasets", "erasures", "drafts")


class Flushes:
    """What was flushed, by inode, and folders with names that were not, since the last change of each."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, disk: Path) -> None:
        self.disk = disk
        self.files: set[int] = set()
        self.folders: set[Path] = set()
        self.commits = 0
        fsync = os.fsync

        def flush(descriptor: int) -> None:
            fsync(descriptor)
            self.files.add(os.fstat(descriptor).st_ino)
            self.folders.discard(Path(f"/proc/self/fd/{descriptor}").readlink())

        monkeypatch.setattr(os, "fsync", flush)
        for name, position in (("replace", 1), ("rename", 1), ("link", 1), ("mkdir", 0)):
            self._watch(monkeypatch, name, position)

    def _watch(self, monkeypatch: pytest.MonkeyPatch, name: str, position: int) -> None:
        original: Callable[..., Any] = getattr(os, name)

        def change(*arguments: Any, **options: Any) -> Any:
            result = original(*arguments, **options)
            if Path(arguments[position]).is_relative_to(self.disk):
                self.folders.add(Path(arguments[position]).parent)
            return result

        monkeypatch.setattr(os, name, change)

    def check(self, *_: object) -> None:
        """Nothing that is visible waits to be flushed."""
        self.commits += 1
        for file in self.disk.rglob("*"):
            if file.is_file() and _is_confirmed(file, self.disk) and not _is_aside(file):
                assert file.stat().st_ino in self.files, f"{file} is not flushed when the catalog commits"
        late = {folder for folder in self.folders if folder.is_dir() and _is_confirmed(folder, self.disk)}
        assert not late, f"the names in {late} are not flushed when the catalog commits"


def _is_confirmed(path: Path, disk: Path) -> bool:
    parts = path.relative_to(disk).parts
    return len(parts) > 1 and parts[1] in CONFIRMED


def _is_aside(file: Path) -> bool:
    """Locks, and what is being written: no row names them."""
    return file.suffix in (".lock", ".sending") or "#" in file.name


@pytest.fixture
def flushes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Flushes]:
    """Watches a folder and all commits."""
    watching = Flushes(monkeypatch, tmp_path)
    event.listen(Engine, "commit", watching.check)
    yield watching
    event.remove(Engine, "commit", watching.check)


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs /proc to tell which folder is flushed")
def test_every_commit_finds_what_it_names_flushed(flushes: Flushes, tmp_path: Path) -> None:
    for step in STEPS:
        do_step(tmp_path, step)
    assert flushes.commits > len(STEPS)
