"""The command `import`: videos that were recorded elsewhere become drafts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kinesphere.errors import Conflict, InvalidInput
from kinesphere.objects.store import file_sha256
from storage.recordings.camera_calibration import read_camera
from storage.recordings.consent import Agreement
from storage.recordings.recording import MOST_MOMENTS, Origin, RecordingFile, State
from studio.commands.contributors.calibrate_command import known_length
from studio.commands.contributors.consent_prompt import Terms, ask_consent
from studio.commands.contributors.draft_takes import check_replaceable, say_take
from studio.commands.options import (
    HERE,
    CalibrationOption,
    ContributorOption,
    HeightOption,
    InHandOption,
    JsonOption,
    ReplacesOption,
    ScopeOption,
    TaskOption,
    UntilOption,
    WorkspaceOption,
    YesOption,
    opened,
)
from studio.commands.output import print_json, progress, say, say_error

if TYPE_CHECKING:
    from storage.recordings.camera_calibration import CameraCalibration, KnownLength
    from storage.workspace import Workspace


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("import")(import_)


def import_(
    videos: Annotated[list[Path], typer.Argument(help="Video files of any kind: phone, GoPro, webcam.")],
    task: TaskOption,
    contributor: ContributorOption,
    calibration: CalibrationOption = None,
    height: HeightOption = None,
    in_hand: InHandOption = None,
    scope: ScopeOption = None,
    consent_until: UntilOption = None,
    replaces: ReplacesOption = None,
    yes: YesOption = False,
    folder: WorkspaceOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Bring in videos that were recorded elsewhere. Sound is left out; times and orientation are kept."""
    with opened(folder) as workspace:
        if replaces is not None:
            check_replaceable(workspace, replaces, task, contributor, takes=len(videos))
        agreement = ask_consent(workspace, task, contributor, yes=yes, terms=Terms.of(scope, consent_until))
        length, results, failures = known_length(height, in_hand), [], []
        known = read_camera(workspace.objects, calibration) if calibration is not None else None
        for video in videos:
            try:
                results.append(
                    import_take(
                        workspace,
                        video,
                        task=task,
                        contributor=contributor,
                        agreement=agreement,
                        quiet=as_json,
                        calibration=known,
                        length=length,
                        replaces=replaces,
                    )
                )
            except (InvalidInput, Conflict) as error:
                if len(videos) == 1:
                    raise
                failures.append(error)
    if as_json:
        print_json({"recordings": results, "failures": [str(error) for error in failures]})
    else:
        for description in results:
            say_take(description)
    if failures:
        for failure in failures:
            say_error(failure)
        raise typer.Exit(1)


def import_take(
    workspace: Workspace,
    video: Path,
    *,
    task: str,
    contributor: str,
    agreement: Agreement,
    quiet: bool,
    calibration: CameraCalibration | None = None,
    length: KnownLength | None = None,
    replaces: str | None = None,
) -> RecordingFile:
    """Bring one video file into the outbox.

    Raises:
        Conflict: this contributor has imported this very file before.
        InvalidInput: the camera was calibrated for pictures of another shape.
    """
    from capture.drafts.outbox import take
    from capture.drafts.video_import import import_video

    if video.is_file():
        for earlier in workspace.catalog.recordings(contributor=contributor, source_sha256=file_sha256(video)):
            if earlier.state not in (State.WITHDRAWN, State.ERASED) and earlier.task == task:
                raise Conflict(f"{video.name} is here already, as recording {earlier.recording} ({earlier.state})")

    def capture(destination: Path) -> Origin:
        with progress(f"Importing {video.name}", None, quiet=quiet) as show:
            report = import_video(video, destination, on_progress=show)
        if report.losses and not quiet:
            say(f"{video.name}: {report.losses}.")
        if calibration is not None:
            calibration.intrinsics(report.info.width, report.info.height)
        return Origin(
            kind="import",
            source_codec=report.source_codec,
            source_sha256=report.source_sha256,
            transcoded=report.transcoded,
            damaged_ns=report.damaged,
            retimed_ns=report.retimed[:MOST_MOMENTS],
            reshaped_ns=report.reshaped[:MOST_MOMENTS],
            focal_length_35mm=report.focal_length_35mm,
            calibration=calibration,
            known_length=length,
        )

    return take(
        workspace,
        kind="import",
        task=task,
        contributor=contributor,
        agreement=agreement,
        capture=capture,
        replaces=replaces,
    )
