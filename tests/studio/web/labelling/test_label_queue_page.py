"""A day of an annotator: the next recording, done, skipped with a reason, and back to what was done."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from storage.workspace import Workspace
from tests.support.browser import opened_page
from tests.support.label_page import add_labelled, ready, saved, segments_of
from tests.support.studio_server import running_studio, session_cookie
from tests.support.video_clips import make_clip, uneven_times

if TYPE_CHECKING:
    from playwright.sync_api import Browser


def test_work_comes_to_the_annotator_and_what_was_done_can_be_opened_again(
    workspace: Workspace, browser: Browser, tmp_path: Path
) -> None:
    clip = make_clip(tmp_path / "clip.mp4", times=uneven_times(60), size=(320, 240))
    for seed in range(2):
        add_labelled(workspace, clip, seed=seed)
    with running_studio(workspace) as studio, opened_page(browser, cookies=[session_cookie(studio)]) as page:
        page.goto(f"{studio.url}/label")
        assert page.locator("tbody .number").first.inner_text() == "2"
        page.keyboard.press("Enter")  # the button has the focus
        ready(page)
        done = page.url.rsplit("/", 1)[1]
        for key in ("Enter", ">", "1", "End", "2"):
            page.keyboard.press(key)
        page.keyboard.press("Control+Enter")
        page.wait_for_url(lambda url: "/label/" in url and not url.endswith(done))
        ready(page)
        skipped = page.url.rsplit("/", 1)[1]
        page.keyboard.press("Control+Shift+Enter")
        page.keyboard.type("nothing happens")
        page.keyboard.press("Enter")
        page.wait_for_url(f"{studio.url}/label")
        page.wait_for_selector("[data-of=annotations] >> text=1")
        assert page.inner_text("[data-of=segments]") == "2"
        assert page.locator("tr", has=page.locator(f"a[href='/label/{skipped}']")).inner_text().count("nothing happens")
        page.click(f"a[href='/label/{done}']")
        ready(page)
        page.focus("#timeline")
        page.keyboard.press("Tab")
        page.keyboard.press("3")
        page.wait_for_selector("#notices >> text=this annotation is done")
        assert [one["label"] for one in segments_of(studio, done)] == ["reach", "grasp"]
        page.click("#reopen")
        page.wait_for_selector("#closed", state="hidden")
        ready(page)
        page.keyboard.press("Tab")
        page.keyboard.press("3")
        saved(page)
        page.wait_for_function("() => document.querySelector('#segments .what bdi').textContent === 'pour'")
        assert [one["label"] for one in segments_of(studio, done)] == ["pour", "grasp"]
