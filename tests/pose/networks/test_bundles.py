"""Reading and building of `.task` bundles."""

import hashlib
import io
import zipfile
from pathlib import Path

import pytest

from kinesphere.errors import InvalidInput
from pose.networks.bundles import build_bundle, read_bundle

NETWORKS = {"detector.tflite": b"first network" * 10, "landmarks.tflite": b"second network"}


def test_a_built_bundle_gives_back_the_hash_of_each_member(tmp_path: Path) -> None:
    bundle = tmp_path / "model.task"
    bundle.write_bytes(build_bundle(NETWORKS))
    expected = {name: hashlib.sha256(content).hexdigest() for name, content in NETWORKS.items()}
    assert read_bundle(bundle, list(NETWORKS)) == expected


def test_members_lie_uncompressed_at_multiples_of_64_bytes() -> None:
    packed = build_bundle(NETWORKS)
    for content in NETWORKS.values():
        assert packed.index(content) % 64 == 0
    with zipfile.ZipFile(io.BytesIO(packed)) as bundle:
        assert bundle.testzip() is None


def test_equal_members_give_equal_bytes() -> None:
    assert build_bundle(NETWORKS) == build_bundle(dict(NETWORKS))


def test_a_file_that_is_no_zip_is_one_clear_line(tmp_path: Path) -> None:
    text = tmp_path / "notes.task"
    text.write_text("not a model")
    with pytest.raises(InvalidInput, match=r"notes\.task is not a MediaPipe \.task bundle") as raised:
        read_bundle(text, ["detector.tflite"])
    assert "\n" not in str(raised.value)


def test_a_missing_member_is_named_with_what_there_is(tmp_path: Path) -> None:
    bundle = tmp_path / "other.task"
    bundle.write_bytes(build_bundle({"detector.tflite": b"network"}))
    with pytest.raises(InvalidInput, match=r"holds no landmarks\.tflite \(it holds: detector\.tflite\)"):
        read_bundle(bundle, list(NETWORKS))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"cannot read the model .*absent\.task: No such file"):
        read_bundle(tmp_path / "absent.task", ["detector.tflite"])


def test_a_changed_byte_is_noticed(tmp_path: Path) -> None:
    packed = bytearray(build_bundle(NETWORKS))
    packed[packed.index(b"second network")] ^= 1
    bundle = tmp_path / "damaged.task"
    bundle.write_bytes(packed)
    with pytest.raises(InvalidInput, match="damaged"):
        read_bundle(bundle, list(NETWORKS))
