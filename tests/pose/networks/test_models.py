"""Models and clip: fetched from the real package index, pinned, cached, safe for two at once."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from kinesphere.errors import InvalidInput, StorageFailed
from pose.networks.bundles import build_bundle
from pose.networks.models import cache_folder, fetch_clip, hand_model, pose_model

FETCH = (
    "from pose.networks.models import pose_model; "
    "model = pose_model(on_fetch=print); print(sorted(model.sha256.values()))"
)


def without_index(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "", "PIP_CONFIG_FILE": os.devnull}.items():
        monkeypatch.setenv(name, value)


def test_both_models_come_from_the_cache_and_hold_the_pinned_networks() -> None:
    pose, hand = pose_model(), hand_model()
    assert pose.path.parent == hand.path.parent == cache_folder()
    assert set(pose.sha256) == {"pose_detector.tflite", "pose_landmarks_detector.tflite"}
    assert hand.sha256["hand_landmarks_detector.tflite"].startswith("11c272b8")


def test_a_model_in_the_cache_is_not_fetched_again() -> None:
    pose_model()
    messages: list[str] = []
    pose_model(on_fetch=messages.append)
    assert messages == []


def test_the_clip_is_the_pinned_one(body_clip: Path) -> None:
    assert body_clip == fetch_clip()
    assert body_clip.stat().st_size == 3_968_304


def test_two_processes_with_a_damaged_cache_fetch_once_and_both_get_the_model(tmp_path: Path) -> None:
    model = pose_model()
    damaged = bytearray(model.path.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    (tmp_path / model.path.name).write_bytes(damaged)
    environment = os.environ | {"KINESPHERE_CACHE": str(tmp_path)}
    command = [sys.executable, "-c", FETCH]
    processes = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[3])
        for _ in range(2)
    ]
    printed = [process.communicate(timeout=120)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert sum(text.count("fetching the pose models") for text in printed) == 1
    assert all(text.splitlines()[-1] == str(sorted(model.sha256.values())) for text in printed)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        ["fetch.lock", pose_model().path.name, hand_model().path.name]
    )
    assert (tmp_path / model.path.name).read_bytes() == model.path.read_bytes()


def test_without_an_index_the_error_is_one_line_that_names_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_index(monkeypatch)
    monkeypatch.setenv("KINESPHERE_CACHE", str(tmp_path))
    with pytest.raises(StorageFailed, match=r"cannot fetch mediapipe==0\.10\.21 .*check the connection") as raised:
        pose_model()
    assert "\n" not in str(raised.value)
    assert [path.name for path in tmp_path.iterdir()] == ["fetch.lock"]


def test_another_network_under_the_pinned_name_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = pose_model().sha256
    (tmp_path / pose_model().path.name).write_bytes(build_bundle(dict.fromkeys(names, b"another network")))
    without_index(monkeypatch)
    monkeypatch.setenv("KINESPHERE_CACHE", str(tmp_path))
    with pytest.raises(StorageFailed, match="cannot fetch"):
        pose_model()


def test_a_full_disk_leaves_nothing_behind(small_disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KINESPHERE_CACHE", str(small_disk))
    with pytest.raises(StorageFailed, match="No space left on device"):
        fetch_clip()
    assert [path.name for path in small_disk.iterdir()] == ["fetch.lock"]


def test_a_cache_that_cannot_be_written_says_what_to_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("KINESPHERE_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(StorageFailed, match="set KINESPHERE_CACHE"):
        pose_model()


def test_a_users_own_bundle_is_taken_as_it_is(tmp_path: Path) -> None:
    own = tmp_path / "own.task"
    shutil.copy(hand_model().path, own)
    assert hand_model(own).sha256 == hand_model().sha256
    assert hand_model(own).path == own


def test_a_bundle_of_the_wrong_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"holds no pose_detector\.tflite and no pose_landmarks_detector\.tflite"):
        pose_model(hand_model().path)
    empty = tmp_path / "empty.task"
    empty.write_bytes(build_bundle({}))
    with pytest.raises(InvalidInput, match="it holds: nothing"):
        hand_model(empty)
