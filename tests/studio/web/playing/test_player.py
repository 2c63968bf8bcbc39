"""The player in a real browser: what it says is on screen is on screen, read from burnt-in numbers in screenshots."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from capture.sources.numbered_pattern import read_counter
from storage.workspace import Workspace, create_workspace
from tests.support.browser import accessibility_violations
from tests.support.playable_recordings import add_played, playing
from tests.support.studio_server import running_studio, session_cookie
from tests.support.video_clips import make_clip, uneven_times

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

Played = tuple[dict[str, str], dict[str, str]]
"""The cookie of who is signed in, and recordings by the name of their clip."""
FRAMES = 240
CLIPS: dict[str, dict[str, Any]] = {
    "uneven": {"bf": "0", "g": "30"},
    "B-frames": {"bf": "3", "g": "30"},
    "begins late": {"bf": "3", "g": "30", "start": 6000},
    "cut by an edit list": {"bf": "0", "g": "250", "shift_packets": -9000},
    "one keyframe": {"bf": "3", "g": "1000", "start": 1500},
    "fragmented": {"bf": "0", "g": "30", "muxer": {"movflags": "frag_keyframe+empty_moov+default_base_moof"}},
}
HARDEST = "one keyframe"


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    """A studio with one recording of each clip."""
    folder = tmp_path_factory.mktemp("played")
    workspace = create_workspace(folder / "workspace")
    recordings = {
        name: add_played(
            workspace,
            make_clip(
                folder / f"{seed}.mp4", times=uneven_times(FRAMES), size=(256, 192), preset="ultrafast", **options
            ),
            seed=seed,
        )
        for seed, (name, options) in enumerate(CLIPS.items())
    }
    with running_studio(workspace) as studio:
        yield session_cookie(studio), recordings
    workspace.catalog.close()


def seen(page: Page) -> int:
    """The number of the frame on screen, read from a screenshot of it."""
    box = page.evaluate(
        """() => { const { left, top, width, height } = player.video.getBoundingClientRect();
        const shown = Math.min(width, height * player.video.videoWidth / player.video.videoHeight);
        return { x: left + (width - shown) / 2, y: top, width: shown, height }; }"""
    )
    return read_counter(picture(page.screenshot(clip=box)))


def wait_until(page: Page, condition: str, seconds: float = 60) -> None:
    """Wait until something is so on the page, whose policy forbids Playwright's own way to ask."""
    for _ in range(round(20 * seconds)):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(50)
    pytest.fail(f"never: {condition}")


def picture(png: bytes) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


PAINTED = """window.painted = () => { const canvas = window.copy ??= document.createElement("canvas");
  canvas.width = 320; canvas.height = 8; const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(player.video, 0, 0, 320, 240);
  const bits = Array.from({ length: 24 }, (_, i) => context.getImageData(10 * (i + 3) + 5, 4, 1, 1).data[0] > 128);
  return bits.reduce((number, bit) => 2 * number + bit, 0); }"""
"""Defines what reads the number from the video element, painted to a canvas."""


def first_number(name: str) -> int:
    """The number burnt into the first frame that is shown."""
    return 2 if name == "cut by an edit list" else 0


@pytest.mark.parametrize(("name", "count"), [(name, 200 if name == HARDEST else 25) for name in CLIPS])
def test_seeks_to_random_frames_show_these_very_frames(browser: Browser, played: Played, name: str, count: int) -> None:
    cookie, recordings = played
    with playing(browser, cookie, recordings[name], width=640, height=480, skeleton=False) as page:
        frames = page.evaluate("player.frames.count")
        assert frames == FRAMES - first_number(name)
        wanted = np.random.default_rng(1).integers(0, frames, count).tolist()
        shown = [(page.evaluate("frame => player.seekFrame(frame)", frame), seen(page)) for frame in wanted]
        assert shown == [(frame, frame + first_number(name)) for frame in wanted]
        assert page.evaluate("player.problem") == ""


@pytest.mark.parametrize(("name", "count"), [("begins late", FRAMES), ("one keyframe", 60)])
def test_steps_land_on_every_frame_once_forwards_and_backwards(
    browser: Browser, played: Played, name: str, count: int
) -> None:
    cookie, recordings = played
    with playing(browser, cookie, recordings[name], skeleton=False) as page:
        page.evaluate(PAINTED)
        page.evaluate(
            """window.stepped = async (by, count) => {
              const events = []; player.addEventListener("frame", (event) => events.push(event.detail.frame));
              const found = [[player.frame, painted()]];
              for (let i = 1; i < count; i++) found.push([await player.step(by), painted()]);
              return [found, events]; }"""
        )
        forwards, events = page.evaluate("count => stepped(1, count)", count)
        assert forwards == [[frame, frame] for frame in range(count)]
        assert events == list(range(1, count))
        backwards, events = page.evaluate("count => stepped(-1, count)", count)
        assert backwards == forwards[::-1]
        assert events == list(range(count - 1))[::-1]
        assert page.evaluate("player.step(-1)") == 0
        assert page.evaluate("player.seekFrame(10 ** 9)") == FRAMES - 1 == page.evaluate("player.step(1)")


@pytest.mark.parametrize("rate", [0.1, 1, 4])
def test_a_pause_shows_the_frame_that_it_says_at_every_rate(browser: Browser, played: Played, rate: float) -> None:
    cookie, recordings = played
    with playing(browser, cookie, recordings["B-frames"], width=640, height=480, skeleton=False) as page:
        for start in (20, 90):
            page.evaluate("start => player.seekFrame(start)", start)
            before = page.evaluate("player.timeNs")
            page.evaluate("rate => { player.setRate(rate); return player.play(); }", rate)
            began = time.monotonic()
            page.wait_for_timeout(700)
            wait_until(page, f"player.frame > {start}")  # a busy machine begins late
            assert page.evaluate("player.playing")
            paused = page.evaluate("player.pause()")
            assert seen(page) == paused == page.evaluate("player.frame")
            gone = (page.evaluate("player.timeNs") - before) / 1e9
            assert 0 < gone < (time.monotonic() - began) * rate * 2 + 0.2
            assert not page.evaluate("player.playing")
            page.wait_for_timeout(100)
            assert seen(page) == paused


def test_a_loop_shows_its_frames_again_and_no_others(browser: Browser, played: Played) -> None:
    cookie, recordings = played
    with playing(browser, cookie, recordings["uneven"], skeleton=False) as page:
        shown = page.evaluate(
            """async () => { await player.seekFrame(60); player.loop({ startFrame: 60, endFrame: 72 });
            const shown = []; player.addEventListener("frame", (event) => shown.push(event.detail.frame));
            await player.play(); await new Promise((resolve) => setTimeout(resolve, 3000)); await player.pause();
            return shown; }"""
        )
        returns = sum(later < earlier for earlier, later in pairwise(shown))
        assert returns >= 3
        assert min(shown) >= 60
        assert sum(frame >= 72 for frame in shown) <= returns, "at most one frame beyond, where a timer comes late"
        assert max(shown) <= 73


def test_a_loop_up_to_the_end_begins_again_where_it_began(browser: Browser, played: Played) -> None:
    cookie, recordings = played
    with playing(browser, cookie, recordings["uneven"], skeleton=False) as page:
        first = FRAMES - 12
        shown = page.evaluate(
            """async ([first, end]) => {
            await player.seekFrame(first); player.loop({ startFrame: first, endFrame: end });
            const shown = []; player.addEventListener("frame", (event) => shown.push(event.detail.frame));
            await player.play(); await new Promise((resolve) => setTimeout(resolve, 3000)); await player.pause();
            return shown; }""",
            [first, FRAMES],
        )
        assert sum(later < earlier for earlier, later in pairwise(shown)) >= 2
        assert min(shown) >= first


def test_keys_faster_than_the_browser_count(browser: Browser, played: Played) -> None:
    cookie, recordings = played
    with playing(browser, cookie, recordings["uneven"], skeleton=False) as page:
        twice = "() => { panel.shuttle(1); panel.shuttle(1); return [player.playing, player.rate]; }"
        assert page.evaluate(twice) == [True, 2], "play, then faster, before the first frame has come"
        assert page.evaluate("async () => { player.toggle(); await player.toggle(); return player.playing; }") is True
        there = page.evaluate(
            """async () => { void player.seekFrame(100); void player.play(); return await player.pause(); }"""
        )
        page.wait_for_timeout(500)
        assert page.evaluate("[player.playing, player.video.paused, player.frame]") == [False, True, there]


def test_playing_backwards_shows_earlier_frames_only(browser: Browser, played: Played) -> None:
    cookie, recordings = played
    with playing(browser, cookie, recordings["uneven"], skeleton=False) as page:
        page.evaluate(PAINTED)
        shown = page.evaluate(
            """async () => { await player.seekFrame(30);
            const shown = []; player.addEventListener("frame", (event) => shown.push([event.detail.frame, painted()]));
            player.playBackwards(1); await new Promise((resolve) => setTimeout(resolve, 4000));
            return shown; }"""
        )
        frames = [frame for frame, _ in shown]
        assert frames == sorted(frames, reverse=True) and frames[-1] == 0 and len(frames) > 5
        assert all(frame == painted for frame, painted in shown)
        assert not page.evaluate("player.playing")


def test_keys_play_step_and_jump(browser: Browser, played: Played) -> None:
    cookie, recordings = played
    with playing(browser, cookie, recordings["B-frames"]) as page:

        def pressed(key: str) -> int:
            page.keyboard.press(key)
            return int(page.evaluate("player.seeking ? player._seek(player.targetFrame) : player.frame"))

        assert [pressed(".") for _ in range(3)] == [1, 2, 3]
        assert pressed(",") == 2
        assert pressed(">") == 12 and pressed("<") == 2
        there = page.evaluate("player.frames.frameAt(player.frames.startNs(2) + 1e9)")
        assert pressed("ArrowRight") == there
        assert pressed("End") == FRAMES - 1 and pressed("Home") == 0
        page.keyboard.press("l")
        page.keyboard.press("l")
        wait_until(page, "player.playing && player.rate === 2")
        page.keyboard.press("k")
        wait_until(page, "!player.playing && !player.seeking")
        page.evaluate("player.seekFrame(200)")
        page.keyboard.press("j")
        wait_until(page, "player.backwards && player.rate === 1")
        page.keyboard.press("Space")
        wait_until(page, "!player.playing && !player.backwards")
        page.keyboard.press("r")
        wait_until(page, "player.looped !== null && player.playing")
        page.keyboard.press("r")
        assert page.evaluate("player.looped") is None
        page.keyboard.press("h")
        assert page.evaluate("panel.skeleton.shown.size") == 0
        page.keyboard.press("h")
        assert page.evaluate("panel.skeleton.shown.size") == 3
        page.get_by_label("Frame on screen").fill("77")
        page.get_by_label("Frame on screen").press("Enter")
        wait_until(page, "player.frame === 77")


def test_the_panel_is_accessible_and_fits_small_and_large_screens(browser: Browser, played: Played) -> None:
    cookie, recordings = played
    for width, height, density in ((1280, 720, 1), (3840, 2160, 2)):
        with playing(
            browser,
            cookie,
            recordings["uneven"],
            width=width // density,
            height=height // density,
            density=density,
            signals=True,
        ) as page:
            for _ in range(2):
                assert accessibility_violations(page) == []
                page.get_by_role("button", name="theme").click()
            size = page.evaluate("[panel.view.canvas.width, panel.view.canvas.clientWidth]")
            assert size[0] == density * size[1]
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            assert page.evaluate("document.documentElement.scrollHeight <= innerHeight")
            order = []
            for _ in range(12):
                page.keyboard.press("Tab")
                order.append(page.evaluate("document.activeElement.getAttribute('aria-label')"))
            assert {"Play (Space)", "Speed", "Place in the recording"} <= set(order)


def test_a_lost_connection_is_told_and_taken_up_again(browser: Browser, workspace: Workspace, tmp_path: Path) -> None:
    full: dict[str, Any] = {"x264-params": "nal-hrd=cbr:bitrate=20000:vbv-maxrate=20000:vbv-bufsize=20000:filler=1"}
    clip = make_clip(tmp_path / "clip.mp4", frames=300, preset="ultrafast", g="30", **full)
    recording = add_played(workspace, clip)
    with running_studio(workspace) as studio:
        cookie = session_cookie(studio)
        with playing(browser, cookie, recording, skeleton=False, expect_problems=True) as page:
            assert clip.stat().st_size > 20_000_000, "more than a browser holds ahead"
            page.route("**/video", lambda route: route.abort())
            page.evaluate("void player.seekFrame(290)")
            wait_until(page, "player.problem !== ''", seconds=40)
            assert page.get_by_role("alert").inner_text().strip() != ""
            page.unroute("**/video")
            page.get_by_role("button", name="Try again").click()
            wait_until(page, "player.problem === '' && player.frame === 290 && !player.seeking")
            assert seen(page) == 290


def test_a_video_that_the_browser_cannot_play_is_said_to_be_one(
    browser: Browser, workspace: Workspace, tmp_path: Path
) -> None:
    recording = add_played(workspace, make_clip(tmp_path / "clip.mp4", codec="libx265"), codec="hevc")
    with (
        running_studio(workspace) as studio,
        playing(browser, session_cookie(studio), recording, expect_problems=True) as page,
    ):
        wait_until(page, "player.problem !== ''")
        assert "it is hevc, and should be H.264" in page.get_by_role("alert").inner_text()
        assert accessibility_violations(page) == []


def test_what_cannot_be_shown_says_why(browser: Browser, workspace: Workspace, tmp_path: Path) -> None:
    recording = add_played(workspace, make_clip(tmp_path / "clip.mp4"))
    workspace.catalog.withdraw(recording, who="anna", why="")
    with running_studio(workspace) as studio:
        cookie = session_cookie(studio)
        for name, words in ((recording, "taken back"), ("x", "no recording")):
            with playing(browser, cookie, name, expect_problems=True, mounted=False) as page:
                assert words in page.get_by_role("alert").inner_text()


def test_without_a_trajectory_there_is_a_player_and_nothing_to_draw(
    browser: Browser, workspace: Workspace, tmp_path: Path
) -> None:
    recording = add_played(workspace, make_clip(tmp_path / "clip.mp4"), trajectory=False)
    with running_studio(workspace) as studio, playing(browser, session_cookie(studio), recording, signals=True) as page:
        assert page.evaluate("[panel.skeleton, panel.signals]") == [None, None]
        assert page.evaluate("player.seekFrame(11)") == seen(page) == 11
        page.keyboard.press("h")
        assert "no trajectory" in page.locator("#notices").inner_text()
