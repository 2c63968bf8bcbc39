"""One sealed part of an index of hashes: files mapped into memory, with a table for each band of bits."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

RADIUS = 31
"""Bits of 256 that may differ: what vPDQ counts as the same picture."""
BANDS = 11
FLIPS = 2
"""Of 31 bits over 11 bands, some band has at most two: all its neighbours by two bits are looked up."""
MOST_BITS = 23
GONE = np.uint32(0xFFFFFFFF)
"""In a table in place of a hash that was removed."""
_STARTS = [256 * band // BANDS for band in range(BANDS)]


@dataclass(frozen=True)
class Entries:
    """The hashes of one recording: when, uint32 (hashes,) in milliseconds, and what, uint64 (hashes, 4)."""

    times_ms: NDArray[np.uint32]
    words: NDArray[np.uint64]

    def __len__(self) -> int:
        return len(self.times_ms)


class Segment:
    """A sealed segment, opened from its folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._names: NDArray[np.bytes_] = np.load(folder / "names.npy", mmap_mode="r")
        self._firsts: NDArray[np.int64] = np.load(folder / "firsts.npy", mmap_mode="r")
        self._deleted: NDArray[np.bool_] = np.load(folder / "gone.npy", mmap_mode="r+")
        self._times: NDArray[np.uint32] = np.load(folder / "times.npy", mmap_mode="r")
        self._words: NDArray[np.uint64] = np.load(folder / "words.npy", mmap_mode="r+")
        self._rows: NDArray[np.uint32] = np.load(folder / "rows.npy", mmap_mode="r+")
        self._table: NDArray[np.uint32] = np.load(folder / "table.npy", mmap_mode="r")
        self._bits = (self._table.shape[1] - 1).bit_length() - 1
        self.hashes = len(self._times)
        """How many there are, with those that were removed."""

    def __len__(self) -> int:
        return len(self._names) - int(self._deleted.sum())

    def __contains__(self, recording: str) -> bool:
        at = self._find(recording)
        return at is not None and not self._deleted[at]

    def names(self) -> list[str]:
        """The recordings that were not removed."""
        return [self._names[at].decode() for at in np.flatnonzero(~np.asarray(self._deleted))]

    def _find(self, recording: str) -> int | None:
        name = recording.encode()
        at = int(np.searchsorted(self._names, np.bytes_(name)))
        return at if at < len(self._names) and self._names[at] == name else None

    def items(self) -> Iterator[tuple[str, Entries]]:
        """All recordings that were not removed."""
        for at in np.flatnonzero(~np.asarray(self._deleted)):
            part = slice(int(self._firsts[at]), int(self._firsts[at + 1]))
            yield self._names[at].decode(), Entries(np.array(self._times[part]), np.array(self._words[part]))

    def wipe(self, recording: str) -> None:
        """Overwrite a recording's hashes and what the tables tell of them; done again it ends the same."""
        at = self._find(recording)
        if at is None:
            return
        first, after = int(self._firsts[at]), int(self._firsts[at + 1])
        for band in range(BANDS):
            for row, key in enumerate(_keys(self._words[first:after], band, self._bits), first):
                bucket = self._rows[band, self._table[band, key] : self._table[band, key + 1]]
                bucket[bucket == row] = GONE
        self._rows.flush()  # type: ignore[attr-defined]  # a memory map
        self._words[first:after] = 0  # last: the hashes tell where in the tables they are
        self._deleted[at] = True
        self._words.flush()  # type: ignore[attr-defined]
        self._deleted.flush()  # type: ignore[attr-defined]

    def neighbours(
        self, queries: NDArray[np.uint64], flips: int = FLIPS
    ) -> tuple[list[str], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Names of recordings, then for each pair within `RADIUS`: whose, which query, when, and how far."""
        masks = _masks(self._bits, flips)
        found: list[NDArray[np.int64]] = []
        for band in range(BANDS):
            probes = _keys(queries, band, self._bits)[:, None] ^ masks[None]
            table = self._table[band]
            begin = table[probes].astype(np.int64)
            count = table[probes + 1] - begin
            asked = np.repeat(np.arange(len(queries)), count.sum(axis=1))
            count, begin = count.ravel(), begin.ravel()
            ends = np.cumsum(count)
            within = np.arange(int(ends[-1])) - np.repeat(ends - count, count)
            rows = self._rows[band][np.repeat(begin, count) + within]
            there = rows != GONE
            rows, asked = rows[there].astype(np.int64), asked[there]
            near = _bits_between(self._words[rows], queries[asked]) <= RADIUS
            found.append(asked[near] * self.hashes + rows[near])
        pairs = np.unique(np.concatenate(found))
        asked, rows = np.divmod(pairs, max(self.hashes, 1))
        distance = _bits_between(self._words[rows], queries[asked]).astype(np.int64)
        owner = np.searchsorted(self._firsts, rows, side="right") - 1
        unique, inverse = np.unique(owner, return_inverse=True)
        names = [name.decode() for name in self._names[unique]]
        return names, inverse.astype(np.int64), asked, self._times[rows].astype(np.int64), distance


def _bits_between(words: NDArray[np.uint64], others: NDArray[np.uint64]) -> NDArray[np.int16]:
    """Bits that differ, pair by pair; word by word, because a sum over a short axis is slow."""
    counts = np.bitwise_count(words ^ others)
    return np.asarray(sum(counts[:, word].astype(np.int16) for word in range(4)), np.int16)


def write_segment(folder: Path, items: Sequence[tuple[str, Entries]]) -> None:
    """Write a segment; it counts once a manifest names it, so what a crash leaves of it does no harm."""
    ordered = sorted(((name.encode(), entries) for name, entries in items), key=lambda item: item[0])
    names = np.array([name for name, _ in ordered], dtype=np.bytes_)
    firsts = np.concatenate([[0], np.cumsum([len(entries) for _, entries in ordered])]).astype(np.int64)
    times = np.concatenate([entries.times_ms for _, entries in ordered])
    words = np.concatenate([entries.words for _, entries in ordered])
    bits = min(MOST_BITS, max(8, len(words).bit_length() - 2))
    folder.mkdir()
    for name, array in (("names", names), ("firsts", firsts), ("times", times), ("words", words)):
        _save(folder / f"{name}.npy", array)
    _save(folder / "gone.npy", np.zeros(len(names), np.bool_))
    rows = np.lib.format.open_memmap(folder / "rows.npy", "w+", np.uint32, (BANDS, len(words)))
    table = np.lib.format.open_memmap(folder / "table.npy", "w+", np.uint32, (BANDS, (1 << bits) + 1))
    numbers = np.arange(len(words), dtype=np.uint64)
    for band in range(BANDS):
        keys = _keys(words, band, bits)
        packed = np.sort(keys.astype(np.uint64) << np.uint64(32) | numbers)
        rows[band] = packed.astype(np.uint32)  # the lower half
        table[band, 0] = 0
        table[band, 1:] = np.cumsum(np.bincount(keys, minlength=1 << bits))
    rows.flush()
    table.flush()


def _save(path: Path, array: NDArray[np.generic]) -> None:
    with path.open("wb") as file:
        np.save(file, array)
        file.flush()
        os.fsync(file.fileno())


def _keys(words: NDArray[np.uint64], band: int, bits: int) -> NDArray[np.int64]:
    """The first `bits` bits of a band, (hashes,)."""
    word, offset = divmod(_STARTS[band], 64)
    keys = words[:, word] >> np.uint64(offset)
    if offset + bits > 64:
        keys = keys | words[:, word + 1] << np.uint64(64 - offset)
    return (keys & np.uint64((1 << bits) - 1)).astype(np.int64)


def _masks(bits: int, flips: int) -> NDArray[np.int64]:
    """All numbers with at most `flips` of `bits` bits set."""
    found = (sum(1 << bit for bit in some) for n in range(flips + 1) for some in combinations(range(bits), n))
    return np.fromiter(found, np.int64)
