"""No label is lost or overwritten: the server is killed, the browser crashes, two tabs change the same segment."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from httpx import Client

from storage.workspace import create_workspace
from tests.support.browser import killable_browser, painted
from tests.support.killable_studio import KillableStudio
from tests.support.label_page import add_labelled, ready, saved
from tests.support.studio_server import TOKEN
from tests.support.video_clips import make_clip, uneven_times

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page, Route

FRAMES = 90
GIVEN: list[str] = []
"""The recordings that tests have labelled."""


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KillableStudio]:
    """A studio with some recordings to label, in a process of its own."""
    folder = tmp_path_factory.mktemp("safety")
    workspace = create_workspace(folder / "workspace")
    clip = make_clip(folder / "clip.mp4", times=uneven_times(FRAMES), size=(320, 240))
    for seed in range(8):
        add_labelled(workspace, clip, seed=seed)
    workspace.catalog.close()
    with KillableStudio(folder / "workspace") as running:
        yield running


@pytest.fixture
def annotation(studio: KillableStudio) -> str:
    """A recording that nobody has labelled yet, begun."""
    with client(studio) as opened:
        begun = opened.post("/api/labelling/next", json={"past": GIVEN}).raise_for_status().json()
    GIVEN.append(begun["recording"])
    return str(begun["annotation"])


def client(studio: KillableStudio) -> Client:
    return Client(base_url=studio.url, headers={"Authorization": f"Bearer {TOKEN}"}, trust_env=False, timeout=30)


def segments_of(studio: KillableStudio, annotation: str) -> list[dict[str, Any]]:
    with client(studio) as opened:
        return list(opened.get(f"/api/annotations/{annotation}").raise_for_status().json()["segments"])


@contextmanager
def person(browser: Browser, studio: KillableStudio) -> Iterator[BrowserContext]:
    """A browser of somebody, in which they may open several tabs. Failed requests are no errors here."""
    context = browser.new_context(viewport={"width": 1280, "height": 720})
    context.add_cookies([studio.cookie])  # type: ignore[list-item]
    problems: list[str] = []
    context.on("weberror", lambda error: problems.append(str(error.error)))
    yield context
    context.close()
    assert not problems, problems


def tab(context: BrowserContext, studio: KillableStudio, annotation: str) -> Page:
    page = context.new_page()
    page.goto(f"{studio.url}/label/{annotation}")
    ready(page)
    return page


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)
        painted(page)


def offline(page: Page) -> None:
    """Wait until the page says that edits wait."""
    page.wait_for_function("() => document.getElementById('saved').dataset.state !== 'saving'")
    assert page.locator("#saved").get_attribute("data-state") == "offline", page.inner_text("#saved")


def spans(segments: list[dict[str, Any]]) -> list[tuple[int, int, str]]:
    return [(one["start_frame"], one["end_frame"], one["label"]) for one in segments]


def test_a_killed_server_loses_no_edit(studio: KillableStudio, annotation: str, browser: Browser) -> None:
    with person(browser, studio) as context:
        page = tab(context, studio, annotation)
        press(page, "Enter", ">", "1")
        saved(page)
        studio.kill()
        press(page, ">", "2", ">", "3", "Escape", "}", "}", "Shift+Tab", "b", "Control+z", "y")
        offline(page)
        assert "edits are waiting in this browser" in page.inner_text("#saved")
        studio.start()
        saved(page)
        made = segments_of(studio, annotation)
        assert spans(made) == [(0, 10, "reach"), (10, 20, "grasp"), (20, 32, "pour")]
        assert [(one["object"], one["outcome"]) for one in made] == [(None, None), (None, "success"), (None, None)]


def test_a_browser_that_crashes_while_the_server_is_away_sends_its_edits_when_it_is_back(
    studio: KillableStudio, annotation: str, browser: Browser
) -> None:
    with person(browser, studio) as context:
        page = tab(context, studio, annotation)
        press(page, "Enter", ">", "1")
        saved(page)
        studio.kill()
        press(page, ">", "2", ">", "3", "Escape", "Delete")
        offline(page)
        page.goto("about:blank")  # what is in memory is gone
        studio.start()
        page.goto(f"{studio.url}/label")
        page.wait_for_selector("#unsent >> text=3 edits to an annotation are waiting in this browser")
        page.click("#unsent a")
        ready(page)
        saved(page)
        assert spans(segments_of(studio, annotation)) == [(0, 10, "reach"), (10, 20, "grasp")]
        assert page.evaluate("() => Object.keys(localStorage).filter((key) => key.startsWith('operations/'))") == []


def test_a_browser_that_is_killed_as_a_whole_has_on_its_disk_what_the_server_has_not(
    studio: KillableStudio, annotation: str, browser: Browser, tmp_path: Path
) -> None:
    """localStorage alone would lose the edits of the last seconds."""
    with killable_browser(browser, tmp_path / "profile") as (context, kill):
        context.add_cookies([studio.cookie])  # type: ignore[list-item]
        page = tab(context, studio, annotation)
        press(page, "Enter", ">", "1")
        saved(page)
        studio.kill()
        press(page, ">", "2", ">", "3")
        offline(page)
        kill()
    studio.start()
    with killable_browser(browser, tmp_path / "profile") as (context, _):
        context.add_cookies([studio.cookie])  # type: ignore[list-item]
        page = context.new_page()
        page.goto(f"{studio.url}/label")
        page.wait_for_selector("#unsent >> text=2 edits to an annotation are waiting in this browser")
        page.click("#unsent a")
        ready(page)
        saved(page)
    assert spans(segments_of(studio, annotation)) == [(0, 10, "reach"), (10, 20, "grasp"), (20, 30, "pour")]


def test_what_another_tab_does_is_seen_at_once(studio: KillableStudio, annotation: str, browser: Browser) -> None:
    with person(browser, studio) as context:
        first, second = tab(context, studio, annotation), tab(context, studio, annotation)
        first.bring_to_front()
        press(first, "Enter", ">", "1", ">", "2")
        saved(first)
        second.bring_to_front()
        second.wait_for_function("() => document.querySelectorAll('#segments [data-segment]').length === 2")
        press(second, "Tab", "3")
        saved(second)
        first.wait_for_function(
            "() => document.querySelector('#segments [data-segment] .what').innerText.includes('pour')"
        )
        assert spans(segments_of(studio, annotation)) == [(0, 10, "pour"), (10, 20, "grasp")]


def conflicting(context: BrowserContext, studio: KillableStudio, annotation: str) -> Page:
    """A tab that changed two segments without a connection, while another one changed the same."""
    page = tab(context, studio, annotation)
    press(page, "Enter", ">", "1", ">", "2", "Escape")
    saved(page)
    context.set_offline(True)
    press(page, "Shift+Tab", "4", "]", "Tab", "5")
    offline(page)
    now = segments_of(studio, annotation)
    other = [
        {"segment": one["segment"], "before": one["version"], "after": {**one, "label": "rest", "outcome": "failure"}}
        for one in now
    ]
    with client(studio) as opened:
        answer = opened.post(
            f"/api/annotations/{annotation}/operations",
            json={"operations": [{"operation": secrets.token_hex(16), "changes": other}]},
        )
        assert answer.status_code == 200, answer.text
    context.set_offline(False)
    page.wait_for_selector("#conflict")
    return page


def test_a_conflict_is_shown_and_each_segment_is_chosen(
    studio: KillableStudio, annotation: str, browser: Browser
) -> None:
    with person(browser, studio) as context:
        page = conflicting(context, studio, annotation)
        assert spans(segments_of(studio, annotation)) == [(0, 10, "rest"), (10, 20, "rest")]  # nothing is overwritten
        assert "place" in page.inner_text("#conflict") and "failure" in page.inner_text("#conflict")
        page.keyboard.press("Escape")
        assert page.locator("#conflict").is_visible()  # there is no way around choosing
        page.click("#conflict >> text=Use these choices")  # mine
        page.wait_for_selector("#conflict >> text=rest")  # the second segment's conflict
        page.check("#conflict input[value=theirs]")
        page.click("#conflict >> text=Use these choices")
        saved(page)
        made = segments_of(studio, annotation)
        assert spans(made) == [(1, 10, "place"), (10, 20, "rest")]
        assert [one["outcome"] for one in made] == [None, "failure"]
        texts = page.locator("#segments [data-segment] .what").all_inner_texts()
        assert [text.split()[0] for text in texts] == ["place", "rest"]


def test_undo_does_not_overwrite_what_another_tab_did_since(
    studio: KillableStudio, annotation: str, browser: Browser
) -> None:
    with person(browser, studio) as context:
        first = tab(context, studio, annotation)
        press(first, "Enter", ">", "1", "Escape", "2")
        saved(first)
        (now,) = segments_of(studio, annotation)
        with client(studio) as opened:
            change = {"segment": now["segment"], "before": now["version"], "after": {**now, "note": "look again"}}
            operation = {"operation": secrets.token_hex(16), "changes": [change]}
            opened.post(f"/api/annotations/{annotation}/operations", json={"operations": [operation]})
        first.wait_for_function("() => document.querySelector('#segments .mark:not(.head .mark)').innerText !== ''")
        press(first, "Control+z")
        first.wait_for_selector("#conflict")
        first.check("#conflict input[value=theirs]")
        first.click("#conflict >> text=Use these choices")
        saved(first)
        (kept,) = segments_of(studio, annotation)
        assert (kept["label"], kept["note"]) == ("grasp", "look again")


def test_the_history_is_seen_and_brought_back(studio: KillableStudio, annotation: str, browser: Browser) -> None:
    with person(browser, studio) as context:
        page = tab(context, studio, annotation)
        press(page, "Enter", ">", "1", ">", "2", "Escape", "Ctrl+a".replace("Ctrl", "Control"), "Delete")
        saved(page)
        assert segments_of(studio, annotation) == []
        late: list[Route] = []
        page.route("**/api/annotations/*?revision=3", lambda route: late.append(route))
        page.goto(f"{studio.url}/label/{annotation}/history")
        page.click("[data-look='2']")
        page.wait_for_selector("#looked-at >> text=Revision 2: 2 segments")
        with page.expect_response("**/api/annotations/*?revision=3"):
            late[0].continue_()
        page.wait_for_timeout(300)
        assert page.inner_text("#looked-at") == "Revision 2: 2 segments", "what was asked for first came last"
        assert page.locator("#then tr >> text=deleted").count() == 2
        page.click("#restore")
        ready(page)
        assert spans(segments_of(studio, annotation)) == [(0, 10, "reach"), (10, 20, "grasp")]
