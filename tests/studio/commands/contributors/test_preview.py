"""The preview window, on a real X server without a screen."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import ImageGrab

from studio.commands.contributors.preview import Preview, has_display

pytestmark = pytest.mark.skipif(shutil.which("Xvfb") is None, reason="Xvfb is not installed")


@contextmanager
def display() -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The name of an empty X display, and its server."""
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", "1", "-screen", "0", "1024x768x24", "-nolisten", "tcp"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert server.stdout is not None
    try:
        yield f":{server.stdout.readline().strip()}", server
    finally:
        server.kill()
        server.communicate()


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name of an empty X display."""
    with display() as (name, _):
        monkeypatch.setenv("DISPLAY", name)
        yield name


@pytest.fixture
def preview(screen: str) -> Iterator[Preview]:
    """A window on that display."""
    preview = Preview(is_shown=True)
    yield preview
    preview.close()


def red_and_blue(width: int, height: int) -> NDArray[np.uint8]:
    """A picture whose left half is red and whose right half is blue, uint8 (height, width, 3)."""
    picture = np.zeros((height, width, 3), np.uint8)
    picture[:, : width // 2] = (255, 0, 0)
    picture[:, width // 2 :] = (0, 0, 255)
    return picture


def seen(preview: Preview, screen: str, picture: NDArray[np.uint8], half: tuple[int, int]) -> bool:
    """Whether the screen comes to show two areas of one size, (width, height) in pixels, blue just to the left of red.

    A column or two where they meet may be of a colour between them.
    """
    end = time.monotonic() + 30
    while time.monotonic() < end and preview.is_open:
        preview.show(picture)
        shown = np.asarray(ImageGrab.grab(xdisplay=screen).convert("RGB")).astype(int)
        is_red = (shown[..., 0] > 200) & (shown[..., 2] < 50)
        is_blue = (shown[..., 2] > 200) & (shown[..., 0] < 50)
        between = columns(is_red)[0] - columns(is_blue)[1]
        if np.allclose((*extent(is_blue), *extent(is_red), between), (*half, *half, 0), rtol=0, atol=2):
            return True
        time.sleep(0.05)
    return False


def columns(area: NDArray[np.bool_]) -> tuple[int, int]:
    """The first column of an area, and the one behind its last."""
    there = np.flatnonzero(area.any(axis=0))
    return (int(there[0]), int(there[-1]) + 1) if len(there) else (0, 0)


def extent(area: NDArray[np.bool_]) -> tuple[int, int]:
    """Width and height of an area that is a rectangle, else (0, 0)."""
    width, height = (np.ptp(columns(area)), np.ptp(columns(area.T)))
    return (int(width), int(height)) if area.sum() == width * height else (0, 0)


def test_it_shows_the_picture_mirrored(preview: Preview, screen: str) -> None:
    assert seen(preview, screen, red_and_blue(640, 360), half=(320, 360)), "their right is on the right"
    preview.close()
    assert not preview.is_open


def test_pictures_of_another_shape_keep_it_in_the_window_there_is(preview: Preview, screen: str) -> None:
    assert seen(preview, screen, red_and_blue(640, 360), half=(320, 360))
    assert seen(preview, screen, red_and_blue(90, 180), half=(90, 360)), "twice as large, bars beside it"


def test_a_display_that_goes_away_costs_the_window_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    with display() as (name, server):
        monkeypatch.setenv("DISPLAY", name)
        with closing(Preview(is_shown=True)) as preview:
            assert seen(preview, name, red_and_blue(640, 360), half=(320, 360))
            server.kill()
            assert ends(preview)


def test_a_display_that_does_not_answer_costs_the_window_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", ":4711")
    assert ends(Preview(is_shown=True))


def ends(preview: Preview) -> bool:
    """Whether the window ends by itself while pictures come, which then go nowhere; it is closed in any case."""
    end = time.monotonic() + 30
    while preview.is_open and time.monotonic() < end:
        preview.show(red_and_blue(640, 360))
        time.sleep(0.05)
    ended = not preview.is_open
    preview.show(red_and_blue(640, 360))
    preview.close()
    return ended


def test_without_a_screen_there_is_no_window(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert not has_display()
    preview = Preview(is_shown=True)
    preview.show(np.zeros((360, 640, 3), np.uint8))
    assert not preview.is_open
    preview.close()
