"""Recordings to play: a clip whose frames carry their numbers, with a trajectory on its true times."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kinesphere.trajectory import Trajectory
from kinesphere.video.video_keys import video_key
from storage.catalog import CheckRecord, TrajectoryRecord
from storage.footage.frame_edges import frame_edges
from storage.recordings.recording import RecordingFile, State, description_key
from storage.shards.shard_writer import write_shard
from storage.workspace import Workspace
from studio.web.http.page_rendering import CONTENT_SECURITY_POLICY, static_digest
from tests.support.browser import opened_page
from tests.support.generated_trajectories import make_trajectory
from tests.support.populated_workspaces import describe
from tests.support.submitted_takes import TASK

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Player</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">
<link rel="stylesheet" href="/static/{digest}/css/shared/base.css">
<link rel="stylesheet" href="/static/{digest}/css/player/player.css">
<script src="/static/{digest}/js/shared/theme.js"></script></head>
<body><header class="bar"><strong>Player</strong><button id="theme" type="button">theme</button></header>
<main id="main"><h1 class="unseen">Player</h1><div id="player"></div></main><div id="notices" role="status"></div>
</body></html>"""
_MOUNT = """async ([digest, recording, options]) => {
  const { mountPlayer } = await import(`/static/${digest}/js/player/player_panel.js`);
  const { Keymap } = await import(`/static/${digest}/js/shared/keys.js`);
  const place = document.getElementById("player");
  place.style.height = "calc(100vh - 6rem)";
  try {
    window.panel = await mountPlayer(place, recording, options);
  } catch (error) {
    if (!options.mounted) return;
    throw error;
  }
  window.keys = new Keymap("test", panel.actions);
  window.player = panel.player;
  if (options.ready) await player.ready;
}"""


def add_played(
    workspace: Workspace,
    clip: Path,
    *,
    seed: int = 0,
    contributor: str = "anna",
    trajectory: bool = True,
    state: State = State.ACCEPTED,
    codec: str = "h264",
    checks: Sequence[CheckRecord] = (),
) -> str:
    """Enter a clip as a submitted recording; gives its id."""
    workspace.catalog.add_task(TASK)
    workspace.catalog.add_contributor(contributor)
    described = describe(contributor, seed=seed)
    recording = described.recording
    workspace.objects.put(video_key(recording), clip)
    edges = frame_edges(workspace.objects, video_key(recording))
    video = replace_video(described, clip, len(edges) - 1, int(edges[-1] - edges[0]), codec)
    workspace.objects.put(description_key(recording), video.to_bytes())
    workspace.catalog.add_recording(video, who=contributor)
    workspace.catalog.submit(recording, who=contributor)
    if trajectory:
        times = np.rint(edges[:-1] - edges[0]).astype(np.int64)
        made = playable_trajectory(recording, contributor, times, seed)
        shard = write_shard(workspace.objects, [made])
        found = TrajectoryRecord(recording, shard.extractor_id, shard.shard_id, 0, len(made), "relative", 0.9, 0.8, 0.7)
        workspace.catalog.record_outcome(
            recording, state, checks=checks, trajectory=found, who="kinesphere", why="for the player"
        )
    return recording


def replace_video(described: RecordingFile, clip: Path, frames: int, duration_ns: int, codec: str) -> RecordingFile:
    """The description of a recording with another video."""
    content = clip.read_bytes()
    video = described.video.model_copy(
        update={
            "sha256": hashlib.sha256(content).hexdigest(),
            "size_bytes": len(content),
            "frames": frames,
            "duration_ns": duration_ns,
            "codec": codec,
        }
    )
    return described.model_copy(update={"video": video})


def playable_trajectory(recording: str, contributor: str, times: NDArray[np.int64], seed: int) -> Trajectory:
    """A trajectory at these times, whose landmarks lie within the picture."""
    made = make_trajectory(len(times), seed=seed, recording=recording, contributor=contributor)
    arrays = {**made.arrays, "timestamp": times}
    for name in ("body_image", "hands_image"):
        arrays[name] = (0.5 + 0.5 * made.arrays[name]).astype(np.float32)
    return replace(made, arrays=arrays)


@contextmanager
def playing(
    browser: Browser,
    cookie: dict[str, str],
    recording: str,
    *,
    width: int = 1280,
    height: int = 720,
    density: float = 1,
    expect_problems: bool = False,
    mounted: bool = True,
    **options: bool,
) -> Iterator[Page]:
    """A page with nothing but a player, served as if it were the studio's; `player` and `panel` are its globals.

    The cookie is that of `session_cookie`, whose studio it is.
    """
    size: dict[str, Any] = {"width": width, "height": height, "device_scale_factor": density}
    with opened_page(browser, cookies=[cookie], expected="" if expect_problems else "$nothing", **size) as page:
        page.route(
            "**/player-for-tests",
            lambda route: route.fulfill(
                body=_PAGE.format(digest=static_digest()),
                headers={"Content-Type": "text/html", "Content-Security-Policy": CONTENT_SECURITY_POLICY},
            ),
        )
        page.goto(f"{cookie['url']}/player-for-tests")
        given = {**options, "mounted": mounted, "ready": not expect_problems}
        page.evaluate(_MOUNT, [static_digest(), recording, given])
        yield page
