"""The index of hashes: it finds what brute force finds, forgets what it is told to, and lives through crashes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from annotate.duplicates import hamming_index, hamming_segment
from annotate.duplicates.alignment import hamming
from annotate.duplicates.hamming_index import HammingIndex, Neighbours
from kinesphere.errors import Conflict, CorruptObject, NewerFormat

TIMES = np.arange(5) * 1000


def some_hashes(count: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (count, 32), dtype=np.uint8)


def changed(hashes: NDArray[np.uint8], bits: int, seed: int = 0) -> NDArray[np.uint8]:
    """The same hashes, with so many bits of each turned over."""
    random, flat = np.random.default_rng(seed), np.unpackbits(hashes, axis=1)
    for row in flat:
        row[random.choice(256, bits, replace=False)] ^= 1
    return np.packbits(flat, axis=1)


def found(neighbours: Neighbours) -> set[tuple[int, str, int, int]]:
    names = [neighbours.recordings[owner] for owner in neighbours.owner]
    return set(
        zip(
            neighbours.query.tolist(),
            names,
            neighbours.time_ms.tolist(),
            neighbours.distance.tolist(),
            strict=True,
        )
    )


@settings(max_examples=25)
@given(
    seed=st.integers(0, 2**32 - 1),
    recordings=st.integers(1, 60),
    bits=st.lists(st.integers(0, 40), min_size=1, max_size=8),
    sealed=st.booleans(),
)
def test_it_finds_what_brute_force_finds(
    tmp_path_factory: pytest.TempPathFactory, seed: int, recordings: int, bits: list[int], sealed: bool
) -> None:
    known = {f"r{i}": some_hashes(5, seed + i) for i in range(recordings)}
    queries = np.concatenate([changed(known[f"r{n % recordings}"][:2], n_bits, seed) for n, n_bits in enumerate(bits)])
    with HammingIndex(tmp_path_factory.mktemp("index")) as index:
        if sealed:
            index.add_many((name, TIMES, hashes) for name, hashes in known.items())
        else:
            for name, hashes in known.items():
                index.add(name, TIMES, hashes)
        answer = found(index.neighbours(queries))
    expected = set()
    for name, hashes in known.items():
        for (query, at), distance in np.ndenumerate(hamming(queries, hashes)):
            if distance <= hamming_segment.RADIUS:
                expected.add((int(query), name, int(TIMES[at]), int(distance)))
    assert answer == expected


def test_with_fewer_flips_only_bands_that_are_so_near_are_looked_up(tmp_path: Path) -> None:
    """One bit turned over in each band: none is the same, each is near."""
    base = some_hashes(1)
    bits = np.unpackbits(base, axis=1, bitorder="little")
    bits[:, [256 * band // 11 for band in range(11)]] ^= 1
    with HammingIndex(tmp_path) as index:
        index.add_many([("r", TIMES[:1], base), ("other", TIMES, some_hashes(5, 1))])
        query = np.packbits(bits, axis=1, bitorder="little")
        assert index.neighbours(query, flips=0).recordings == []
        assert index.neighbours(query, flips=1).recordings == ["r"]
        assert index.neighbours(base, flips=0).recordings == ["r"]


def test_31_bits_spread_over_all_bands_are_not_missed(tmp_path: Path) -> None:
    """The hardest case: three bits turned over in each band but two, two in each of these."""
    base = some_hashes(1)
    with HammingIndex(tmp_path) as index:
        index.add_many([("r", TIMES[:1], base), ("other", TIMES, some_hashes(5, 1))])
        bits = np.unpackbits(base.view(np.uint8), axis=1, bitorder="little")
        starts = [256 * band // 11 for band in range(11)]
        turned = [start + at for band, start in enumerate(starts) for at in range(3 if band < 9 else 2)]
        assert len(turned) == 31
        bits[0, turned] ^= 1
        neighbours = index.neighbours(np.packbits(bits, axis=1, bitorder="little"))
    assert (neighbours.recordings, neighbours.distance.tolist()) == (["r"], [31])


def test_what_is_added_is_there_after_opening_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hamming_index, "LOG_LIMIT", 12)
    with HammingIndex(tmp_path) as index:
        for n in range(40):
            index.add(f"r{n}", TIMES, some_hashes(5, n))
    assert len(list(tmp_path.glob("segment-*"))) < 8, "segments are merged"
    with HammingIndex(tmp_path) as index:
        assert len(index) == 40
        for n in range(40):
            assert index.neighbours(some_hashes(5, n)).recordings == [f"r{n}"]


def test_what_is_added_again_replaces_what_was_there(tmp_path: Path) -> None:
    with HammingIndex(tmp_path) as index:
        index.add_many([("r", TIMES, some_hashes(5, 0)), ("s", TIMES, some_hashes(5, 1))])
        index.add("r", TIMES, some_hashes(5, 2))
        assert len(index) == 2
        assert index.neighbours(some_hashes(5, 0)).recordings == []
        assert index.neighbours(some_hashes(5, 2)).recordings == ["r"]


@pytest.mark.parametrize("sealed", [True, False])
def test_what_is_removed_is_in_no_file(tmp_path: Path, sealed: bool) -> None:
    hashes = {name: some_hashes(5, seed) for seed, name in enumerate(("r", "s", "t"))}
    with HammingIndex(tmp_path) as index:
        if sealed:
            index.add_many((name, TIMES, part) for name, part in hashes.items())
        else:
            for name, part in hashes.items():
                index.add(name, TIMES, part)
        index.remove("s")
        assert "s" not in index and len(index) == 2
        assert [index.neighbours(hashes[name]).recordings for name in "rst"] == [["r"], [], ["t"]]
    content = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    assert all(part.tobytes() in content for part in hashes["r"])
    assert not any(part.tobytes() in content for part in hashes["s"])
    if sealed:  # nor do the tables tell the bits of its rows, the sixth to the tenth
        rows = np.load(next(tmp_path.glob("segment-*")) / "rows.npy")
        assert not np.isin(np.arange(5, 10), rows).any()
        assert (rows == hamming_segment.GONE).sum() == 5 * hamming_segment.BANDS


def test_a_removal_that_was_interrupted_is_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with HammingIndex(tmp_path) as index:
        index.add_many([("r", TIMES, some_hashes(5, 0)), ("s", TIMES, some_hashes(5, 1))])

        def crash(segment: object, recording: str) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
            patched.setattr(hamming_segment.Segment, "wipe", crash)
            index.remove("r")
    with HammingIndex(tmp_path) as index:
        assert "r" not in index and "s" in index
        assert index.neighbours(some_hashes(5, 0)).recordings == []
    assert not (tmp_path / "removing.json").exists()


@pytest.mark.parametrize("left", [1, 15, 30, 190])
def test_a_torn_end_of_the_log_is_cut_off(tmp_path: Path, left: int) -> None:
    with HammingIndex(tmp_path) as index:
        index.add("r", TIMES, some_hashes(5, 0))
        size = (tmp_path / "0.log").stat().st_size
        index.add("s", TIMES, some_hashes(5, 1))
    content = (tmp_path / "0.log").read_bytes()
    (tmp_path / "0.log").write_bytes(content[: size + left])
    with HammingIndex(tmp_path) as index:
        assert "r" in index and "s" not in index
        index.add("t", TIMES, some_hashes(5, 2))
    with HammingIndex(tmp_path) as index:
        assert index.neighbours(np.concatenate([some_hashes(5, n) for n in range(3)])).recordings == ["r", "t"]


def test_a_crash_while_a_segment_is_made_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hamming_index, "LOG_LIMIT", 12)
    with HammingIndex(tmp_path) as index:
        for n in range(3):
            if n < 2:
                index.add(f"r{n}", TIMES, some_hashes(5, n))
                continue

            def crash(*arguments: object) -> None:
                raise KeyboardInterrupt

            with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
                patched.setattr(HammingIndex, "_write_manifest", crash)
                index.add(f"r{n}", TIMES, some_hashes(5, n))
    assert list(tmp_path.glob("segment-*"))
    with HammingIndex(tmp_path) as index:
        assert not list(tmp_path.glob("segment-*")), "no manifest names it"
        for n in range(3):
            assert index.neighbours(some_hashes(5, n)).recordings == [f"r{n}"]


def test_only_one_process_has_it_open(tmp_path: Path) -> None:
    with HammingIndex(tmp_path), pytest.raises(Conflict, match="in use by another process"):
        HammingIndex(tmp_path, wait_seconds=0.05)
    with HammingIndex(tmp_path) as index:
        assert len(index) == 0


def test_a_later_format_and_a_damaged_manifest_are_refused(tmp_path: Path) -> None:
    HammingIndex(tmp_path).close()
    manifest = tmp_path / "manifest.json"
    content = json.loads(manifest.read_text())
    manifest.write_text(json.dumps(content | {"format_version": 2}))
    with pytest.raises(NewerFormat):
        HammingIndex(tmp_path)
    manifest.write_text("{")
    with pytest.raises(CorruptObject, match="make the index anew"):
        HammingIndex(tmp_path)


def test_an_empty_index_and_no_hashes_give_nothing(tmp_path: Path) -> None:
    with HammingIndex(tmp_path) as index:
        assert index.neighbours(some_hashes(2)).recordings == []
        index.add("empty", TIMES[:0], some_hashes(0))
        index.add_many([("also empty", TIMES[:0], some_hashes(0))])
        assert "empty" in index
        assert len(index.neighbours(some_hashes(2)).owner) == len(index.neighbours(some_hashes(0)).owner) == 0
