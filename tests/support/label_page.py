"""Recordings to label in a browser: a real clip with a trajectory on its times, a task with labels, the page open."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av

from storage.tasks.task import Labels
from storage.workspace import Workspace, create_workspace
from tests.support.browser import opened_page, painted
from tests.support.playable_recordings import add_played
from tests.support.studio_server import Studio, running_studio, session_cookie
from tests.support.submitted_takes import TASK

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

LABELS = Labels(
    verbs=("reach", "grasp", "pour", "place", "rest"),
    objects=("bottle", "glass", "the blue cup"),
    hotkeys={"y": "success", "b": "bottle"},
)


Room = tuple[Studio, dict[str, str], Path]
"""A studio, the cookie of who is signed in to it, and a real clip."""


def add_labelled(workspace: Workspace, clip: Path, *, seed: int = 0, labels: Labels = LABELS, **how: Any) -> str:
    """Enter a clip as an accepted recording of a task with labels; gives its id."""
    task = TASK.model_copy(update={"labels": labels, "title": "Pour water from a bottle into a glass"})
    if not any(known.task.name == task.name for known in workspace.catalog.tasks()):
        workspace.catalog.add_task(task)
    return add_played(workspace, clip, seed=seed, **how)


def h264(source: Path, path: Path, *, width: int = 640) -> Path:
    """Write a clip anew as recordings are: H.264 with the frames' own times."""
    with av.open(str(source)) as read, av.open(str(path), "w", options={"movflags": "faststart"}) as written:
        video = read.streams.video[0]
        height = 2 * round(video.height * width / video.width / 2)
        options = {"preset": "veryfast", "g": "30", "bf": "0"}
        stream: Any = written.add_stream("libx264", rate=Fraction(30), options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.time_base = video.time_base
        for frame in read.decode(video):
            smaller = frame.reformat(width=width, height=height, format="yuv420p")
            smaller.pts, smaller.time_base = frame.pts, frame.time_base
            written.mux(stream.encode(smaller))
        written.mux(stream.encode(None))
    return path


def begin(studio: Studio, recording: str) -> str:
    """Begin to label a recording; gives the annotation."""
    with studio.client() as client:
        answer = client.post(f"/api/recordings/{recording}/annotations", json={})
        assert answer.status_code in (200, 201), answer.text
        return str(answer.json()["annotation"])


def segments_of(studio: Studio, annotation: str) -> list[dict[str, Any]]:
    """What the server has."""
    with studio.client() as client:
        return list(client.get(f"/api/annotations/{annotation}").raise_for_status().json()["segments"])


@contextmanager
def labelled_room(folder: Path, source: Path, *, width: int = 640) -> Iterator[Room]:
    """A studio with an empty workspace, and a clip in H.264 to enter there."""
    workspace = create_workspace(folder / "workspace")
    clip = h264(source, folder / "real.mp4", width=width)
    with running_studio(workspace) as studio:
        yield studio, session_cookie(studio), clip
    workspace.catalog.close()


@contextmanager
def labelling(
    browser: Browser, studio: Studio, cookie: dict[str, str], annotation: str, **options: Any
) -> Iterator[Page]:
    """The label page of an annotation, ready for keys."""
    with opened_page(browser, cookies=[cookie], **options) as page:
        open_label_page(page, studio, annotation)
        yield page


def open_label_page(page: Page, studio: Studio, annotation: str) -> None:
    """Go to the label page and wait until it listens to keys."""
    page.goto(f"{studio.url}/label/{annotation}")
    ready(page)


def ready(page: Page) -> None:
    """Wait until the page listens to keys."""
    page.wait_for_selector("html[data-ready=true]", state="attached")


def saved(page: Page) -> None:
    """Wait until the server has everything. The page tells in its next frame that something is to be saved."""
    painted(page)
    page.wait_for_selector("#saved[data-state=saved]")
