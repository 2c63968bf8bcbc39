"""Commands of contributors: cameras, record, import, submit, status."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from storage.calibration import read_camera
from storage.errors import Conflict, InvalidInput, KinesphereError
from storage.objects import file_sha256
from storage.recording import Origin, RecordingFile, State

from .calibration import for_recording, known_length
from .options import (
    HERE,
    CalibrationOption,
    ContributorOption,
    HeightOption,
    InHandOption,
    JsonOption,
    TaskOption,
    TokenOption,
    WorkspaceOption,
    YesOption,
    opened,
)
from .output import print_json, print_table, progress, say, say_error

if TYPE_CHECKING:
    from capture.recorder import CaptureReport, RecordingProgress
    from storage.calibration import CameraCalibration, KnownLength
    from storage.workspace import Workspace


def register(app: typer.Typer) -> None:
    """Add the commands of this module to the application."""
    app.command()(cameras)
    app.command()(record)
    app.command("import")(import_)
    app.command()(submit)
    app.command()(status)


def cameras(as_json: JsonOption = False) -> None:
    """List the cameras of this computer."""
    from capture.cameras import list_cameras

    found = list_cameras()
    if as_json:
        print_json(found)
    elif found:
        print_table("Cameras", ["name", "path"], [(camera.name, camera.path) for camera in found])
        say('Record with one: kinesphere record --source "NAME" --task TASK --contributor YOU')
    else:
        say("No camera was found. Plug one in, or rehearse with --source test or --source file:CLIP.")


def record(
    task: TaskOption,
    contributor: ContributorOption,
    source: Annotated[
        str | None, typer.Option(help="Camera name, 'test' or 'file:CLIP'.", show_default="first camera")
    ] = None,
    seconds: Annotated[float | None, typer.Option(min=0.1, help="Stop after this long; else Ctrl-C stops.")] = None,
    calibration: CalibrationOption = None,
    height: HeightOption = None,
    in_hand: InHandOption = None,
    yes: YesOption = False,
    workspace: WorkspaceOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Record one take with a camera. It waits as a draft until you submit it."""
    with opened(workspace) as place:
        method = ask_consent(place, task, contributor, yes=yes)
        description, report = record_take(
            place,
            task=task,
            contributor=contributor,
            method=method,
            source=source,
            seconds=seconds,
            quiet=as_json,
            calibration=calibration,
            length=known_length(height, in_hand),
        )
    if as_json:
        print_json({"recording": description, "report": report})
        return
    _say_take(description)
    if report.dropped:
        say(f"{report.dropped} frames were dropped: this computer could not keep up.")
    if report.ended == "source failed":
        say("The camera stopped by itself; what it gave until then is kept.")


def record_take(
    workspace: Workspace,
    *,
    task: str,
    contributor: str,
    method: Literal["typed", "flag"],
    source: str | None,
    seconds: float | None,
    quiet: bool,
    calibration: str | None = None,
    length: KnownLength | None = None,
) -> tuple[RecordingFile, CaptureReport]:
    """Record one take from a source into the outbox; Ctrl-C ends the take and keeps it."""
    from capture.outbox import take
    from capture.recorder import record as run_recorder
    from capture.sources import open_source

    reports: list[CaptureReport] = []

    def capture(video: Path) -> Origin:
        with closing(open_source(source or _default_camera())) as camera, _stop_on_interrupt() as stop:
            size = camera.width, camera.height
            known, why_not = for_recording(workspace.objects, calibration, camera.name, *size)
            if why_not and not quiet:
                say(why_not)
            with progress("Recording (Ctrl-C stops)", seconds, quiet=quiet) as show:

                def tell(now: RecordingProgress) -> None:
                    title = f"Recording (Ctrl-C stops), {now.frames} frames, {now.dropped} dropped"
                    show(round(now.elapsed_ns / 1e9, 1), title=title)

                report = run_recorder(camera, video, seconds=seconds, stop=stop, on_progress=tell)
            reports.append(report)
            return Origin(
                kind="camera",
                device=camera.name,
                encoder=report.encoder,
                started_at=report.started_at,
                dropped_frames=report.dropped,
                late_frames=report.late,
                ended=report.ended,
                calibration=known,
                known_length=length,
            )

    description = take(workspace, task=task, contributor=contributor, method=method, capture=capture)
    return description, reports[0]


def _default_camera() -> str:
    from capture.cameras import list_cameras

    cameras = sorted(list_cameras(), key=lambda camera: not camera.is_default)
    if not cameras:
        raise InvalidInput("no camera was found; plug one in, or rehearse with --source test or --source file:CLIP")
    return cameras[0].path


def import_(
    videos: Annotated[list[Path], typer.Argument(help="Video files of any kind: phone, GoPro, webcam.")],
    task: TaskOption,
    contributor: ContributorOption,
    calibration: CalibrationOption = None,
    height: HeightOption = None,
    in_hand: InHandOption = None,
    yes: YesOption = False,
    workspace: WorkspaceOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Bring in videos that were recorded elsewhere. Sound is left out; times and orientation are kept."""
    with opened(workspace) as place:
        method = ask_consent(place, task, contributor, yes=yes)
        length, results, failures = known_length(height, in_hand), [], []
        known = read_camera(place.objects, calibration) if calibration is not None else None
        for video in videos:
            try:
                results.append(
                    import_take(
                        place,
                        video,
                        task=task,
                        contributor=contributor,
                        method=method,
                        quiet=as_json,
                        calibration=known,
                        length=length,
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
            _say_take(description)
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
    method: Literal["typed", "flag"],
    quiet: bool,
    calibration: CameraCalibration | None = None,
    length: KnownLength | None = None,
) -> RecordingFile:
    """Bring one video file into the outbox.

    Raises:
        Conflict: this contributor has imported this very file before.
        InvalidInput: the camera was calibrated for pictures of another shape.
    """
    from capture.importer import import_video
    from capture.outbox import take

    if video.is_file():
        for earlier in workspace.catalog.recordings(contributor=contributor, source_sha256=file_sha256(video)):
            if earlier.state not in (State.WITHDRAWN, State.ERASED) and earlier.task == task:
                raise Conflict(f"{video.name} is here already, as recording {earlier.recording} ({earlier.state})")

    def capture(destination: Path) -> Origin:
        with progress(f"Importing {video.name}", None, quiet=quiet) as show:
            report = import_video(video, destination, on_progress=show)
        if calibration is not None:
            calibration.intrinsics(report.info.width, report.info.height)
        return Origin(
            kind="import",
            source_codec=report.source_codec,
            source_sha256=report.source_sha256,
            transcoded=report.transcoded,
            damaged_ns=report.damaged,
            calibration=calibration,
            known_length=length,
        )

    return take(workspace, task=task, contributor=contributor, method=method, capture=capture)


def submit(
    recordings: Annotated[list[str] | None, typer.Argument(help="Which drafts; or --all.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Submit all drafts.")] = False,
    to: Annotated[str | None, typer.Option(help="URL of the server to send them to.", show_default="here")] = None,
    token: TokenOption = None,
    workspace: WorkspaceOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Hand drafts in. After this they cannot be changed."""
    from capture.outbox import adopt_drafts
    from capture.outbox import submit as submit_one

    from . import sending

    with opened(workspace) as place:
        adopt_drafts(place)
        drafts = [row.recording for row in place.catalog.recordings(State.DRAFT)]
        if not recordings and not everything:
            waiting = ", ".join(drafts) or "there is none"
            raise InvalidInput(f"say which drafts to submit, or --all (waiting: {waiting})")
        chosen = drafts if everything else list(dict.fromkeys(recordings or []))
        failures: list[KinesphereError] = []
        if to is not None:
            chosen, failures = sending.send_all(place, chosen, to=to, token=token, quiet=as_json)
        else:
            for recording in chosen:
                submit_one(place, recording)
    if as_json:
        print_json({"submitted": chosen} | ({"failures": [str(error) for error in failures]} if failures else {}))
    elif chosen:
        for recording in chosen:
            say(f"Submitted {recording}. Thank you!")
    elif not failures:
        say("There is nothing to submit.")
    if failures:
        for failure in failures:
            say_error(failure)
        raise typer.Exit(1)


def status(
    recording: Annotated[str | None, typer.Argument(help="One recording, in detail.")] = None,
    token: TokenOption = None,
    workspace: WorkspaceOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Show where recordings are, and what the checks and reviewers said."""
    from capture.outbox import adopt_drafts

    with opened(workspace) as place:
        adopt_drafts(place)
        if recording is not None:
            _show_recording(place, recording, token=token, as_json=as_json)
            return
        rows = place.catalog.recordings()
        if as_json:
            print_json({"workspace": place.name, "recordings": rows})
        elif not rows:
            say("No recordings yet. Make one with: kinesphere record --task TASK --contributor YOU")
        else:
            cells = [
                (row.recording, row.state, row.task, row.contributor, f"{row.duration_ns / 1e9:.1f} s", row.frames)
                for row in rows
            ]
            print_table("Recordings", ["recording", "state", "task", "contributor", "length", "frames"], cells)
            for url in sorted({row.sent_to for row in rows if row.sent_to}):
                say(f"Sent to {url}: {', '.join(row.recording for row in rows if row.sent_to == url)}")


def ask_consent(workspace: Workspace, task: str, contributor: str, *, yes: bool) -> Literal["typed", "flag"]:
    """Show the task and its consent text and have it agreed; enrols a newcomer who sits at the keyboard.

    Raises:
        InvalidInput: nobody can be asked and `--yes` was not given, or the contributor did not agree.
    """
    stored = workspace.catalog.task(task)
    if yes:
        workspace.catalog.require_contributor(contributor)
        return "flag"
    if not sys.stdin.isatty():
        raise InvalidInput(
            "nobody is here to agree to the consent text; pass --yes if the contributor has agreed to it"
        )
    say(f"{stored.task.title}\n\n{stored.task.instructions}\n\nConsent:\n{stored.task.consent}\n")
    if contributor not in workspace.catalog.contributors():
        if not typer.confirm(f"'{contributor}' is new here. Enrol them?"):
            workspace.catalog.require_contributor(contributor)
        workspace.catalog.add_contributor(contributor)
    if not typer.confirm("Do you agree?"):
        raise InvalidInput("nothing was recorded, because the consent text was not agreed to")
    return "typed"


def _show_recording(workspace: Workspace, recording: str, *, token: str | None, as_json: bool) -> None:
    from . import sending

    catalog = workspace.catalog
    row, events = catalog.recording(recording), catalog.events(recording)
    checks, reviews = catalog.checks(recording), catalog.reviews(recording)
    far = sending.ask(row, token) if row.sent_to else None
    if as_json:
        shown = {"recording": row, "events": events, "checks": checks, "reviews": reviews}
        print_json(shown | ({"server": far} if far else {}))
        return
    say(f"{row.recording}: {row.state}. Task {row.task} (version {row.task_version}), contributor {row.contributor},")
    size = f"{row.width}x{row.height}"
    say(f"{row.duration_ns / 1e9:.1f} s, {row.frames} frames, {size} at {row.frame_rate:.1f} frames/s\n")
    if far is not None:
        sending.say_answer(far)
    if checks:
        print_table("Checks", ["check", "verdict", "finding"], [(c.check, c.verdict, c.message) for c in checks])
        say("")
    for review in reviews:
        say(f"{review.reviewer} decided: {review.decision}. {review.feedback}\n")
    moments = [(f"{e.at:%Y-%m-%d %H:%M:%S}", e.to_state, e.who, e.why) for e in events]
    print_table("Events", ["when (UTC)", "became", "who", "why"], moments)


def _say_take(description: RecordingFile) -> None:
    video = description.video
    say(
        f"Draft {description.recording}: {video.duration_ns / 1e9:.1f} s, {video.frames} frames, "
        f"{video.width}x{video.height}. Next: kinesphere submit {description.recording}"
    )


@contextmanager
def _stop_on_interrupt() -> Iterator[threading.Event]:
    """Within the block, Ctrl-C and SIGTERM set the event instead of raising."""
    stop = threading.Event()
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
