"""The command `calibrate`, and recordings that take what it found."""

import json
from pathlib import Path

import pytest

from kinesphere.errors import CorruptObject, InvalidInput, NotFound
from storage.recordings.camera_calibration import CameraCalibration, KnownLength, camera_of, list_cameras, read_camera
from storage.recordings.recording import RecordingFile
from storage.workspace import Workspace
from studio.commands.contributors.calibrate_command import for_recording, known_length
from tests.support.calibration_boards import FOCAL, SIZE, make_board_clip, shown
from tests.support.command import Command
from tests.support.video_clips import make_clip


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_board_clip(tmp_path_factory.mktemp("board") / "Board 1.mp4", shown(24))


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> Command:
    return Command.in_new_workspace(tmp_path_factory.mktemp("calibration") / "workspace")


def test_a_clip_of_the_board_calibrates_a_camera_that_a_recording_then_keeps(
    command: Command, clip: Path, tmp_path: Path
) -> None:
    found = command.json("calibrate", str(clip))
    assert found["camera"] == "board-1"
    assert found["fx"] == pytest.approx(FOCAL[0], rel=0.01)
    assert (found["image_width"], found["image_height"], found["device"]) == (*SIZE, "")
    take = make_clip(tmp_path / "take.mp4", size=(320, 240))
    options = ("--task", "move", "--contributor", "c001", "--yes")
    made = command.json("import", str(take), *options, "--calibration", "board-1", "--height", "1.75")
    (recording,) = made["recordings"]
    file = command.workspace / "drafts" / recording["recording"] / "recording.json"
    origin = RecordingFile.from_bytes(file.read_bytes(), "recording.json").origin
    assert origin.calibration is not None
    assert origin.calibration.intrinsics(320, 240)["fx"] == pytest.approx(FOCAL[0] / 2, rel=0.01)
    assert origin.known_length == KnownLength(kind="height", metres=1.75)
    wide = make_clip(tmp_path / "wide.mp4", size=(320, 180))
    assert "has another shape than 320x180" in command.error("import", str(wide), *options, "--calibration", "board-1")
    assert "no calibrated camera named 'absent' (there is: board-1" in command.error(
        "import", str(wide), *options, "--calibration", "absent"
    )


def test_the_board_is_written_as_a_pdf(command: Command, tmp_path: Path) -> None:
    made = command.json("calibrate", "--board", str(tmp_path / "board.pdf"), "--paper", "letter")
    assert (made["columns"], made["rows"], made["square_mm"]) == (7, 9, 25)
    assert (tmp_path / "board.pdf").read_bytes().startswith(b"%PDF-1.4")
    assert "cannot write" in command.error("calibrate", "--board", str(tmp_path / "absent" / "board.pdf"))


def test_a_clip_without_a_board_and_no_clip_at_all_are_one_line(command: Command, tmp_path: Path) -> None:
    assert "the board was not seen" in command.error("calibrate", str(make_clip(tmp_path / "empty.mp4")))
    assert "give one of" in command.error("calibrate")


def made(camera: str = "webcam", device: str = "", created_at: str = "2026-01-01T00:00:00Z") -> CameraCalibration:
    return CameraCalibration.model_validate(
        {
            "camera": camera, "device": device, "image_width": 1280, "image_height": 720, "fx": 1000, "fy": 1002,
            "cx": 641, "cy": 359, "distortion": [0.1, 0, 0, 0, 0], "fx_sd": 2, "fy_sd": 2, "cx_sd": 1, "cy_sd": 1,
            "reprojection_error": 0.2, "views": 20, "created_at": created_at,
        }
    )  # fmt: skip


def test_a_calibration_scales_with_the_picture_and_not_with_its_shape() -> None:
    half = made().intrinsics(640, 360)
    assert (half["fx"], half["fy"], half["cx"], half["cy"], half["fx_sd"]) == (500, 501, 320.5, 179.5, 1)
    assert (half["source"], half["distortion"]) == ("calibrated", [0.1, 0, 0, 0, 0])
    with pytest.raises(InvalidInput, match="calibrated at 1280x720, which has another shape than 720x1280"):
        made().intrinsics(720, 1280)


def test_the_newest_calibration_of_a_device_is_taken_for_its_recordings(workspace: Workspace) -> None:
    from storage.recordings.camera_calibration import write_camera

    for camera, device, day in (("a", "Webcam", 1), ("b", "Webcam", 2), ("c", "Other", 3), ("d", "", 4)):
        write_camera(workspace.objects, made(camera, device, f"2026-01-0{day}T00:00:00Z"))
    assert list_cameras(workspace.objects) == ["a", "b", "c", "d"]
    found = camera_of(workspace.objects, "Webcam")
    assert found is not None and found.camera == "b"
    assert camera_of(workspace.objects, "") is None
    assert for_recording(workspace.objects, None, "Webcam", 640, 360) == (found, "")
    assert "not calibrated" in for_recording(workspace.objects, None, "Webcam", 640, 480)[1]
    with pytest.raises(InvalidInput, match="another shape"):
        for_recording(workspace.objects, "a", "Webcam", 640, 480)
    with pytest.raises(NotFound, match="no calibrated camera named 'x'"):
        for_recording(workspace.objects, "x", "Webcam", 640, 480)
    workspace.objects.put("cameras/a.json", json.dumps({"camera": "a"}).encode())
    with pytest.raises(CorruptObject, match=r"'cameras/a\.json' is no calibration"):
        read_camera(workspace.objects, "a")


def test_a_known_length_is_one_thing_and_of_human_size() -> None:
    assert known_length(None, None) is None
    assert known_length(None, "board") == KnownLength(kind="board")
    assert known_length(None, "a4") == KnownLength(kind="sheet", paper="a4")
    with pytest.raises(InvalidInput, match=r"write 1\.75 for 175 cm"):
        known_length(175, None)
    with pytest.raises(InvalidInput, match="not both"):
        known_length(1.75, "board")
