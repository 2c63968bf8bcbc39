"""What is drawn over and under the video, in a real browser: in step, where it belongs, and fast enough."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from annotate.signals.signals import UNITS, Signals, _pyramid
from annotate.signals.skeletons import Skeletons, skeletons_of
from annotate.signals.trajectory_reader import in_memory, open_trajectory
from kinesphere.errors import InvalidInput
from kinesphere.trajectory import MISSING
from pose.landmarks import BODY_HEAD, BODY_MIDDLE, BODY_SIDES, HAND_BONES
from storage.workspace import Workspace
from studio.web.http.page_rendering import static_digest
from studio.web.playing.media_routes import Media
from tests.support.playable_recordings import add_played, playable_trajectory, playing
from tests.support.studio_server import running_studio, session_cookie
from tests.support.video_clips import make_clip, uneven_times

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

FRAMES = 300
HOURS_OF_FRAMES = 216_000
"""Two hours at 30 frames a second."""


@pytest.fixture
def drawn(browser: Browser, workspace: Workspace, tmp_path: Path) -> Iterator[tuple[Page, Workspace, str]]:
    """A player of 300 frames, on a screen with two pixels a point."""
    clip = make_clip(tmp_path / "clip.mp4", times=uneven_times(FRAMES), preset="ultrafast")
    recording = add_played(workspace, clip)
    with (
        running_studio(workspace) as studio,
        playing(browser, session_cookie(studio), recording, width=800, height=600, density=2) as page,
    ):
        yield page, workspace, recording


def seek(page: Page, frame: int) -> None:
    """Show a frame, and wait for its landmarks."""
    drawn = page.evaluate(
        """async (frame) => { await player.seekFrame(frame);
        for (let i = 0; i < 100 && panel.skeleton.drawn !== frame; i++) await new Promise((go) => setTimeout(go, 20));
        return panel.skeleton.drawn; }""",
        frame,
    )
    assert drawn == frame


OPACITY = """(points) => { const { canvas, _left, _top, _width, _height } = panel.skeleton;
  const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  const place = (x, y) => Math.round(_top + y * _height) * canvas.width + Math.round(_left + x * _width);
  const opacity = (x, y) => data[4 * place(x, y) + 3];
  let painted = 0; for (let i = 3; i < data.length; i += 4) painted += data[i] > 0;
  return [points.map(([x, y]) => opacity(x, y)), 4 * painted / data.length]; }"""
"""How opaque the drawing is at points in widths and heights of the picture, and which share of it is painted."""


def test_landmarks_are_drawn_where_they_are_and_in_step_with_the_frame(drawn: tuple[Page, Workspace, str]) -> None:
    page, workspace, recording = drawn
    trajectory = open_trajectory(workspace, recording)
    for frame in (0, 255, 256, 299, 3):
        seek(page, frame)
        hands = trajectory.read("hands_image", frame, frame + 1)[0, :, :, :2]
        body = trajectory.read("body_image", frame, frame + 1)[0, 11:17, :2]
        points = np.concatenate([hands.reshape(-1, 2), body])
        points = points[np.isfinite(points).all(axis=1) & (np.abs(points - 0.5) < 0.49).all(axis=1)]
        assert len(points)
        opacities, painted = page.evaluate(OPACITY, points.tolist())
        assert min(opacities) > 0
        assert painted < 0.5


def test_parts_can_be_hidden_and_stay_so(drawn: tuple[Page, Workspace, str]) -> None:
    page, _, _ = drawn
    seek(page, 10)
    for part in ("body", "left hand", "right hand"):
        page.get_by_label(part, exact=True).uncheck()
    assert page.evaluate(OPACITY, []) == [[], 0]
    assert page.evaluate("JSON.parse(localStorage.getItem('player:hidden'))") == ["body", "left hand", "right hand"]
    page.get_by_label("left hand").check()
    assert page.evaluate("[...panel.skeleton.shown]") == ["left hand"]


def test_blocks_are_fetched_ahead_and_few_are_kept(drawn: tuple[Page, Workspace, str]) -> None:
    page, _, _ = drawn
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "skeleton" in request.url else None)
    seek(page, 299)
    seek(page, 0)
    assert page.evaluate("panel.skeleton.store.blocks.size") == 2
    assert asked == [], "both blocks were there before they were wanted"


def test_bones_are_those_of_the_pictures_that_commands_draw(drawn: tuple[Page, Workspace, str]) -> None:
    page, _, _ = drawn
    bones = page.evaluate(f"import('/static/{static_digest()}/js/player/skeleton.js').then((module) => module.BONES)")
    wanted = {
        "left": BODY_SIDES[0],
        "right": BODY_SIDES[1],
        "middle": BODY_MIDDLE,
        "head": BODY_HEAD,
        "hand": HAND_BONES,
    }
    assert {name: [tuple(bone) for bone in group] for name, group in bones.items()} == {
        name: list(group) for name, group in wanted.items()
    }


def skeletons(rows_without: list[int]) -> tuple[Skeletons, NDArray[np.int64]]:
    """Of a video of which some frames do not decode, so that its trajectory has not got them."""
    times = np.arange(50, dtype=np.int64) * 33_333_333
    decoded = np.delete(np.arange(50), rows_without)
    trajectory = playable_trajectory("20261124-000000-00000000", "anna", times[decoded], seed=0)
    edges = 66e6 + np.append(times, times[-1] + 33_333_333) + 200_000.0
    return skeletons_of(in_memory(trajectory), edges), decoded


def test_a_frame_that_does_not_decode_has_no_landmarks_and_the_others_have_theirs() -> None:
    damaged, decoded = skeletons([7, 8, 20])
    assert damaged.rows[decoded].tolist() == list(range(47)) and (damaged.rows[[7, 8, 20]] == -1).all()
    content = damaged.to_bytes(5, 20)
    body = np.frombuffer(content, "<i2", 20 * 66).reshape(20, 33, 2)
    valid = np.frombuffer(content, "u1")[-20:]
    assert (body[[2, 3, 15]] == MISSING).all() and not valid[[2, 3, 15]].any()
    stored = damaged.trajectory.read_stored("body_image", 0, 47)
    assert (body[4] == stored[7, :, :2]).all() and (body[16] == stored[18, :, :2]).all()
    assert len(damaged.to_bytes(7, 2)) == 2 * 336, "none of them at all"
    with pytest.raises(InvalidInput, match="the video has 50"):
        damaged.to_bytes(49, 2)


def test_signals_of_such_a_video_are_by_its_frames() -> None:
    values = np.random.default_rng(0).random((len(UNITS), 47)).astype(np.float32)
    found = Signals("key", 47, tuple(UNITS), tuple(UNITS.values()), _pyramid(values))
    damaged, decoded = skeletons([7, 8, 20])
    by_frames = found.at_frames(damaged.rows)
    assert by_frames.frames == 50
    assert (by_frames.levels[0][:, decoded, 0] == values).all()
    assert np.isnan(by_frames.levels[0][:, [7, 8, 20]]).all()
    assert np.isnan(found.values("left grip")).sum() == 0, "the others are as they were"


def test_two_hours_of_signals_are_painted_without_stutter(
    browser: Browser, workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = np.random.default_rng(0)
    values = np.abs(np.cumsum(random.normal(0, 0.01, (len(UNITS), HOURS_OF_FRAMES)), axis=1)).astype(np.float32) % 1
    values[:, 90_000:93_000] = np.nan
    long = Signals("long", HOURS_OF_FRAMES, tuple(UNITS), tuple(UNITS.values()), _pyramid(values))
    monkeypatch.setattr(Media, "signals", lambda *_: long)
    recording = add_played(workspace, make_clip(tmp_path / "clip.mp4", frames=10))
    with running_studio(workspace) as studio, playing(browser, session_cookie(studio), recording) as page:
        page.evaluate(
            """async ([digest, frames]) => {
            const { FrameTable } = await import(`/static/${digest}/js/player/frame_table.js`);
            const { SignalPlot, SignalStore } = await import(`/static/${digest}/js/player/signals.js`);
            const canvas = document.createElement("canvas"); canvas.id = "long";
            Object.assign(canvas.style, { position: "fixed", left: 0, top: 0, width: "1280px", height: "200px",
              background: "white" });
            document.body.append(canvas);
            const table = new FrameTable(Float64Array.from({ length: frames + 1 }, (_, k) => 66e6 + k * 33333333));
            window.plot = new SignalPlot(canvas, new SignalStore(player && panel.about.recording,
              panel.about.trajectory.signals, frames), table); }""",
            [static_digest(), HOURS_OF_FRAMES],
        )
        paints = page.evaluate(
            """async () => { const paints = []; const total = plot.frames.durationNs;
            for (let i = 0; i < 240; i++) {
              const span = total * 10 ** (-4.5 * Math.abs(Math.sin(i / 40)));
              const start = (total - span) * (0.5 + 0.45 * Math.sin(i / 17));
              plot.setView(start, start + span);
              await new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)));
              const began = performance.now();
              plot.paint();
              paints.push(performance.now() - began);
            } return [paints, plot.store.tiles.size]; }"""
        )
        slow = float(np.percentile(paints[0], 95))
        print(f"painting two hours: p95 {slow:.1f} ms")
        assert slow < 16, f"p95 {slow:.1f} ms"
        assert paints[1] <= 192
        shown = picture_of(page, "#long")
        assert len(np.unique(shown.reshape(-1, 3), axis=0)) > 4
        page.evaluate("plot.setView(0, plot.frames.durationNs)")
        page.wait_for_timeout(500)
        shown = picture_of(page, "#long")
        # frames 90,000 to 93,000 of 216,000 are the columns 533 to 551
        assert (shown[:, 540] == 255).all(), "what is missing is not drawn"
        assert (shown[:, 560] < 255).any()


def picture_of(page: Page, selector: str) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(page.locator(selector).screenshot())).convert("RGB"))
