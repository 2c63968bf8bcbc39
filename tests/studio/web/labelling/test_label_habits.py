"""What an annotator makes of the page: keys of their own, dialogs that follow each other, edges where motion rests,
a browser that is full."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.browser import fill_storage, opened_page, painted, refuse_storage, wait_until
from tests.support.label_page import (
    Room,
    add_labelled,
    begin,
    labelled_room,
    labelling,
    open_label_page,
    ready,
    saved,
    segments_of,
)

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Route

SEEDS = count()


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory, body_clip: Path) -> Iterator[Room]:
    with labelled_room(tmp_path_factory.mktemp("habits"), body_clip, width=320) as made:
        yield made


@pytest.fixture
def annotation(room: Room) -> str:
    """Of a recording that no other test has."""
    studio, _, clip = room
    return begin(studio, add_labelled(studio.workspace, clip, seed=next(SEEDS)))


def change_key(page: Page, action: str, key: str) -> None:
    page.keyboard.press("?")
    page.click(f"#keys-help button[aria-label^='Change the key of: {action} (']")
    page.keyboard.press(key)
    page.click("#keys-help button.main")


def label_offline_in_a_full_browser(page: Page) -> None:
    """Label a segment where localStorage has no room and the server cannot be reached."""
    fill_storage(page)
    page.context.set_offline(True)
    for key in ("Enter", ">", "1"):
        page.keyboard.press(key)


def test_keys_are_changed_kept_and_given_back(room: Room, browser: Browser, annotation: str) -> None:
    studio, cookie, _ = room
    with labelling(browser, studio, cookie, annotation) as page:
        change_key(page, "Undo", "F8")
        for key in ("Enter", ">", "1", ">", "2", "F8"):
            page.keyboard.press(key)
        saved(page)
        assert [one["label"] for one in segments_of(studio, annotation)] == ["reach"]
        page.reload()
        ready(page)
        for key in (">", ">", "Enter", ">", "3", "Control+z"):  # no longer undo
            page.keyboard.press(key)
        saved(page)
        assert len(segments_of(studio, annotation)) == 2
        page.keyboard.press("F8")
        saved(page)
        page.wait_for_function("() => document.querySelectorAll('#segments [data-segment]').length === 1")
        change_key(page, "Undo", "Enter")
        page.wait_for_selector("#notices >> text=Enter is taken by")
        page.keyboard.press("?")
        page.click("#keys-help >> text=Restore the default keys")
        assert page.inner_text("#keys-help button[aria-label^='Change the key of: Undo (']") == "Ctrl+z"
        page.click("#keys-help button.main")
        page.keyboard.press("?")
        fill_storage(page)
        page.click("#keys-help button[aria-label^='Change the key of: Undo (']")
        page.keyboard.press("F9")
        page.wait_for_selector("#notices >> text=the browser's storage is full")


def close_and_press(page: Page, close: str, key: str) -> None:
    """Close a dialog (by JavaScript) and press a key before the browser tells the page that it is closed."""
    press = 'new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true })'
    page.evaluate(f"(key) => {{ {close}; document.activeElement.dispatchEvent({press}); }}", key)
    painted(page)


def test_a_dialog_opens_and_answers_as_soon_as_the_one_before_is_closed(
    room: Room, browser: Browser, annotation: str
) -> None:
    studio, cookie, _ = room
    with labelling(browser, studio, cookie, annotation) as page:
        page.keyboard.press("?")
        for close in ("querySelector('#keys-help button.main').click()", "getElementById('keys-help').close()"):
            close_and_press(page, f"document.{close}", "?")
            assert page.locator("#keys-help").is_visible(), close
        page.keyboard.press("?")
        assert page.locator("#keys-help").count() == 0
        for key in ("Enter", ">", "1", "t"):
            page.keyboard.press(key)
        page.keyboard.type("gra")
        close_and_press(page, "document.querySelector('#picker form').requestSubmit()", "t")
        page.keyboard.type("pou")
        page.keyboard.press("Enter")
        saved(page)
        assert [one["label"] for one in segments_of(studio, annotation)] == ["pour"]
        page.keyboard.press("g")
        page.keyboard.type("f60")
        close_and_press(page, "document.querySelector('#go-to button').click()", "g")
        wait_until(page, "document.querySelector('.player-frame').value === '60'", seconds=10)
        page.keyboard.type("f30")
        close_and_press(page, "document.querySelector('#go-to').close()", "g")  # as by Esc
        page.keyboard.type("f40")
        page.keyboard.press("Enter")
        wait_until(page, "document.querySelector('.player-frame').value === '40'", seconds=10)


@pytest.mark.parametrize("how", ["full", "refused"])
def test_the_page_does_all_it_does_where_the_browser_keeps_nothing(
    room: Room, browser: Browser, annotation: str, how: str
) -> None:
    studio, cookie, _ = room
    with opened_page(browser, cookies=[cookie]) as page:
        if how == "refused":
            refuse_storage(page)
        open_label_page(page, studio, annotation)
        if how == "full":
            fill_storage(page)
        page.wait_for_function("() => /proposals/.test(document.getElementById('counts').innerText)")
        before = int(re.findall(r"(\d+) proposals", page.inner_text("#counts"))[0])
        for key in ("a", "x"):
            page.keyboard.press(key)
        page.wait_for_selector(f"#counts >> text={before - 1} proposals")
        page.fill("#lag", "200")
        page.locator("#lag").press("Tab")
        page.get_by_label("body", exact=True).uncheck()
        theme = page.get_attribute("html", "data-theme")
        page.click("#theme")
        assert page.get_attribute("html", "data-theme") != theme
        page.focus("#timeline")
        for key in ("Escape", "Home", "Enter", ">", "1"):
            page.keyboard.press(key)
        saved(page)
        assert [one["label"] for one in segments_of(studio, annotation)] == ["reach"]
        change_key(page, "Undo", "F9")
        page.wait_for_selector("#notices >> text=the browser's storage is full or refused")
        page.keyboard.press("?")
        page.click("#keys-help >> text=Restore the default keys")


def test_with_alt_an_edge_goes_to_a_moment_of_least_motion(room: Room, browser: Browser, annotation: str) -> None:
    studio, cookie, _ = room
    minimum = 3_000_000_000

    def told(route: Route) -> None:
        """The generated motion never pauses: let it pause once."""
        answer = route.fetch()
        route.fulfill(response=answer, json=answer.json() | {"minima_ns": [minimum], "proposals": []})

    with opened_page(browser, cookies=[cookie]) as page:
        page.route("**/proposals", told)
        with page.expect_response("**/proposals"):
            open_label_page(page, studio, annotation)
        box = page.locator("#timeline").bounding_box()
        assert box is not None
        duration = float(page.evaluate("() => document.querySelector('video').duration")) * 1e9

        def at(ns: float) -> tuple[float, float]:
            return box["x"] + 92 + (box["width"] - 92) * ns / duration, box["y"] + 38 + (box["height"] - 38) / 8

        page.keyboard.press("1")  # arms the label
        for held in (False, True):
            page.mouse.move(*at(minimum - 1.5e9))
            page.mouse.down()
            if held:
                page.keyboard.down("Alt")
            x, y = at(minimum)
            page.mouse.move(x + 6, y, steps=5)
            page.mouse.up()
            if held:
                page.keyboard.up("Alt")
            saved(page)
            (made,) = segments_of(studio, annotation)
            assert (abs(made["end_ns"] - minimum) < 17e6) == held, (made, minimum)
            page.keyboard.press("Control+z")
            page.keyboard.press("1")


def test_edits_that_localstorage_has_no_room_for_outlive_the_page_on_the_disk(
    room: Room, browser: Browser, annotation: str
) -> None:
    studio, cookie, _ = room
    with opened_page(browser, cookies=[cookie], expected="ERR_INTERNET_DISCONNECTED") as page:
        open_label_page(page, studio, annotation)
        label_offline_in_a_full_browser(page)
        page.wait_for_selector("#saved:has-text('1 edit is waiting in this browser')")
        page.goto("about:blank")
        page.context.set_offline(False)
        open_label_page(page, studio, annotation)
        saved(page)
        assert [one["label"] for one in segments_of(studio, annotation)] == ["reach"]


def test_edits_that_a_full_browser_cannot_keep_are_told_and_saved_later(
    room: Room, browser: Browser, annotation: str
) -> None:
    studio, cookie, _ = room
    with opened_page(browser, cookies=[cookie], expected="ERR_INTERNET_DISCONNECTED") as page:
        # as in private windows of some browsers
        page.add_init_script("Object.defineProperty(globalThis, 'indexedDB', { value: undefined })")
        open_label_page(page, studio, annotation)
        label_offline_in_a_full_browser(page)
        page.wait_for_selector("#saved:has-text('only in this page, because the browser')")
        assert page.evaluate("() => !dispatchEvent(new Event('beforeunload', { cancelable: true }))"), "it asks to stay"
        page.context.set_offline(False)
        saved(page)
        assert [one["label"] for one in segments_of(studio, annotation)] == ["reach"]


def test_a_browser_that_forgets_what_sites_keep_keeps_what_comes_after(
    room: Room, browser: Browser, annotation: str
) -> None:
    studio, cookie, _ = room
    with opened_page(browser, cookies=[cookie], expected="ERR_INTERNET_DISCONNECTED") as page:
        open_label_page(page, studio, annotation)
        forget = {"origin": studio.url, "storageTypes": "indexeddb"}
        page.context.new_cdp_session(page).send("Storage.clearDataForOrigin", forget)
        label_offline_in_a_full_browser(page)
        page.wait_for_selector("#saved:has-text('1 edit is waiting in this browser')")
