"""Moments at which the power of a disk may fail: before each change that a process makes to it, and at its end."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from sqlalchemy import Engine, event

State = TypeVar("State")

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_CHANGES = ("os.rename", "os.link", "os.mkdir", "os.remove", "os.rmdir", "os.truncate", "shutil.rmtree")
_COMMITS = 3
_watchers: list[tuple[str, Watcher]] = []
"""Folder and what is told of changes below it; an audit hook cannot be taken away again."""


class Moments(Generic[State]):
    """What a power cut would leave at some moments: before the last commits, which confirm what was done, and evenly
    over all changes, half as many as `most` or more."""

    def __init__(self, keep: Callable[[], State], most: int) -> None:
        self.kept: dict[int, State] = {}
        self._commits: dict[int, State] = {}
        self.changes = 0
        self._keep, self._most, self._every = keep, most, 1
        self._lock = threading.RLock()
        self._is_busy = False

    def change(self, *, is_commit: bool = False) -> None:
        """Something is about to change, in whichever thread."""
        with self._lock:
            if self._is_busy:  # the keeping itself, or what the collector finalizes meanwhile
                return
            self._is_busy = True
            try:
                if self.changes % self._every == 0:
                    self.kept[self.changes] = self._keep()
                if len(self.kept) > self._most:
                    self._every *= 2
                    self.kept = {number: state for number, state in self.kept.items() if number % self._every == 0}
                if is_commit:
                    self._commits[self.changes] = self._keep()
                    self._commits = dict(list(self._commits.items())[-_COMMITS:])
                self.changes += 1
            finally:
                self._is_busy = False

    def end(self) -> None:
        """Nothing will change any more: what a cut leaves now, right after all was confirmed."""
        self.kept = dict(sorted((self._commits | self.kept | {self.changes: self._keep()}).items()))


class Watcher(Protocol):
    """What is told of changes."""

    def __call__(self, *, is_commit: bool = False) -> None:
        """Told before each."""


@contextmanager
def told_of_changes(
    folder: Path, change: Watcher, flushed: Callable[[int], None] = lambda descriptor: None
) -> Iterator[None]:
    """Tell of the changes that this process makes below a folder, within the block.

    A change is a call of Python's that changes files or opens one to write to it, a flush, or a commit of a catalog.

    Args:
        change: called before each.
        flushed: called with the descriptor of what was flushed, afterwards.

    Yields:
        Nothing: the block makes the changes.
    """
    if not _watchers:
        _install()
    watcher = (f"{folder}{os.sep}", change)
    real = os.fsync

    def fsync(fd: Any) -> None:
        change()
        real(fd)
        flushed(fd)

    def commit(_: Any) -> None:
        change(is_commit=True)

    _watchers.append(watcher)
    event.listen(Engine, "commit", commit)
    os.fsync = fsync
    try:
        yield
    finally:
        os.fsync = real
        event.remove(Engine, "commit", commit)
        _watchers.remove(watcher)


_installed = threading.Event()


def _install() -> None:
    if not _installed.is_set():
        _installed.set()
        sys.addaudithook(_audit)


def _audit(name: str, arguments: tuple[Any, ...]) -> None:
    if not _watchers or (name != "open" and name not in _CHANGES):
        return
    if name == "open" and not (isinstance(arguments[2], int) and arguments[2] & _WRITING):
        return
    for folder, change in list(_watchers):
        if any(isinstance(path, str | os.PathLike) and os.fspath(path).startswith(folder) for path in arguments[:2]):
            change()
