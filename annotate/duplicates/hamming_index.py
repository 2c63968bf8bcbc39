"""An index of 256-bit hashes on disk: everything within 31 bits of a hash, among tens of millions, without fail."""

from __future__ import annotations

import json
import os
import shutil
import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from annotate.duplicates.alignment import hamming
from annotate.duplicates.hamming_segment import FLIPS, RADIUS, Entries, Segment, write_segment
from kinesphere.errors import Conflict, CorruptObject, NewerFormat

FORMAT_VERSION = 1
LOG_LIMIT = 65_536
"""Hashes that are looked at one by one; with more the log becomes a segment."""
MERGE_RATIO = 3
"""A segment is merged into the one before unless that has more than this many times its hashes."""
_HEADER = struct.Struct("<4sIII")
_MAGIC = b"kfp1"


@dataclass(frozen=True)
class Neighbours:
    """Pairs of near hashes: the `query`-th one asked for, and one of `recordings[owner]` taken at `time_ms`."""

    recordings: list[str]
    owner: NDArray[np.int64]
    query: NDArray[np.int64]
    time_ms: NDArray[np.int64]
    distance: NDArray[np.int64]


class HammingIndex:
    """The hashes of recordings in a local folder, for one process at a time. Close it, or use it with `with`.

    What is added goes into a log, flushed to disk before `add` returns; a log that has grown is sealed into a segment,
    which is mapped into memory and searched by multi-index hashing (Norouzi, Punjani and Fleet, "Fast Exact Search in
    Hamming Space with Multi-Index Hashing", PAMI 2014), and small segments are merged. The manifest names what counts,
    and is replaced in one step: whatever a crash leaves besides is removed when the index is opened next.

    Raises:
        Conflict: another process has the index open.
        NewerFormat: a later release wrote it.
        CorruptObject: its manifest cannot be read. It can be deleted and made anew from the recordings' fingerprints.
    """

    def __init__(self, folder: Path, *, wait_seconds: float = 60) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._lock = FileLock(folder / "index.lock")
        try:
            self._lock.acquire(timeout=wait_seconds)
        except Timeout as error:
            raise Conflict(f"the index {folder} is in use by another process; try again when it has ended") from error
        try:
            self._open()
        except BaseException:
            self._lock.release()
            raise

    def _open(self) -> None:
        manifest = self._read_manifest()
        self._log_name = str(manifest["log"])
        self._next = int(manifest["next"])
        listed = [str(name) for name in manifest["segments"]]
        for entry in self.folder.iterdir():
            if entry.is_dir() and entry.name not in listed:
                shutil.rmtree(entry)
            elif (entry.suffix == ".log" and entry.name != self._log_name) or entry.suffix == ".partial":
                entry.unlink()
        self._segments = [Segment(self.folder / name) for name in listed]
        self._log: dict[str, Entries] = dict(self._read_log())
        removing = self.folder / "removing.json"
        if removing.exists():  # a crash fell into a removal: it is done again, from the beginning
            self._remove(str(json.loads(removing.read_text(encoding="utf-8"))))
            removing.unlink()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let others open it."""
        self._segments = []
        self._lock.release()

    def __len__(self) -> int:
        """How many recordings it holds."""
        return len(self._log) + sum(len(segment) for segment in self._segments)

    def __contains__(self, recording: str) -> bool:
        return recording in self._log or any(recording in segment for segment in self._segments)

    def names(self) -> set[str]:
        """The recordings that it holds."""
        return {*self._log, *(name for segment in self._segments for name in segment.names())}

    def add(self, recording: str, times_ms: NDArray[np.int64], hashes: NDArray[np.uint8]) -> None:
        """Enter a recording, in place of what was known of it. On disk when this returns.

        Args:
            times_ms: (hashes,): milliseconds since the first frame.
            hashes: (hashes, 32) uint8.
        """
        if recording in self:
            self.remove(recording)
        entries = Entries(np.asarray(times_ms, np.uint32), _words(hashes))
        with (self.folder / self._log_name).open("ab") as file:
            file.write(_framed(recording, entries))
            _flush(file)
        self._log[recording] = entries
        if sum(len(known) for known in self._log.values()) > LOG_LIMIT:
            self._seal(self._log.items())

    def add_many(self, recordings: Iterable[tuple[str, NDArray[np.int64], NDArray[np.uint8]]]) -> None:
        """Enter many new recordings as one segment: to make an index anew."""
        new = {name: Entries(np.asarray(times, np.uint32), _words(hashes)) for name, times, hashes in recordings}
        for name in [name for name in new if name in self]:
            self.remove(name)
        self._seal([*self._log.items(), *new.items()])

    def remove(self, recording: str) -> None:
        """Delete a recording's hashes for good: overwritten where they lie, before this returns.

        One that is not there is no error. Interrupted, it is finished when the index is opened next.
        """
        if recording not in self:
            return
        intent = self.folder / "removing.json"
        _put(intent, json.dumps(recording).encode())
        self._remove(recording)
        intent.unlink()
        _flush_folder(self.folder)

    def neighbours(self, hashes: NDArray[np.uint8], *, flips: int = FLIPS) -> Neighbours:
        """All pairs within `RADIUS` bits of the hashes given, (queries, 32) uint8.

        With fewer `flips` only those of which one of the 11 bands differs by so few bits: much less has to be looked at
        where hashes crowd, and some pairs are missed.
        """
        queries = _words(hashes)
        parts: list[tuple[list[str], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]] = []
        if self._log and len(queries):
            names = list(self._log)
            owners = np.repeat(np.arange(len(names)), [len(entries) for entries in self._log.values()])
            times = np.concatenate([entries.times_ms for entries in self._log.values()])
            known = np.concatenate([entries.words for entries in self._log.values()])
            for at, query in enumerate(queries):
                distance = hamming(query[None], known)[0]
                rows = np.flatnonzero(distance <= RADIUS)
                parts.append(
                    (
                        names,
                        owners[rows],
                        np.full(len(rows), at),
                        times[rows].astype(np.int64),
                        distance[rows].astype(int),
                    )
                )
        parts += [segment.neighbours(queries, flips) for segment in self._segments] if len(queries) else []
        return _joined(parts)

    def _remove(self, recording: str) -> None:
        if recording in self._log:
            del self._log[recording]
            content = b"".join(_framed(name, entries) for name, entries in self._log.items())
            _put(self.folder / self._log_name, content)
        for segment in self._segments:
            segment.wipe(recording)

    def _seal(self, items: Iterable[tuple[str, Entries]]) -> None:
        """Make a segment of the log and the like, with the small segments before it, and begin a new log."""
        content = dict(items)
        unmerged = list(self._segments)
        size = sum(len(entries) for entries in content.values())
        merged: list[Segment] = []
        while unmerged and unmerged[-1].hashes < MERGE_RATIO * size:
            merged.append(unmerged.pop())
            size += merged[-1].hashes
        name, log = f"segment-{self._next}", f"{self._next}.log"
        sources = [(n, e) for segment in merged for n, e in segment.items()] if merged else []
        write_segment(self.folder / name, [*sources, *content.items()])
        self._next += 1
        old_log = self.folder / self._log_name
        self._write_manifest([*(segment.folder.name for segment in unmerged), name], log, self._next)
        self._segments = [*unmerged, Segment(self.folder / name)]
        self._log_name, self._log = log, {}
        old_log.unlink(missing_ok=True)
        for segment in merged:
            shutil.rmtree(segment.folder)

    def _read_manifest(self) -> dict[str, Any]:
        file = self.folder / "manifest.json"
        if not file.exists():
            self._write_manifest([], "0.log", 1)
        try:
            manifest: dict[str, Any] = json.loads(file.read_bytes())
            version = int(manifest["format_version"])
        except (ValueError, KeyError, TypeError) as error:
            raise CorruptObject(f"{file} cannot be read; delete the folder and make the index anew") from error
        if version > FORMAT_VERSION:
            raise NewerFormat(f"the index {self.folder}", version, FORMAT_VERSION)
        return manifest

    def _write_manifest(self, segments: list[str], log: str, following: int) -> None:
        content = {"format_version": FORMAT_VERSION, "segments": segments, "log": log, "next": following}
        _put(self.folder / "manifest.json", json.dumps(content).encode())

    def _read_log(self) -> Iterator[tuple[str, Entries]]:
        """What was added since the last segment; a tail that a crash tore is cut off."""
        file = self.folder / self._log_name
        content = file.read_bytes() if file.exists() else b""
        position = 0
        while position < len(content):
            found = _unframed(content, position)
            if found is None:
                with file.open("r+b") as torn:
                    torn.truncate(position)
                    _flush(torn)
                return
            name, entries, position = found
            yield name, entries


def _joined(
    parts: list[tuple[list[str], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]],
) -> Neighbours:
    """One numbering of recordings for what the log and the segments gave."""
    numbers: dict[str, int] = {}
    owners = []
    for names, owner, *_ in parts:
        unique, inverse = np.unique(owner, return_inverse=True)
        mapped = np.array([numbers.setdefault(names[at], len(numbers)) for at in unique], np.int64)
        owners.append(mapped[inverse] if len(unique) else owner)
    empty = [np.empty(0, np.int64)]
    query, time, distance = (np.concatenate([part[at] for part in parts] or empty) for at in (2, 3, 4))
    return Neighbours(list(numbers), np.concatenate(owners or empty), query, time, distance)


def _words(hashes: NDArray[np.uint8]) -> NDArray[np.uint64]:
    return np.ascontiguousarray(hashes, dtype=np.uint8).reshape(-1, 32).view(np.uint64)


def _framed(recording: str, entries: Entries) -> bytes:
    name, times, words = recording.encode(), entries.times_ms.tobytes(), entries.words.tobytes()
    body = name + times + words
    return _HEADER.pack(_MAGIC, zlib.crc32(body), len(name), len(entries)) + body


def _unframed(content: bytes, position: int) -> tuple[str, Entries, int] | None:
    start = position + _HEADER.size
    if len(content) < start:
        return None
    magic, checksum, name_bytes, count = _HEADER.unpack_from(content, position)
    end = start + name_bytes + 36 * count
    if magic != _MAGIC or len(content) < end or zlib.crc32(content[start:end]) != checksum:
        return None
    name_end, times_end = start + name_bytes, start + name_bytes + 4 * count
    times = np.frombuffer(content[name_end:times_end], np.uint32)
    words = np.frombuffer(content[times_end:end], np.uint64).reshape(-1, 4)
    return content[start:name_end].decode(), Entries(times, words), end


def _put(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, on disk when this returns."""
    partial = path.with_name(path.name + ".partial")
    with partial.open("wb") as file:
        file.write(content)
        _flush(file)
    partial.replace(path)
    _flush_folder(path.parent)


def _flush(file: Any) -> None:
    file.flush()
    os.fsync(file.fileno())


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
