"""Objects in a local folder: whole or absent, and every error names the object."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from kinesphere.errors import CorruptObject, InvalidInput, StorageFailed
from kinesphere.objects.store import Objects, open_objects


@pytest.fixture
def objects(tmp_path: Path) -> Objects:
    return open_objects(tmp_path)


def test_what_is_put_is_what_is_read(objects: Objects, tmp_path: Path) -> None:
    objects.put("a/b", b"0123456789")
    assert objects.get("a/b") == b"0123456789"
    assert objects.get("a/b", (2, 5)) == b"234"
    assert objects.size("a/b") == 10 and objects.exists("a/b")
    file = tmp_path / "file"
    file.write_bytes(b"from a file")
    objects.put("a/c", file)
    with objects.open("a/c") as content:
        assert bytes(content.read(4)) == b"from"
    assert objects.keys("a") == ["a/b", "a/c"]
    assert objects.folders("") == ["a"]
    objects.delete("a/b")
    objects.delete("a/b")
    assert not objects.exists("a/b")


def test_of_many_who_put_if_absent_one_wins(objects: Objects) -> None:
    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(lambda name: objects.put_if_absent("key", str(name).encode()), range(8)))
    assert won.count(True) == 1
    assert objects.get("key") == str(won.index(True)).encode()


def test_a_missing_object_is_named(objects: Objects) -> None:
    for read in (objects.get, objects.size):
        with pytest.raises(CorruptObject, match="object 'no/such' is missing"):
            read("no/such")
    with pytest.raises(CorruptObject, match="object 'no/such' is missing"), objects.open("no/such"):
        pass


def test_an_object_that_goes_while_it_is_read_is_named(tmp_path: Path) -> None:
    objects = open_objects(tmp_path)
    objects.put("a", b"1" * (8 << 20))
    with pytest.raises(CorruptObject, match="object 'a' is missing"), objects.open("a") as content:
        content.read(10)
        objects.delete("a")
        while content.read(1 << 20):
            pass
    objects.put("a", b"1")
    with pytest.raises(FileNotFoundError, match="my own"), objects.open("a"):
        (tmp_path / "my own").read_bytes()


def test_a_full_disk_is_told_and_leaves_no_object(small_disk: Path) -> None:
    objects = open_objects(small_disk)
    with pytest.raises(StorageFailed, match=r"object 'big'.*no space left on device; free some space"):
        objects.put("big", b"\0" * 3_000_000)
    assert not objects.exists("big")
    assert [path for path in small_disk.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("location", ["nowhere://bucket", "/no/such/folder"])
def test_a_place_that_cannot_be_opened_is_told(location: str) -> None:
    with pytest.raises(InvalidInput):
        open_objects(location)


def test_only_local_folders_have_local_paths(objects: Objects, tmp_path: Path) -> None:
    assert objects.local_path("a/b") == tmp_path / "a" / "b"
    assert open_objects("memory://").local_path("a/b") is None
