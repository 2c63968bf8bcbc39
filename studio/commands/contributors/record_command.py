"""The command `record`: one take from a camera, guided at a terminal or at once for a script."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kinesphere.errors import InvalidInput
from storage.recordings.consent import Agreement
from storage.recordings.recording import Origin, RecordingFile
from studio.commands.contributors.calibrate_command import for_recording, known_length
from studio.commands.contributors.consent_prompt import Terms, ask_consent
from studio.commands.contributors.draft_takes import catch_up, check_replaceable, say_take
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
from studio.commands.output import native_logs_aside, print_json, progress, say

if TYPE_CHECKING:
    from capture.recorder.controls import Controls
    from capture.recorder.recorder import CaptureReport, RecordingProgress
    from capture.sources.source import Source
    from storage.recordings.camera_calibration import KnownLength
    from storage.workspace import Workspace


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(record)


@dataclass(frozen=True)
class Lengths:
    """What is known of the camera and of true lengths before a take."""

    calibration: str | None = None
    """Name of the camera's calibration; else one that was made with the same device is taken."""
    known: KnownLength | None = None

    def of(self, workspace: Workspace, camera: Source, *, quiet: bool) -> dict[str, object]:
        """The fields of `Origin` that say so.

        Raises:
            NotFound: there is no calibration of that name.
            InvalidInput: it was made for pictures of another shape.
        """
        found, why_not = for_recording(workspace.objects, self.calibration, camera.name, camera.width, camera.height)
        if why_not and not quiet:
            say(why_not)
        return {"calibration": found, "known_length": self.known}


def record(
    task: TaskOption,
    contributor: ContributorOption,
    source: Annotated[
        list[str] | None,
        typer.Option(
            help="Camera name, 'test', 'file:CLIP' or an installed kind's 'SCHEME:REST'; given twice, two at once.",
            show_default="first camera",
        ),
    ] = None,
    seconds: Annotated[float | None, typer.Option(min=0.1, help="Stop after this long; else Ctrl-C stops.")] = None,
    preview: Annotated[
        bool, typer.Option(help="Show a window with what the camera sees, where there is a screen.")
    ] = True,
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
    """Record one take with a camera. It waits as a draft until you submit it.

    At a terminal you are led through it; with --yes or --json it records at once and Ctrl-C stops.
    """
    with opened(folder) as workspace:
        recovered = catch_up(workspace, quiet=as_json)
        if replaces is not None:
            check_replaceable(workspace, replaces, task, contributor, takes=len(source or ()))
        agreement = ask_consent(workspace, task, contributor, yes=yes, terms=Terms.of(scope, consent_until))
        lengths = Lengths(calibration, known_length(height, in_hand))
        if source and len(source) > 1:
            _record_together(workspace, task, contributor, agreement, source, seconds, lengths, as_json=as_json)
            return
        camera = source[0] if source else _default_camera()
        if agreement.method == "typed" and not as_json:
            made = _record_in_session(
                workspace,
                task,
                contributor,
                agreement,
                camera,
                seconds,
                lengths,
                with_preview=preview,
                replaces=replaces,
            )
            if made is None:
                say("No take was kept.")
                return
            description, report = made
        else:
            description, report = record_take(
                workspace,
                task=task,
                contributor=contributor,
                agreement=agreement,
                source=camera,
                seconds=seconds,
                quiet=as_json,
                lengths=lengths,
                replaces=replaces,
            )
    if as_json:
        print_json({"recording": description, "report": report, "recovered": recovered})
        return
    rate = f"{report.frame_rate:.4g} frames/s"
    say(f"Recorded from {report.device} at {report.width}x{report.height}, {rate}, by {report.encoder}.")
    say_take(description)
    if report.dropped:
        say(f"{report.dropped} frames were dropped: this computer could not keep up.")
    if report.ended == "source failed":
        say("The camera stopped by itself; what it gave until then is kept.")
    elif report.ended == "full":
        say("It is as long as a recording may be; begin another one for the rest.")


def _record_in_session(
    workspace: Workspace,
    task: str,
    contributor: str,
    agreement: Agreement,
    source: str,
    seconds: float | None,
    lengths: Lengths,
    *,
    with_preview: bool,
    replaces: str | None,
) -> tuple[RecordingFile, CaptureReport] | None:
    """Lead the contributor through takes until one is kept, or none."""
    from capture.drafts.outbox import take
    from capture.live.live_source import LiveSource
    from capture.sources.source_by_name import open_source
    from studio.commands.contributors.guided_take import Discarded, Redo, session

    known_task = workspace.catalog.task(task).task
    with (
        native_logs_aside(),
        closing(LiveSource(open_source(source, known_task.criteria))) as camera,
        session(camera, known_task, seconds=seconds, with_preview=with_preview) as sitting,
    ):
        known = lengths.of(workspace, camera, quiet=False)
        while True:
            try:
                description = take(
                    workspace,
                    kind="camera",
                    task=task,
                    contributor=contributor,
                    agreement=agreement,
                    capture=lambda video: sitting.capture(video).model_copy(update=known),
                    replaces=replaces,
                )
            except Redo:
                continue
            except Discarded:
                return None
            return description, sitting.reports[-1]


def _record_together(
    workspace: Workspace,
    task: str,
    contributor: str,
    agreement: Agreement,
    sources: Sequence[str],
    seconds: float | None,
    lengths: Lengths,
    *,
    as_json: bool,
) -> None:
    """Record several cameras at once into as many drafts, which name each other."""
    from capture.drafts.outbox import take_together
    from capture.recorder.several_cameras import record_together
    from capture.sources.source_by_name import open_source

    reports: list[CaptureReport] = []
    known: list[dict[str, object]] = []

    def capture(videos: Sequence[Path]) -> list[CaptureReport]:
        with _stop_on_interrupt() as controls, progress("Recording (Ctrl-C stops)", seconds, quiet=as_json) as show:

            def tell(now: Sequence[RecordingProgress]) -> None:
                title = "Recording (Ctrl-C stops), " + " + ".join(f"{one.frames}" for one in now) + " frames"
                show(round(max((one.elapsed_ns for one in now), default=0) / 1e9, 1), title=title)

            criteria = workspace.catalog.task(task).task.criteria
            opened_sources = [open_source(text, criteria) for text in sources]
            known.extend(lengths.of(workspace, camera, quiet=as_json) for camera in opened_sources)
            reports.extend(
                record_together(opened_sources, videos, seconds=seconds, controls=controls, on_progress=tell)
            )
        return reports

    drafts = take_together(
        workspace,
        task=task,
        contributor=contributor,
        agreement=agreement,
        capture=capture,
        cameras=len(sources),
        complete=lambda number, origin: origin.model_copy(update=known[number]),
    )
    if as_json:
        print_json({"recordings": drafts, "reports": reports})
        return
    for draft in drafts:
        say_take(draft)
    for other in drafts[0].origin.beside:
        drift = (
            "" if other.drift_ppm is None else f", and its clock runs {other.drift_ppm:+.0f} ppm against the first's"
        )
        say(f"{other.recording} began {other.offset_ns / 1e6:+.1f} ms after the first{drift}.")


def record_take(
    workspace: Workspace,
    *,
    task: str,
    contributor: str,
    agreement: Agreement,
    source: str,
    seconds: float | None,
    quiet: bool,
    lengths: Lengths | None = None,
    replaces: str | None = None,
) -> tuple[RecordingFile, CaptureReport]:
    """Record one take from a source into the outbox; Ctrl-C ends the take and keeps it."""
    from capture.drafts.outbox import take
    from capture.recorder.recorder import record as run_recorder
    from capture.sources.source_by_name import open_source

    reports: list[CaptureReport] = []
    criteria = workspace.catalog.task(task).task.criteria

    def capture(video: Path) -> Origin:
        with closing(open_source(source, criteria)) as camera, _stop_on_interrupt() as controls:
            known = (lengths or Lengths()).of(workspace, camera, quiet=quiet)
            with progress("Recording (Ctrl-C stops)", seconds, quiet=quiet) as show:

                def tell(now: RecordingProgress) -> None:
                    title = f"Recording (Ctrl-C stops), {now.frames} frames, {now.dropped} dropped"
                    show(round(now.elapsed_ns / 1e9, 1), title=title)

                report = run_recorder(camera, video, seconds=seconds, controls=controls, on_progress=tell)
            reports.append(report)
            return report.origin().model_copy(update=known)

    description = take(
        workspace,
        kind="camera",
        task=task,
        contributor=contributor,
        agreement=agreement,
        capture=capture,
        replaces=replaces,
    )
    return description, reports[0]


def _default_camera() -> str:
    from capture.sources.cameras import list_cameras

    cameras = sorted(list_cameras(), key=lambda camera: not camera.is_default)
    if not cameras:
        raise InvalidInput("no camera was found; plug one in, or rehearse with --source test or --source file:CLIP")
    return cameras[0].path


@contextmanager
def _stop_on_interrupt() -> Iterator[Controls]:
    """Within the block, Ctrl-C and SIGTERM end the recording instead of raising."""
    from capture.recorder.controls import Controls

    controls = Controls()
    before = {number: signal.signal(number, lambda *_: controls.stop()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield controls
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
