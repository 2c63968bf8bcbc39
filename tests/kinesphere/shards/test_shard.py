"""Shards: what is written is what is read, by us and by anyone's Zarr; damage is an error that names the object."""

import hashlib
import json
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kinesphere.errors import CorruptObject, InvalidInput, NewerFormat, StorageFailed
from kinesphere.objects.store import Objects, open_objects
from kinesphere.shards.shard import MAX_FRAMES, OpenShards, Shard, shard_key
from kinesphere.trajectory import BASIC_ARRAYS, BODY_LANDMARKS, from_stored, to_stored
from storage.shards.shard_writer import write_shard
from tests.support.generated_trajectories import EXTRACTOR, make_trajectory

SCALED = [spec for spec in BASIC_ARRAYS.values() if spec.scale_factor is not None]


@pytest.fixture
def objects(tmp_path: Path) -> Objects:
    return open_objects(tmp_path)


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lengths=st.lists(st.integers(1, 700), min_size=1, max_size=3),
    gaps=st.sampled_from([0.0, 0.3, 1.0]),
    seed=st.integers(0, 1000),
    data=st.data(),
)
def test_what_is_written_is_what_is_read(
    objects: Objects, lengths: list[int], gaps: float, seed: int, data: st.DataObject
) -> None:
    written = [make_trajectory(length, seed=seed + place, gaps=gaps) for place, length in enumerate(lengths)]
    record = write_shard(objects, written)
    shard = Shard(objects, record.shard_id)
    start = data.draw(st.integers(0, record.frames - 1))
    stop = data.draw(st.integers(start + 1, record.frames))
    plain = zarr.open_group(str(objects.local_path(record.key)), mode="r")
    for name, spec in BASIC_ARRAYS.items():
        oracle = plain[name]
        assert isinstance(oracle, zarr.Array)
        assert shard.read(name, start, stop).tobytes() == np.asarray(oracle[start:stop]).tobytes()
        whole = np.concatenate([trajectory.arrays[name] for trajectory in written])
        np.testing.assert_array_equal(shard.read(name, 0, record.frames), to_stored(spec, whole)[0])
        part = from_stored(spec, shard.read(name, start, stop))
        if spec.scale_factor is None:
            np.testing.assert_array_equal(part, whole[start:stop])
        else:
            np.testing.assert_allclose(part, whole[start:stop], atol=spec.scale_factor / 2 + 1e-6, rtol=0)
    assert [span.length for span in record.spans] == lengths
    assert [span.first_frame for span in record.spans] == [sum(lengths[:place]) for place in range(len(lengths))]
    assert record.size_bytes == sum(objects.size(key) for key in objects.keys(record.key))


def test_clipped_numbers_are_counted_by_trajectory(objects: Objects) -> None:
    plain, wild = make_trajectory(10, seed=1, gaps=0), make_trajectory(10, seed=2, gaps=0)
    wild.arrays["body_world"][3, 5] = 40.0
    wild.arrays["hands_image"][4, 1, 0, 0] = -np.inf
    record = write_shard(objects, [plain, wild])
    assert [span.clipped for span in record.spans] == [0, 4]
    assert [item["clipped"] for item in Shard(objects, record.shard_id).attributes["trajectories"]] == [0, 4]


def test_plain_zarr_reads_the_same_numbers_and_says_what_they_are(objects: Objects) -> None:
    trajectory = make_trajectory(600, seed=3)
    record = write_shard(objects, [trajectory])
    group = zarr.open_group(str(objects.local_path(record.key)), mode="r")
    assert sorted(group.array_keys()) == sorted(BASIC_ARRAYS)
    for name, spec in BASIC_ARRAYS.items():
        array = group[name]
        assert isinstance(array, zarr.Array)
        np.testing.assert_array_equal(array[:], to_stored(spec, trajectory.arrays[name])[0])
        assert array.attrs["units"] == spec.units
        assert array.metadata.dimension_names == spec.dimensions  # type: ignore[union-attr]
        assert array.chunks == (256, *spec.shape)
        assert array.shards == (768, *spec.shape)
    assert group["body_world"].attrs["landmarks"] == list(BODY_LANDMARKS)
    assert group.attrs["contributor"] == "anna"
    assert group.attrs["extractor"] == EXTRACTOR.to_json()
    assert group.attrs["scale"] == "relative"
    assert group.attrs["trajectories"][0]["intrinsics"]["source"] == "assumed"  # type: ignore[index, call-overload]


def test_xarray_decodes_the_units_without_a_warning(objects: Objects) -> None:
    trajectory = make_trajectory(300, seed=4)
    record = write_shard(objects, [trajectory])
    shard = Shard(objects, record.shard_id)
    with xarray.open_zarr(objects.local_path(record.key)) as opened:
        assert opened.sizes == {"frame": 300, "body_landmark": 33, "xyz": 3, "hand": 2, "hand_landmark": 21, "pose": 7}
        for name, spec in BASIC_ARRAYS.items():
            ours = from_stored(spec, shard.read(name, 0, 300))
            np.testing.assert_allclose(opened[name].values, ours, rtol=1e-6)
            assert opened[name].attrs["units"] == spec.units
            assert opened[name].dtype.kind == ours.dtype.kind
        assert float(np.nanmax(np.abs(opened["body_world"].values))) < 2  # metres, not tenths of a millimetre


def test_the_same_trajectories_give_the_same_bytes_in_another_process_and_thread(tmp_path: Path) -> None:
    code = (
        "import sys; sys.path.insert(0, '.'); from kinesphere.objects.store import open_objects; "
        "from storage.shards.shard_writer import write_shard; "
        "from tests.support.generated_trajectories import make_trajectory; "
        "write_shard(open_objects(sys.argv[1], create=True), [make_trajectory(5000, seed=7)])"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "process")], check=True)
    here = open_objects(tmp_path / "here", create=True)
    threads = [threading.Thread(target=write_shard, args=(here, [make_trajectory(5000, seed=7)])) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert _contents(tmp_path / "process") == _contents(tmp_path / "here")
    assert len(_contents(tmp_path / "here")) > len(BASIC_ARRAYS)


def test_other_content_gives_another_id(objects: Objects) -> None:
    first = make_trajectory(20, seed=1)
    second = make_trajectory(20, seed=1)
    second.arrays["grip"][7, 0] = 0.25
    ids = {write_shard(objects, given).shard_id for given in ([first], [second], [first, second], [second, first])}
    assert len(ids) == 4


def test_a_clip_with_no_person_is_a_shard_with_nothing_in_it(objects: Objects) -> None:
    record = write_shard(objects, [make_trajectory(900, gaps=1.0)])
    shard = Shard(objects, record.shard_id)
    assert np.isnan(from_stored(BASIC_ARRAYS["body_world"], shard.read("body_world", 100, 600))).all()
    assert np.isnan(shard.read("wrist_pose", 100, 600)).all()
    assert not any("body_world/c/" in key for key in objects.keys(record.key))


@pytest.mark.parametrize(
    ("trajectories", "message"),
    [
        (list, "at least one trajectory"),
        (lambda: [make_trajectory(3), make_trajectory(3, contributor="ben")], "one contributor, got .'anna', 'ben'"),
        (lambda: [make_trajectory(MAX_FRAMES // 8)] * 9, "at most 262144 frames, got 294912"),
    ],
)
def test_what_a_shard_cannot_hold_is_refused_and_nothing_is_written(
    objects: Objects, trajectories: Callable[[], Any], message: str
) -> None:
    with pytest.raises(InvalidInput, match=message):
        write_shard(objects, trajectories())
    assert objects.keys("") == []


def test_a_full_disk_leaves_no_shard(small_disk: Path) -> None:
    objects = open_objects(small_disk)
    with pytest.raises(StorageFailed, match="no space left on device"):
        write_shard(objects, [make_trajectory(8000)])
    assert objects.keys("shards") == []
    write_shard(objects, [make_trajectory(100)])


@pytest.mark.parametrize("name", list(BASIC_ARRAYS))
@pytest.mark.parametrize("whole", [True, False], ids=["whole", "part"])
@pytest.mark.parametrize("verify", [True, False], ids=["verified", "unverified"])
@pytest.mark.parametrize("damage", ["deleted", "emptied", "truncated", "flipped"])
def test_damage_is_an_error_that_names_the_object(
    damaged_shards: Path, name: str, whole: bool, verify: bool, damage: str
) -> None:
    objects = open_objects(damaged_shards / damage)
    (shard_id,) = (folder.removesuffix(".zarr") for folder in objects.folders("shards"))
    key = "/".join([shard_key(shard_id), name, "c", "0", *("0" for _ in BASIC_ARRAYS[name].shape)])
    with pytest.raises(CorruptObject, match=f"object '{key}'"):
        OpenShards(objects, verify).read(shard_id, name, 0, 1000 if whole else 700)


@pytest.fixture(scope="module")
def damaged_shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders named for a kind of damage, each with one shard whose every data object is damaged so."""
    folder = tmp_path_factory.mktemp("damaged")
    for damage in ("deleted", "emptied", "truncated", "flipped"):
        objects = open_objects(folder / damage, create=True)
        record = write_shard(objects, [make_trajectory(1000, seed=5)])
        for path in (folder / damage / record.key).glob("*/c/**/0"):
            if path.is_file():
                _damage(path, damage)
    return folder


def _damage(path: Path, damage: str) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 5] ^= 1
    if damage == "deleted":
        path.unlink()
    else:
        kept = {"emptied": b"", "truncated": path.read_bytes()[:-1], "flipped": bytes(content)}
        path.write_bytes(kept[damage])


def test_any_flipped_bit_of_a_shard_is_noticed(tmp_path: Path) -> None:
    objects = open_objects(tmp_path)
    record = write_shard(objects, [make_trajectory(300, seed=8)])
    random = np.random.default_rng(0)
    for name in ("body_world", "valid"):
        (path,) = (path for path in (tmp_path / record.key / name / "c").rglob("0") if path.is_file())
        good = path.read_bytes()
        for place in random.choice(len(good), 25, replace=False):
            bad = bytearray(good)
            bad[place] ^= 1 << int(random.integers(8))
            path.write_bytes(bytes(bad))
            with pytest.raises(CorruptObject, match=name):
                Shard(objects, record.shard_id).read(name, 0, 300)
        path.write_bytes(good)
        Shard(objects, record.shard_id).read(name, 0, 300)


def test_a_verified_read_notices_what_checksums_inside_cannot(tmp_path: Path) -> None:
    objects = open_objects(tmp_path)
    record = write_shard(objects, [make_trajectory(300, seed=8)])
    forged = write_shard(objects, [make_trajectory(300, seed=9)])
    chunk = f"{record.key}/timestamp/c/0"
    objects.put(chunk, objects.get(f"{forged.key}/timestamp/c/0"))
    with pytest.raises(CorruptObject, match=f"'{chunk}' is not what its shard lists"):
        OpenShards(objects, verify=True).read(record.shard_id, "timestamp", 0, 300)


def test_a_verified_object_is_hashed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    objects = open_objects(tmp_path)
    record = write_shard(objects, [make_trajectory(2000, seed=8)])
    shards = OpenShards(objects, verify=True)
    shards.read(record.shard_id, "grip", 0, 10)
    real = hashlib.sha256
    hashed: list[int] = []

    def counted(data: bytes) -> Any:
        hashed.append(len(data))
        return real(data)

    monkeypatch.setattr(hashlib, "sha256", counted)
    shards.read(record.shard_id, "grip", 500, 900)
    assert hashed == []
    shards.read(record.shard_id, "valid", 500, 900)
    assert len(hashed) == 1


def test_metadata_that_was_edited_or_lost_is_an_error_that_names_it(objects: Objects) -> None:
    record = write_shard(objects, [make_trajectory(30)])
    key = f"{record.key}/zarr.json"
    good = objects.get(key)
    for bad in (good.replace(b"anna", b"ella"), good[:-10], b"", b"[]", b"\xff"):
        objects.put(key, bad)
        with pytest.raises(CorruptObject, match=f"object '{key}'"):
            Shard(objects, record.shard_id).read("grip", 0, 30)
    objects.delete(key)
    with pytest.raises(CorruptObject, match=f"object '{key}' is missing"):
        Shard(objects, record.shard_id).read("grip", 0, 30)


def test_a_shard_of_a_later_format_is_refused_by_name(objects: Objects) -> None:
    record = write_shard(objects, [make_trajectory(30)])
    group = json.loads(objects.get(f"{record.key}/zarr.json"))
    group["attributes"]["format_version"] = 7
    objects.put(f"{record.key}/zarr.json", json.dumps(group).encode())
    with pytest.raises(NewerFormat, match=f"shard {record.shard_id} was written by a newer kinesphere .format 7"):
        Shard(objects, record.shard_id).read("grip", 0, 30)


def test_frames_and_arrays_that_are_not_there_are_refused(objects: Objects) -> None:
    record = write_shard(objects, [make_trajectory(30)])
    shard = Shard(objects, record.shard_id)
    for start, stop in ((0, 31), (-1, 5), (5, 5), (9, 3)):
        with pytest.raises(InvalidInput, match="has frames 0 to 30"):
            shard.read("grip", start, stop)
    with pytest.raises(InvalidInput, match=r"no array 'grips' \(it has: timestamp"):
        shard.read("grips", 0, 5)
    with pytest.raises(InvalidInput, match="no shard id"):
        Shard(objects, "../../etc")
    with pytest.raises(CorruptObject, match="points at frames 10 to 99"):
        OpenShards(objects).read(record.shard_id, "grip", 10, 99)


def test_writing_again_repairs_what_was_lost(objects: Objects) -> None:
    record = write_shard(objects, [make_trajectory(30)])
    objects.delete(f"{record.key}/grip/c/0/0")
    assert write_shard(objects, [make_trajectory(30)]) == record
    assert Shard(objects, record.shard_id).read("grip", 0, 30).shape == (30, 2)


def _contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
