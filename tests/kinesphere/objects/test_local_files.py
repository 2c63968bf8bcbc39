"""Files that are written whole: staged beside their place, and taken over instead of copied where nobody minds."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from kinesphere.objects.local_files import remove_staged, staged_path, write_all_whole, write_if_absent, write_whole
from kinesphere.objects.store import open_objects


def test_a_file_that_is_taken_over_is_not_copied(tmp_path: Path) -> None:
    given, kept = tmp_path / "given.mp4", tmp_path / "kept.mp4"
    for file in (given, kept):
        file.write_bytes(b"video")
    objects = open_objects(tmp_path / "store", create=True)
    objects.put_all({"a/given": given, "a/text": b"text"}, take_over=True)
    objects.put("a/kept", kept)
    assert (tmp_path / "store/a/given").samefile(given)
    assert not (tmp_path / "store/a/kept").samefile(kept)
    given.unlink()
    assert objects.get("a/given") == b"video" and objects.keys("a") == ["a/given", "a/kept", "a/text"]


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="needs a second file system")
def test_what_lies_on_another_disk_is_copied(tmp_path: Path) -> None:
    source = Path(f"/dev/shm/kinesphere-{os.getpid()}")
    source.write_bytes(b"video")
    try:
        write_all_whole({tmp_path / "there": source}, root=tmp_path, take_over=True)
    finally:
        source.unlink()
    assert (tmp_path / "there").read_bytes() == b"video"


def test_what_fails_leaves_what_was_there_and_nothing_beside_it(tmp_path: Path) -> None:
    write_whole(tmp_path / "note", b"before")
    with pytest.raises(FileNotFoundError):
        write_all_whole({tmp_path / "note": b"after", tmp_path / "other": tmp_path / "missing"}, root=tmp_path)
    assert (tmp_path / "note").read_bytes() == b"before"
    assert [path.name for path in tmp_path.iterdir()] == ["note"]
    assert not write_if_absent(tmp_path / "note", b"after", root=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["note"]


def test_what_a_killed_writer_left_is_recognised_and_nothing_else(tmp_path: Path) -> None:
    left = staged_path(tmp_path / "recording.json")
    for path in (left, tmp_path / "recording.json", tmp_path / "a#1b", tmp_path / "a#b"):
        path.write_bytes(b"{")
    assert open_objects(tmp_path).keys("") == ["a#1b", "a#b", "recording.json"], "obstore does not list it either"
    remove_staged(tmp_path)
    assert not left.exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a#1b", "a#b", "recording.json"]


def test_a_folder_that_is_cleared_away_meanwhile_is_made_again(tmp_path: Path) -> None:
    folder, done = tmp_path / "a/b", threading.Event()

    def clear() -> None:
        while not done.is_set():
            try:
                folder.rmdir()
            except OSError:
                continue

    clearing = threading.Thread(target=clear)
    clearing.start()
    try:
        for number in range(300):
            path = folder / f"{number}"
            write_whole(path, b"x", root=tmp_path)
            path.unlink()
    finally:
        done.set()
        clearing.join()


def test_a_version_is_seen_after_what_it_names(tmp_path: Path) -> None:
    objects = open_objects(tmp_path)
    assert objects.put_if_absent("d/1.parquet", b"table", is_last=False)
    assert objects.put_if_absent("d/1.json", b"manifest", after=["d/1.parquet"])
    assert not objects.put_if_absent("d/1.json", b"another", after=["d/1.parquet"])
    assert objects.get("d/1.json") == b"manifest" and objects.keys("d") == ["d/1.json", "d/1.parquet"]
