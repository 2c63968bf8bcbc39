"""The player on an hour of video: until the first frame is on the screen, and until a frame that is sought is.

The hour is the real clip of a body again and again (H.264 640x360, a keyframe a second, its packets copied), in the
player as pages mount it, in a context of its own that has nothing in its cache.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av

from benchmarks.studio_server import Served, load, served, spread
from pose.networks.models import fetch_clip
from storage.workspace import create_workspace
from studio.commands.output import print_table
from tests.support.browser import chromium
from tests.support.label_page import h264
from tests.support.playable_recordings import add_played, playing

if TYPE_CHECKING:
    from playwright.sync_api import Browser

_SEEKS = """async (frames) => {
  const taken = [];
  for (const frame of frames) {
    const began = performance.now();
    await player.seekFrame(frame);
    if (player.frame !== frame) throw new Error(`frame ${player.frame} is shown, not ${frame}`);
    taken.push((performance.now() - began) / 1000);
  }
  return taken;
}"""
_RANDOM = """([seeks, seed]) => {
  let state = seed;  // a small generator, so that every run seeks the same frames
  const draw = () => (state = (state * 48271) % 2147483647) / 2147483647;
  return Array.from({ length: seeks }, () => Math.floor(draw() * player.frames.count));
}"""


def player(*, minutes: float = 60, opened: int = 5, seeks: int = 100) -> None:
    """Print how long a browser takes to show frames of a recording of so many minutes."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        video = long_video(h264(fetch_clip(), folder / "clip.mp4"), folder / "long.mp4", minutes)
        size = video.stat().st_size
        workspace = create_workspace(folder / "workspace")
        recording = add_played(workspace, video, trajectory=False)
        workspace.catalog.close()
        video.unlink()
        with served(folder / "workspace") as studio, chromium() as browser:
            first, sought, on = _measured(studio, browser, recording, opened, seeks)
    print_table(
        f"A recording of {minutes:g} minutes, {size / 1e6:.0f} MB, {load()}",
        ["", "times", "median ms", "p95 ms", "longest ms"],
        [
            ["from the page's address to the first frame", str(len(first)), *spread(first)],
            ["seek to a random frame", str(len(sought)), *spread(sought)],
            ["step to the next frame", str(len(on)), *spread(on)],
        ],
    )


def _measured(
    studio: Served, browser: Browser, recording: str, opened: int, seeks: int
) -> tuple[list[float], list[float], list[float]]:
    first = [taken for _ in range(opened) for taken in _opened(studio, browser, recording)]
    with playing(browser, studio.cookie(), recording) as page:
        frames: list[int] = page.evaluate(_RANDOM, [seeks, 7])
        sought: list[float] = page.evaluate(_SEEKS, frames)
        on: list[float] = page.evaluate(_SEEKS, list(range(frames[-1] + 1, frames[-1] + 1 + seeks)))
    return first, sought, on


def _opened(studio: Served, browser: Browser, recording: str) -> Iterator[float]:
    """Seconds since the page was asked for, once its player has shown a frame."""
    with playing(browser, studio.cookie(), recording) as page:
        yield float(page.evaluate("performance.now()")) / 1000


def long_video(clip: Path, path: Path, minutes: float) -> Path:
    """Write a clip again and again, its packets copied, until it is so many minutes long."""
    with av.open(str(clip)) as read:
        source = read.streams.video[0]
        packets = [packet for packet in read.demux(source) if packet.pts is not None]
        base = source.time_base or Fraction(1, 30)
        ticks = int(packets[-1].pts or 0) + int(packets[-1].duration or 1) - int(packets[0].pts or 0)
        again = max(1, round(minutes * 60 / float(ticks * base)))
        with av.open(str(path), "w", options={"movflags": "faststart"}) as written:
            stream: Any = written.add_stream_from_template(source)
            times = [(packet.pts or 0, packet.dts or 0) for packet in packets]
            for turn in range(again):
                for packet, (shown, decoded) in zip(packets, times, strict=True):
                    packet.stream = stream
                    packet.time_base = base
                    packet.pts, packet.dts = shown + turn * ticks, decoded + turn * ticks
                    written.mux(packet)
    return path
