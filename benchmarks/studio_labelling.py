"""Labelling in a real browser by keys alone: from a key to what it changed on the screen, and keys for each segment.

The recording is the real clip of a body; the segments are those that somebody saw in it (tests/data/labelled). They are
made twice: at rest, every edge to the frame, and while the video plays, one key at each edge. The script is no quicker
than the machine: on a busy one it misses the shortest segments while it plays, and their keys count all the same.

The other tools' keys are counted by what they document (CVAT's keymap; Label Studio's keymap.json), for the same edges:

* To go from edge to edge takes the fewest steps that their keys allow, in either direction. Ours: `.` 1 frame, `>` 10,
  the arrows a second. CVAT: F and D 1 frame, V and C 10 (its default). Label Studio: Alt+arrow 1 frame,
  Shift+Alt+arrow a hop, taken for 10. Keys that are held are counted as if pressed.
* CVAT has no intervals of video: one is a track with a box over the frame that leaves it (`O`, outside) at its end.
  For each: `N` to draw, two clicks for the box, the label, and `O`, where the label is counted as one action.
* Label Studio's keys set no edge: an interval of TimelineLabels takes the label's key and is then dragged on its
  timeline, which is one action if the drag ends at the very frame; the steps of the playhead are what finds that frame.
* While it plays neither of the two documents a key that ends one interval and begins the next: no number is given.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from benchmarks.studio_server import Served, load, served, spread
from pose.networks.models import fetch_clip
from storage.tasks.task import Labels
from storage.workspace import create_workspace
from studio.commands.output import print_table
from tests.support.browser import chromium, opened_page
from tests.support.label_page import add_labelled, h264, ready, saved
from tests.support.labelled_clips import real_clip

if TYPE_CHECKING:
    from playwright.sync_api import Page

SECOND = 30
"""Frames of the clip."""
OURS = {".": 1, ",": -1, ">": 10, "<": -10, "ArrowRight": SECOND, "ArrowLeft": -SECOND}
STEPS_OF_OTHERS = {"F": 1, "D": -1, "V": 10, "C": -10}
"""CVAT's; Label Studio's step and hop are as long."""
CVAT_ACTIONS, LABEL_STUDIO_ACTIONS = 5, 2
"""For a segment, besides the steps to its end."""
_PAINTED = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
_TIMES = "() => performance.getEntriesByName('key to paint').map((one) => one.duration / 1000)"


def labelling(*, rounds: int = 3) -> None:
    """Print what annotators feel and how many keys they press."""
    segments = [(one.start_frame, one.end_frame, one.label) for one in real_clip("sports2d").segments]
    verbs = tuple(dict.fromkeys(label for _, _, label in segments))
    edges = [end for _, end, _ in segments]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        clip = h264(fetch_clip(), folder / "clip.mp4")
        workspace = create_workspace(folder / "workspace")
        recordings = [
            add_labelled(workspace, clip, seed=seed, labels=Labels(verbs=verbs)) for seed in range(2 * rounds)
        ]
        workspace.catalog.close()
        keys_of = {verb: str(number + 1) for number, verb in enumerate(verbs)}
        at_rest, playing, paints = list[float](), list[float](), list[float]()
        with served(folder / "workspace") as studio, chromium() as browser:
            for number, recording in enumerate(recordings):
                annotation = _open_annotation(studio, recording)
                with opened_page(browser, cookies=[studio.cookie()]) as page:
                    page.goto(f"{studio.url}/label/{annotation}")
                    ready(page)
                    if number < rounds:
                        pressed = _at_rest(page, edges, [keys_of[label] for *_, label in segments])
                    else:
                        pressed = _while_it_plays(page, edges, [keys_of[label] for *_, label in segments])
                    saved(page)
                    paints += page.evaluate(_TIMES)
                made = _segments(studio, annotation)
                spans = [(one["start_frame"], one["end_frame"], one["label"]) for one in made]
                if number < rounds and spans != segments:
                    raise AssertionError(f"edges are not where they were set: {spans}")
                if len(spans) < len(segments) / 2:
                    raise AssertionError(f"the video was over before the keys were pressed: {spans}")
                (at_rest if number < rounds else playing).append(pressed / len(made))
    print_table(
        f"Key to paint, {load()}", ["", "keys", "median ms", "p95 ms", "longest ms"],
        [["in the label page", str(len(paints)), *spread(paints)]],
    )  # fmt: skip
    moves = sum(len(steps(end - start, STEPS_OF_OTHERS)) for start, end, _ in segments) / len(segments)
    print_table(
        f"Keys (and clicks) a segment, {len(segments)} segments of {edges[-1] / SECOND:.1f} s",
        ["", "to the frame", "while it plays"],
        [
            ["ours, measured", f"{sum(at_rest) / rounds:.1f}", f"{sum(playing) / rounds:.1f}"],
            ["CVAT, by its documentation", f"{moves + CVAT_ACTIONS:.1f}", "no key for it"],
            ["Label Studio, by its documentation", f"{moves + LABEL_STUDIO_ACTIONS:.1f}", "no key for it"],
        ],
    )


def _at_rest(page: Page, edges: Sequence[int], labels: Sequence[str]) -> int:
    """Make the segments with every edge at its very frame; gives the number of keys pressed."""
    keys = ["Enter"]
    for start, end, label in zip([0, *edges], edges, labels, strict=False):
        keys += [*steps(end - start, OURS), label]
    for key in keys:
        page.keyboard.press(key)
        page.evaluate(_PAINTED)
        page.wait_for_timeout(60)
    return len(keys)


def _while_it_plays(page: Page, edges: Sequence[int], labels: Sequence[str]) -> int:
    """Press the label's key as the video passes each edge; gives the number of keys pressed."""
    page.keyboard.press("Enter")
    page.keyboard.press("Space")
    for end, label in zip(edges, labels, strict=True):
        while page.evaluate("() => document.querySelector('#player video').currentTime") < end / SECOND:
            page.wait_for_timeout(10)
        page.keyboard.press(label)
        page.evaluate(_PAINTED)
    page.keyboard.press("k")
    return len(edges) + 3


def steps(frames: int, keys: dict[str, int]) -> list[str]:
    """The fewest keys that go so many frames on, forwards and backwards."""
    reached: dict[int, list[str]] = {0: []}
    edge = [0]
    while frames not in reached:
        further = list[int]()
        for here in edge:
            for key, step in keys.items():
                if here + step not in reached:
                    reached[here + step] = [*reached[here], key]
                    further.append(here + step)
        edge = further
    return reached[frames]


def _open_annotation(studio: Served, recording: str) -> str:
    answer = httpx.post(
        f"{studio.url}/api/recordings/{recording}/annotations", json={}, headers=studio.headers(), trust_env=False
    )
    return str(answer.raise_for_status().json()["annotation"])


def _segments(studio: Served, annotation: str) -> list[dict[str, Any]]:
    answer = httpx.get(f"{studio.url}/api/annotations/{annotation}", headers=studio.headers(), trust_env=False)
    found: list[dict[str, Any]] = json.loads(answer.raise_for_status().content)["segments"]
    return found
