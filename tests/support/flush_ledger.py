"""A folder that remembers what of it was flushed, and shows the worst that a power cut may leave; needs no root.

It knows only what passes `os.fsync`. Whatever else was written may be lost, or kept, or kept in part: three of those
states are made. SQLite flushes by itself, so its files are as they are: all that was committed, and nothing more.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

KINDS = ("nothing more", "all names", "all deletions")
"""What was kept beside what was flushed: nothing; the names of files, but not what is in them; or what was deleted."""

_FOLDER = None
Tree = Mapping[str, bytes | None]
"""Content of each file by its path below the folder; None is a folder."""


class FlushLedger:
    """Below `folder` nothing is durable in the beginning."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self._root = folder.stat().st_ino
        self._device = folder.stat().st_dev
        self._contents: dict[int, bytes] = {}
        self._names: dict[int, dict[str, tuple[int, bool]]] = {}
        self._held: dict[int, int] = {}
        """Descriptors, so that no inode's number is used again."""

    def close(self) -> None:
        """Let go of what is held."""
        for descriptor in self._held.values():
            os.close(descriptor)
        self._held.clear()

    def flushed(self, descriptor: int) -> None:
        """Note that a file or a folder was flushed, with what was in it at that moment."""
        found = os.fstat(descriptor)
        if found.st_dev != self._device:
            return
        if found.st_ino not in self._held:
            self._held[found.st_ino] = os.dup(descriptor)
        if stat.S_ISDIR(found.st_mode):
            self._names[found.st_ino] = _names(descriptor)
        else:  # by a way of its own: the descriptor may be for writing only
            self._contents[found.st_ino] = Path(f"/proc/self/fd/{descriptor}").read_bytes()

    def keep(self) -> dict[str, Tree]:
        """What a power cut would leave now, for each of the `KINDS`."""
        live = dict(self._live(self.folder))
        return {kind: dict(self._walk(self._root, "", kind, live)) for kind in KINDS}

    @contextmanager
    def after_cut(self, left: Tree) -> Iterator[None]:
        """Have in the folder, within the block, what a cut has left."""
        aside = self.folder.with_name("before-the-cut")
        self.folder.rename(aside)
        try:
            self.folder.mkdir()
            for name, content in left.items():
                path = self.folder / name
                if content is None:
                    path.mkdir()
                else:
                    path.write_bytes(content)
            yield
        finally:
            shutil.rmtree(self.folder)
            aside.rename(self.folder)

    def _live(self, folder: Path) -> Iterator[tuple[int, Path]]:
        """Folders by inode, as they are now."""
        yield folder.stat().st_ino, folder
        for entry in sorted(folder.iterdir()):
            if entry.is_dir():
                yield from self._live(entry)

    def _walk(self, inode: int, prefix: str, kind: str, live: Mapping[int, Path]) -> Iterator[tuple[str, bytes | None]]:
        flushed = self._names.get(inode, {})
        now = _names(live[inode]) if inode in live else {}
        names = {
            "nothing more": flushed,
            "all names": now,
            "all deletions": {name: entry for name, entry in flushed.items() if name in now},
        }[kind]
        for name, (inner, is_folder) in names.items():
            if is_folder:
                yield f"{prefix}{name}", _FOLDER
                yield from self._walk(inner, f"{prefix}{name}/", kind, live)
            elif not _is_database(name) and not name.endswith((".lock", ".sending")):
                yield f"{prefix}{name}", self._contents.get(inner, b"")
        if inode in live:
            yield from ((f"{prefix}{name}", content) for name, content in _databases(live[inode]).items())


def _names(folder: int | Path) -> dict[str, tuple[int, bool]]:
    with os.scandir(folder) as entries:
        return {entry.name: (entry.inode(), entry.is_dir(follow_symlinks=False)) for entry in entries}


def _is_database(name: str) -> bool:
    return ".sqlite" in name


def _databases(folder: Path) -> dict[str, bytes]:
    """SQLite's files in a folder, as they are at one moment."""
    while True:
        first, second = ({path.name: _read(path) for path in _database_files(folder)} for _ in range(2))
        if first == second:
            return first


def _database_files(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.glob("*.sqlite*")) if not path.name.endswith(("-shm", ".lock"))]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:  # a log that was just taken in
        return b""
