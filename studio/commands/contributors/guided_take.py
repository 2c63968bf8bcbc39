"""A take as a person lives it: framing, countdown, recording with a live panel, a look at the result, keep or redo."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from rich.console import Group
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from capture.live.live_source import LiveSource
from capture.live.live_view import Seen, View, Viewer
from capture.recorder.controls import Controls
from capture.recorder.recorder import CaptureReport, RecordingProgress, record
from kinesphere.errors import InvalidInput, KinesphereError
from storage.recordings.recording import Origin
from storage.tasks.task import Task
from studio.commands.contributors.keyboard import Keyboard, keyboard
from studio.commands.contributors.preview import Preview
from studio.commands.output import messages, progress, say

if TYPE_CHECKING:
    from storage.catalog import CheckRecord

COUNTDOWN_SECONDS = 3
SECONDS_OF_DISK = 60
"""A warning is given when the disk has room for less than so much recording."""
BYTES_A_PIXEL_SECOND = 1.0
"""What a second of H.264 at our settings takes at most, for each pixel of the picture: 0.9 MB/s at 1280x720."""


class Redo(Exception):
    """The contributor wants to make the take again."""


class Discarded(Exception):
    """The contributor wants no take."""


@dataclass
class Session:
    """One contributor before one running camera. Make it with `session`."""

    camera: LiveSource
    viewer: Viewer
    keys: Keyboard
    preview: Preview
    task: Task
    seconds: float | None
    note: str
    """What the panel says besides, e.g. why nobody looks for people."""
    reports: list[CaptureReport] = field(default_factory=list)

    def capture(self, video: Path) -> Origin:
        """Take the contributor through one take into `video`.

        Raises:
            Redo, Discarded: the contributor decided so; what was recorded is not kept.
            InvalidInput: the camera failed before the take began.
        """
        self._frame_up()
        self._count_down()
        report = self._record(video)
        self._review(video, report)
        self.reports.append(report)
        return report.origin()

    def _frame_up(self) -> None:
        """Show what the camera sees, with advice, until the contributor starts."""
        with self._panel() as live:
            while True:
                keys = self.keys.pressed()
                if "q" in keys:
                    raise Discarded
                if _is_enter(keys):
                    return
                self._still_running()
                live.update(self._shown("Get ready", "Enter: start   q: leave"))
                time.sleep(0.1)

    def _count_down(self) -> None:
        with self._panel() as live:
            for seconds_left in range(COUNTDOWN_SECONDS, 0, -1):
                until = time.monotonic() + 1
                while time.monotonic() < until:
                    live.update(self._shown(f"Recording begins in {seconds_left}", ""))
                    time.sleep(0.1)
        messages.bell()

    def _record(self, video: Path) -> CaptureReport:
        controls = Controls()
        redo = False
        with self._panel() as live:

            def tell(now: RecordingProgress) -> None:
                nonlocal redo
                for key in self.keys.pressed():
                    if _is_enter(key):
                        controls.stop()
                    elif key == "r":
                        redo = True
                        controls.stop()
                    elif key == "p":
                        (controls.resume if controls.paused else controls.pause)()
                    elif key == "m":
                        controls.mark()
                live.update(self._recording(now, controls, video))

            report = record(self.camera, video, seconds=self.seconds, controls=controls, on_progress=tell)
        messages.bell()
        if redo:
            raise Redo
        return report

    def _review(self, video: Path, report: CaptureReport) -> None:
        """Say what the take is like and let the contributor decide. Ctrl-C keeps it: nothing is lost by accident."""
        with suppress(KeyboardInterrupt):
            self._tell(video, report)
            while True:
                keys = self.keys.pressed()
                if _is_enter(keys):
                    return
                if "r" in keys:
                    raise Redo
                if "d" in keys:
                    raise Discarded
                time.sleep(0.05)

    def _tell(self, video: Path, report: CaptureReport) -> None:
        from annotate.gate.feedback import advice_from_checks, texts, where

        doubted = {check.check: check for check in self._checked(video, report) if check.verdict != "pass"}
        say(f"\nYour take: {report.duration_ns / 1e9:.1f} s, {report.frames} frames, {report.dropped} dropped.")
        if report.ended == "source failed":
            say(f"It ended early: {report.failure}")
        elif report.ended == "full":
            say("It is as long as a recording may be; begin another one for the rest.")
        for advice in advice_from_checks(list(doubted.values()), texts(self.task)):
            fails = any(doubted[name].verdict == "fail" for name in advice.named)
            found = f"{advice.what}; at {where(advice.ranges)}" if advice.ranges else advice.what
            say(f"  {'Would be rejected' if fails else 'May be doubted'}: {found}. {advice.better}")
        if not doubted:
            say("  Nothing that the automatic checks would doubt was found in picture and timing.")
        say("Enter: keep it   r: do it again   d: discard it")

    def _checked(self, video: Path, report: CaptureReport) -> list[CheckRecord]:
        from annotate.checks.checks import check_footage
        from annotate.checks.evidence import Footage, ImageSampler
        from storage.footage.video_reader import open_video

        samples, times = ImageSampler(), []
        with open_video(video) as reader, progress("Looking at your take", report.frames, quiet=False) as show:
            for frame in reader.frames():
                samples(frame)
                times.append(frame.timestamp_ns)
                show(len(times))
            lengths = {"the recorder": report.duration_ns}
            size, damaged = (report.width, report.height), reader.damaged
            footage = Footage(np.array(times), *size, samples, damaged, report.origin(), lengths)
        return check_footage(self.task.criteria, footage)

    def _still_running(self) -> None:
        if self.camera.has_ended:
            self.camera.raise_error()
            raise InvalidInput(f"'{self.camera.name}' ended before the take began")

    @contextmanager
    def _panel(self) -> Iterator[Live]:
        with Live(console=messages, refresh_per_second=10, transient=True) as live:
            yield live

    def _recording(self, now: RecordingProgress, controls: Controls, video: Path) -> Panel:
        state = "Paused" if controls.paused else "Recording"
        free = shutil.disk_usage(video.parent).free
        seconds_of_room = free / (self.camera.width * self.camera.height * BYTES_A_PIXEL_SECOND)
        rows = [
            ("time", f"{now.elapsed_ns / 1e9:.1f} s" + ("" if self.seconds is None else f" of {self.seconds:g} s")),
            ("frames", f"{now.frames}, {now.dropped} dropped"),
            ("marks", str(len(controls.marks_ns))),
            ("disk", f"{free / 1e9:.1f} GB free" + (", nearly full" if seconds_of_room < SECONDS_OF_DISK else "")),
        ]
        return self._shown(state, "Enter: stop   p: pause   m: mark   r: do it again", rows)

    def _advice(self, view: View, rate: float) -> tuple[str, ...]:
        from annotate.checks.checks import advise
        from annotate.checks.evidence import LiveView

        person, hands = (view.seen.person, view.seen.hands) if view.seen is not None else (None, None)
        return advise(self.task.criteria, LiveView(view.measured, rate, person, hands))

    def _shown(self, title: str, keys: str, rows: list[tuple[str, str]] | None = None) -> Panel:
        """The panel: what is going on, what the camera sees, advice, and the keys."""
        table = Table.grid(padding=(0, 2))
        for row in rows or []:
            table.add_row(*row)
        rate = self.camera.real_frame_rate
        table.add_row("camera", f"{self.camera.name}, {self.camera.width}x{self.camera.height}, {rate:.1f} frames/s")
        view = self.viewer.view
        advice: tuple[str, ...] = ()
        if view is not None:
            self.preview.show(view.image)
            measured = view.measured
            table.add_row("light", f"{measured.brightness:.0f} of 255")
            table.add_row("sharpness", f"{measured.sharpness:.0f}, blur {measured.blur:.2f}")
            if view.seen is not None:
                table.add_row("in view", f"{'you' if view.seen.person else 'nobody'}, {view.seen.hands} hands")
            advice = self._advice(view, rate)
        well = "Looking at the picture ..." if view is None else "All looks well."
        said = [Text(line, style="yellow") for line in advice] or [Text(well, style="green")]
        note = [Text(self.note, style="dim")] if self.note else []
        return Panel(Group(table, *said, *note), title=title, subtitle=keys, width=78)


@contextmanager
def session(camera: LiveSource, task: Task, *, seconds: float | None, with_preview: bool) -> Iterator[Session]:
    """A session with a camera that runs, at the keyboard of this terminal."""
    watch, note = _watch()
    preview = Preview(is_shown=with_preview)
    try:
        with closing(Viewer(camera, watch)) as viewer, keyboard() as keys:
            yield Session(camera, viewer, keys, preview, task, seconds, note)
    finally:
        preview.close()
        if watch is not None:
            watch.close()


def _is_enter(keys: str) -> bool:
    return "\n" in keys or "\r" in keys


class PersonWatch:
    """Looks for a person and their hands in the live picture, with the same models as the extraction.

    It is a `capture.live.live_view.Watch`: made in one thread, used in another; one thread at a time.

    Raises:
        MissingDependency: the extra `pose` is not installed.
        KinesphereError: the models are not there and cannot be fetched.
    """

    def __init__(self) -> None:
        from pose.networks import models
        from pose.tracking.person_finder import PersonFinder

        self._finder = PersonFinder(models.pose_model(), models.hand_model())

    def __call__(self, image: NDArray[np.uint8]) -> Seen:
        """Who is in a picture, uint8 (height, width, 3), RGB, taken now."""
        body, sides = self._finder.find(image, time.monotonic_ns() // 1_000_000)
        hands = sum(hand is not None for hand in sides)
        return Seen(body is not None or hands > 0, hands)

    def close(self) -> None:
        """Free the networks."""
        self._finder.close()


def _watch() -> tuple[PersonWatch | None, str]:
    """Who looks for people, or else why nobody does."""
    try:
        return PersonWatch(), ""
    except KinesphereError as error:
        return None, f"Whether you and your hands are in view is not checked: {error}"
