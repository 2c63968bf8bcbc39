"""The preview window, on a real X server without a screen."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import ImageGrab

from studio.preview import Preview, has_display

pytestmark = pytest.mark.skipif(shutil.which("Xvfb") is None, reason="Xvfb is not installed")


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name of an empty X display."""
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", "1", "-screen", "0", "1024x768x24", "-nolisten", "tcp"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert server.stdout is not None
    display = f":{server.stdout.readline().strip()}"
    monkeypatch.setenv("DISPLAY", display)
    yield display
    server.kill()
    server.communicate()


def test_it_shows_the_picture_mirrored(screen: str) -> None:
    picture = np.zeros((360, 640, 3), np.uint8)
    picture[:, :320] = (255, 0, 0)
    picture[:, 320:] = (0, 0, 255)
    preview = Preview(wanted=True)
    try:
        end = time.monotonic() + 120
        while True:
            preview.show(picture)
            shown = np.asarray(ImageGrab.grab(xdisplay=screen).convert("RGB")).astype(int)
            red = np.argwhere((shown[..., 0] > 200) & (shown[..., 2] < 50))
            blue = np.argwhere((shown[..., 2] > 200) & (shown[..., 0] < 50))
            if len(red) > 1000 and len(blue) > 1000:
                break
            assert time.monotonic() < end and preview.is_open
            time.sleep(0.1)
    finally:
        preview.close()
    assert blue[:, 1].max() < red[:, 1].min(), "the person's right is on the right, as in a mirror"
    assert not preview.is_open


def test_a_display_that_does_not_answer_costs_the_window_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", ":4711")
    preview = Preview(wanted=True)
    end = time.monotonic() + 30
    while preview.is_open:
        preview.show(np.zeros((360, 640, 3), np.uint8))
        assert time.monotonic() < end
        time.sleep(0.1)
    preview.show(np.zeros((360, 640, 3), np.uint8))
    preview.close()


def test_without_a_screen_there_is_no_window(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert not has_display()
    preview = Preview(wanted=True)
    preview.show(np.zeros((360, 640, 3), np.uint8))
    assert not preview.is_open
    preview.close()
