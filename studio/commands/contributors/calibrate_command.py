"""The command `calibrate`: prints the board, finds a camera from it, keeps it for that camera's recordings."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kinesphere.errors import InvalidInput, StorageFailed
from studio.commands.options import HERE, JsonOption, WorkspaceOption, opened
from studio.commands.output import Progress, print_json, progress, say

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from kinesphere.objects.store import Objects
    from pose.geometry.board_calibration import FoundCamera
    from storage.recordings.camera_calibration import CameraCalibration, KnownLength

SHOW_SECONDS = 30.0


class Paper(StrEnum):
    """What the board is printed on."""

    a4 = "a4"
    letter = "letter"


def register(app: typer.Typer) -> None:
    """Add the command of this module to the application."""
    app.command()(calibrate)


def calibrate(
    videos: Annotated[list[Path] | None, typer.Argument(help="Videos of the board, all by one camera.")] = None,
    board: Annotated[Path | None, typer.Option(help="Write the board to print as this PDF.")] = None,
    paper: Annotated[Paper, typer.Option(help="What it is printed on.")] = Paper.a4,
    source: Annotated[str | None, typer.Option(help="Camera to show it to, or 'file:CLIP'.")] = None,
    camera: Annotated[str | None, typer.Option(help="Name to keep it under.", show_default="the source's")] = None,
    seconds: Annotated[float, typer.Option(min=1, help="How long to look through the source.")] = SHOW_SECONDS,
    folder: WorkspaceOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Find out a camera's focal length and distortion from a printed board."""
    if sum((board is not None, bool(videos), source is not None)) != 1:
        raise InvalidInput("give one of: --board FILE.pdf to print the board, VIDEO..., or --source CAMERA to show it")
    if board is not None:
        _write_board(board, paper, as_json=as_json)
        return
    from kinesphere.names import checked_name
    from pose.geometry.board_calibration import find_views, solve_camera
    from storage.recordings.camera_calibration import write_camera

    with opened(folder) as workspace, progress("Looking for the board", None, quiet=as_json) as show:
        if source is not None:
            device, pictures = _from_source(source, seconds, show)
            name, views = _as_name(device), find_views(pictures)
        else:
            shown = videos or []
            device, name, views = "", _as_name(shown[0].stem), find_views(_from_videos(shown, show))
        calibration = _as_file(solve_camera(views), checked_name("camera", camera or name), device)
        write_camera(workspace.objects, calibration)
    if as_json:
        print_json(calibration)
    else:
        _say(calibration)


def for_recording(
    objects: Objects, camera: str | None, device: str, width: int, height: int
) -> tuple[CameraCalibration | None, str]:
    """The calibration for recordings by a device: the camera that is named, else one that was calibrated as it.

    Returns:
        The calibration, and why there is none where one was made at another shape of picture.

    Raises:
        NotFound: there is no camera of the name given.
        InvalidInput: it was calibrated for pictures of another shape.
    """
    from storage.recordings.camera_calibration import camera_of, read_camera

    if camera is not None:
        named = read_camera(objects, camera)
        named.intrinsics(width, height)
        return named, ""
    found = camera_of(objects, device)
    try:
        if found is not None:
            found.intrinsics(width, height)
    except InvalidInput as error:
        return None, f"The recording is taken as not calibrated: {error}."
    return found, ""


def known_length(height: float | None, in_hand: str | None) -> KnownLength | None:
    """The true length that a contributor states: their height in metres, or what they hold at the beginning.

    Raises:
        InvalidInput: both are given, or the height is none of a person.
    """
    from pydantic import ValidationError

    from storage.recordings.camera_calibration import KnownLength

    if height is not None and in_hand is not None:
        raise InvalidInput("give the height or what is held in the hand, not both")
    try:
        if height is not None:
            return KnownLength(kind="height", metres=height)
    except ValidationError as error:
        raise InvalidInput(f"{height:g} is no person's height in metres; write 1.75 for 175 cm") from error
    if in_hand is None:
        return None
    return KnownLength.model_validate({"kind": "board"} if in_hand == "board" else {"kind": "sheet", "paper": in_hand})


def _write_board(file: Path, paper: Paper, *, as_json: bool) -> None:
    from pose.geometry.board import COLUMNS, ROWS, SQUARE_MM, board_pdf

    try:
        file.write_bytes(board_pdf(paper.value))
    except OSError as error:
        raise StorageFailed(f"cannot write {file}: {error.strerror or error}") from error
    if as_json:
        print_json({"board": file, "paper": paper.value, "columns": COLUMNS, "rows": ROWS, "square_mm": SQUARE_MM})
        return
    say(f"Wrote {file}. Print it at 100 % on {paper.name.upper()}, check its ruler line, glue it onto something flat.")
    say('Then show it to the camera: kinesphere calibrate --source "CAMERA"')


def _from_videos(videos: Sequence[Path], show: Progress) -> Iterator[NDArray[np.uint8]]:
    from pose.geometry.board_calibration import SAMPLE_NS
    from storage.footage.video_reader import open_video

    looked = 0
    for video in videos:
        due_ns = 0
        for shown in open_video(video).pictures():
            if shown.timestamp_ns >= due_ns:
                due_ns = shown.timestamp_ns + SAMPLE_NS - 1_000_000  # frame times are rounded
                looked += 1
                show(looked)
                yield _grey(shown.picture)


def _from_source(source: str, seconds: float, show: Progress) -> tuple[str, list[NDArray[np.uint8]]]:
    """The source's name and a picture every `SAMPLE_NS`. They are looked at later, so that none comes late."""
    from capture.sources.source_by_name import open_source
    from pose.geometry.board_calibration import SAMPLE_NS

    pictures: list[NDArray[np.uint8]] = []
    with closing(open_source(source)) as camera:
        begin_ns = due_ns = None
        for captured in camera.frames():
            begin_ns = captured.captured_ns if begin_ns is None else begin_ns
            since_ns = captured.captured_ns - begin_ns
            if since_ns >= seconds * 1e9:
                break
            if due_ns is None or since_ns >= due_ns:
                due_ns = since_ns + SAMPLE_NS - 1_000_000
                pictures.append(_grey(captured.frame))
                show(round(since_ns / 1e9, 1))
        return camera.name, pictures


def _grey(picture: Any) -> NDArray[np.uint8]:
    import numpy as np

    return np.ascontiguousarray(picture.to_ndarray(format="gray"), dtype=np.uint8)


def _as_name(text: str) -> str:
    """A name that can be a key, from what a device or a file calls itself."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower().removeprefix("file:")).strip("-")[:64].strip("-") or "camera"


def _as_file(found: FoundCamera, camera: str, device: str) -> CameraCalibration:
    from storage.recordings.camera_calibration import CameraCalibration

    return CameraCalibration(
        camera=camera,
        device=device,
        image_width=found.size[0],
        image_height=found.size[1],
        fx=found.focal[0],
        fy=found.focal[1],
        cx=found.centre[0],
        cy=found.centre[1],
        distortion=found.distortion,
        fx_sd=found.focal_sd[0],
        fy_sd=found.focal_sd[1],
        cx_sd=found.centre_sd[0],
        cy_sd=found.centre_sd[1],
        reprojection_error=found.reprojection_error,
        views=found.views,
        created_at=datetime.now(UTC),
    )


def _say(found: CameraCalibration) -> None:
    say(f"Camera '{found.camera}' at {found.image_width}x{found.image_height}, from {found.views} views:")
    for axis in ("fx", "fy", "cx", "cy"):
        say(f"  {axis} {getattr(found, axis):.1f} ± {getattr(found, f'{axis}_sd'):.1f} pixels")
    say(f"  corners miss their places by {found.reprojection_error:.2f} pixels (RMS)")
    if found.device:
        say(f"Recordings from '{found.device}' take it by themselves.")
    else:
        say(f"Use it with: kinesphere import --calibration {found.camera} ...")
