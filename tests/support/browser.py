"""A real browser: Debian's Chromium, driven by Playwright."""

from __future__ import annotations

import os
import re
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

ARGUMENTS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip


FILL = """() => {
  for (let size = 1 << 20; size; size >>= 1) {
    try { for (let at = 0; ; at += 1) localStorage.setItem(`filler/${size}/${at}`, "x".repeat(size)); } catch {}
  }
}"""
REFUSE = """Object.defineProperty(globalThis, "localStorage", {
  get() { throw new DOMException("as where cookies are blocked", "SecurityError"); },
});"""


@contextmanager
def chromium(*more: str) -> Iterator[Browser]:
    """Start Chromium; a test is skipped where there is none, but not in CI."""
    found = shutil.which("chromium")
    if found is None:
        if os.environ.get("CI"):
            pytest.fail("Chromium is missing; install it with: sudo apt-get install chromium")
        pytest.skip("Chromium is missing; install it with: sudo apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=[*ARGUMENTS, *more])
        yield browser
        browser.close()


@contextmanager
def killable_browser(browser: Browser, profile: Path) -> Iterator[tuple[BrowserContext, Callable[[], None]]]:
    """Another Chromium, which keeps what it keeps in a folder, and what ends it as a power cut would."""
    context = browser.browser_type.launch_persistent_context(profile, executable_path=_program(), args=[*ARGUMENTS])
    ended: list[int] = []

    def kill() -> None:
        """Kill all its processes: those that have the folder open."""
        mark = f"--user-data-dir={profile}"
        own = [int(file.parent.name) for file in Path("/proc").glob("[0-9]*/cmdline") if mark in _text(file)]
        assert own
        ended.extend(own)
        for process in own:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        for lock in profile.glob("Singleton*"):
            lock.unlink()

    try:
        yield context, kill
    finally:
        if not ended:
            context.close()


def _program() -> str:
    """Where Chromium is, once a browser has been started."""
    found = shutil.which("chromium")
    assert found is not None
    return found


def _text(file: Path) -> str:
    try:
        return file.read_text(errors="replace")
    except OSError:  # it has ended
        return ""


@contextmanager
def with_camera(browser: Browser, clip: Path, folder: Path) -> Iterator[Browser]:
    """Another Chromium, whose camera plays a clip again and again, and may be used without asking."""
    import cv2

    from storage.footage.video_reader import open_video

    film = folder / "camera.mjpeg"
    with open_video(clip) as video, film.open("wb") as file:
        for frame in video.frames():
            file.write(cv2.imencode(".jpg", frame.image[..., ::-1])[1].tobytes())
    camera = ("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream",
              f"--use-file-for-fake-video-capture={film}")  # fmt: skip
    started = browser.browser_type.launch(executable_path=_program(), args=[*ARGUMENTS, *camera])
    try:
        yield started
    finally:
        started.close()


@contextmanager
def opened_page(
    browser: Browser,
    *,
    cookies: Sequence[Any] = (),
    width: int = 1280,
    height: int = 720,
    expected: str = "$nothing",
    **options: Any,
) -> Iterator[Page]:
    """A page in a context of its own, which fails the test for any error in its console.

    Args:
        expected: a regular expression; errors that it is found in are part of the test.
    """
    context: BrowserContext = browser.new_context(viewport={"width": width, "height": height}, **options)
    context.add_cookies(list(cookies))
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(f"error: {error}"))
    page.on(
        "console",
        lambda said: problems.append(f"{said.type}: {said.text} {said.location}") if said.type == "error" else None,
    )
    try:
        yield page
    finally:
        context.close()
    unexpected = [problem for problem in problems if not re.search(expected, problem)]
    assert not unexpected, unexpected


def fill_storage(page: Page) -> None:
    """Leave no room in localStorage, for not one character more."""
    page.evaluate(FILL)


def refuse_storage(page: Page) -> None:
    """Have the browser refuse localStorage to pages that are opened from now on."""
    page.add_init_script(REFUSE)


def painted(page: Page) -> None:
    """Wait until the page has been painted: what comes with a frame ("close" of a dialog) has come, and is shown."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def accessibility_violations(page: Page) -> list[str]:
    """What axe finds against WCAG 2.2 A and AA on a page, one line each."""
    from axe_playwright_python.sync_playwright import Axe

    tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
    found = Axe().run(page, options={"runOnly": {"type": "tag", "values": tags}})
    return [
        f"{violation['id']}: {violation['help']} at {node['target']}"
        for violation in found.response["violations"]
        for node in violation["nodes"]
    ]


def wait_until(page: Page, expression: str, *, seconds: float = 90) -> None:
    """Wait until a JavaScript expression is true; Playwright's own wait would offend our Content-Security-Policy."""
    until = time.monotonic() + seconds
    while not page.evaluate(expression):
        assert time.monotonic() < until, f"not within {seconds} s: {expression}"
        page.wait_for_timeout(50)
