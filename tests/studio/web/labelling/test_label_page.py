"""The label page in a real browser: a recording labelled by keys alone, undo, proposals, the mouse, other scripts."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from storage.tasks.task import Labels
from storage.workspace import create_workspace
from tests.support.browser import accessibility_violations, painted
from tests.support.label_page import Room, add_labelled, begin, labelled_room, labelling, ready, saved, segments_of
from tests.support.studio_server import running_studio, session_cookie
from tests.support.video_clips import make_clip, uneven_times

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

KEY_TO_PAINT_MS = 50


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory, body_clip: Path) -> Iterator[Room]:
    with labelled_room(tmp_path_factory.mktemp("label"), body_clip) as made:
        yield made


def press(page: Page, *keys: str) -> None:
    """Press keys one after another; each is settled before the next, as a person's are."""
    for key in keys:
        page.keyboard.press(key)
        painted(page)


def spans(segments: list[dict[str, Any]]) -> list[tuple[int, int, str]]:
    return [(one["start_frame"], one["end_frame"], one["label"]) for one in segments]


def key_times(page: Page) -> list[float]:
    found: list[float] = page.evaluate("() => performance.getEntriesByName('key to paint').map((one) => one.duration)")
    return found


def test_a_real_recording_is_labelled_wholly_by_keys_and_a_reload_in_the_middle_loses_nothing(
    room: Room, browser: Browser
) -> None:
    studio, cookie, clip = room
    annotation = begin(studio, add_labelled(studio.workspace, clip, seed=1))
    with labelling(browser, studio, cookie, annotation) as page:
        press(page, "Enter", ">", ">", ">", ">", "1", ">", ">", "2")
        saved(page)
        page.reload()
        ready(page)
        assert page.locator("#segments [data-segment]").count() == 2
        press(page, "g")
        page.keyboard.type("f60")
        press(page, "Enter", "Enter", ">", ">", ">", ">", "3", ">", ">", ">", "Enter", "End", "4")
        press(page, "t")
        page.keyboard.type("gla")  # an object for the last one, by type-ahead
        press(page, "Enter", "y")
        saved(page)
        assert spans(segments_of(studio, annotation)) == [
            (0, 40, "reach"), (40, 60, "grasp"), (60, 100, "pour"), (100, 130, "pour"), (130, 230, "place"),
        ]  # fmt: skip
        last = segments_of(studio, annotation)[-1]
        assert (last["object"], last["outcome"]) == ("glass", "success")
        page.wait_for_selector("#counts >> text=5 segments · 0 gaps · 0 overlaps")
        times = sorted(key_times(page))
        assert len(times) > 20
        assert times[len(times) // 2] < KEY_TO_PAINT_MS, times  # the slowest say more of what else the machine does


def test_one_key_a_segment_is_enough_while_it_plays(room: Room, browser: Browser) -> None:
    studio, cookie, clip = room
    annotation = begin(studio, add_labelled(studio.workspace, clip, seed=2))
    with labelling(browser, studio, cookie, annotation) as page:
        press(page, "Enter", "Space")
        for key in "12312":
            page.wait_for_timeout(900)  # the performer does something else now
            page.keyboard.press(key)
        press(page, "k")
        saved(page)
        made = segments_of(studio, annotation)
        assert [one["label"] for one in made] == ["reach", "grasp", "pour", "reach", "grasp"]
        assert all(before["end_frame"] == after["start_frame"] for before, after in pairwise(made))
        page.wait_for_selector("#counts >> text=1.6 keys per segment")  # eight keys for five


def test_the_lag_of_a_person_is_taken_off_while_it_plays(room: Room, browser: Browser) -> None:
    studio, cookie, clip = room
    annotation = begin(studio, add_labelled(studio.workspace, clip, seed=3))
    with labelling(browser, studio, cookie, annotation) as page:
        page.fill("#lag", "500")
        page.locator("#lag").blur()
        page.focus("#timeline")
        press(page, "Enter", "1")  # at rest there is no lag
        press(page, "Space")
        page.wait_for_timeout(1500)
        before = int(page.input_value(".player-frame"))
        page.keyboard.press("1")
        press(page, "k")
        saved(page)
        (made,) = segments_of(studio, annotation)
        assert made["start_frame"] == 0
        assert before - 15 - 1 <= made["end_frame"] <= int(page.input_value(".player-frame")) - 15 + 1


def test_everything_is_undone_to_the_beginning_and_done_again_to_the_end(room: Room, browser: Browser) -> None:
    studio, cookie, clip = room
    annotation = begin(studio, add_labelled(studio.workspace, clip, seed=4))
    with labelling(browser, studio, cookie, annotation) as page:
        press(page, "Enter", ">", ">", "1", ">", ">", "2", ">", ">", "3", "Escape")
        press(page, "Tab", "}", "{", "]", "[", "u", "b")
        press(page, ",", ",", ",", ",", "<", "s", "m", "e", "Shift+Tab", "Delete", "ArrowDown", "i", ">", "o")
        saved(page)
        end = segments_of(studio, annotation)
        steps = 0
        while page.inner_text("#told") != "nothing to undo":
            press(page, "Control+z")
            steps += 1
        saved(page)
        assert steps > 12
        assert segments_of(studio, annotation) == []
        while page.inner_text("#told") != "nothing to redo":
            press(page, "Control+Shift+z")
        saved(page)
        again = segments_of(studio, annotation)
        assert [one | {"version": 0} for one in again] == [one | {"version": 0} for one in end]


def test_edges_are_dragged_and_snap_and_segments_are_drawn(room: Room, browser: Browser) -> None:
    studio, cookie, clip = room
    annotation = begin(studio, add_labelled(studio.workspace, clip, seed=5))
    with labelling(browser, studio, cookie, annotation) as page:
        box = page.locator("#timeline").bounding_box()
        assert box is not None

        def at(frame: float, track: int) -> tuple[float, float]:
            x = box["x"] + 92 + (box["width"] - 92) * frame / 230
            return x, box["y"] + 38 + (track + 0.5) * (box["height"] - 38) / 4

        def drag(begins: tuple[float, float], ends: tuple[float, float], *held: str) -> None:
            for key in held:
                page.keyboard.down(key)
            page.mouse.move(*begins)
            page.mouse.down()
            page.mouse.move((begins[0] + ends[0]) / 2, ends[1], steps=3)
            page.mouse.move(*ends, steps=3)
            page.mouse.up()
            for key in held:
                page.keyboard.up(key)
            saved(page)

        press(page, "1")  # arms the label
        drag(at(20, 0), at(60, 0))
        drag(at(70, 0), at(100, 0))
        first, second = segments_of(studio, annotation)
        drawn = first["start_frame"], first["end_frame"], second["start_frame"], second["end_frame"]
        assert drawn == pytest.approx((20, 60, 70, 100), abs=1)
        drag(at(99.6, 0), at(140, 0))
        second = segments_of(studio, annotation)[1]
        assert (second["start_frame"], second["end_frame"]) == pytest.approx((70, 140), abs=1)
        drag((at(second["start_frame"], 0)[0] + 2, at(0, 0)[1]), (at(first["end_frame"], 0)[0] + 6, at(0, 0)[1]), "Alt")
        first, second = segments_of(studio, annotation)
        assert second["start_frame"] == first["end_frame"]  # it snapped
        drag((at(second["start_frame"], 0)[0] + 2, at(0, 0)[1]), at(90, 0), "Shift")
        first, second = segments_of(studio, annotation)
        assert second["start_frame"] == first["end_frame"] and abs(first["end_frame"] - 90) <= 1  # both moved
        press(page, "Control+z")
        saved(page)
        first, second = segments_of(studio, annotation)
        assert first["end_frame"] == second["start_frame"] != 90  # both at once


def test_labels_of_every_script_are_typed_shown_and_kept(browser: Browser, tmp_path: Path) -> None:
    workspace = create_workspace(tmp_path / "open")
    clip = make_clip(tmp_path / "clip.mp4", times=uneven_times(60), size=(320, 240))
    recording = add_labelled(workspace, clip, labels=Labels())
    with running_studio(workspace) as own:
        annotation = begin(own, recording)
        with labelling(browser, own, session_cookie(own), annotation) as page:
            for label in ("יציקת מים", "取る 🫗", "صبّ الماء في الكأس", "👩🏽‍🔧 réparer"):
                press(page, "i", ">", "t")
                page.keyboard.insert_text(label)
                press(page, "Enter", ".", "Escape", "Escape")
            saved(page)
            assert [one["label"] for one in segments_of(own, annotation)] == [
                "יציקת מים", "取る 🫗", "صبّ الماء في الكأس", "👩🏽‍🔧 réparer",
            ]  # fmt: skip
            page.locator("#segments [data-segment]").first.click()
            page.fill("#segment [name=label]", "x" * 100_000)
            page.locator("#segment [name=label]").press("Tab")
            saved(page)
            assert segments_of(own, annotation)[0]["label"] == "x" * 100  # as much as a label may have
    workspace.catalog.close()


def test_a_word_that_the_task_does_not_know_is_taken_back_with_the_reason(room: Room, browser: Browser) -> None:
    studio, cookie, clip = room
    annotation = begin(studio, add_labelled(studio.workspace, clip, seed=6))
    from tests.support.browser import opened_page
    from tests.support.label_page import open_label_page

    with pytest.raises(AssertionError, match="422"), opened_page(browser, cookies=[cookie]) as page:
        open_label_page(page, studio, annotation)
        press(page, "1", "Enter", ">", "Enter")
        page.fill("#segment [name=label]", "graps")
        page.locator("#segment [name=label]").press("Tab")
        page.wait_for_selector("#notices >> text=did you mean 'grasp'?")
        saved(page)
        assert page.input_value("#segment [name=label]") == "reach"
        page.focus("#timeline")
        press(page, "2")
        saved(page)
        assert spans(segments_of(studio, annotation)) == [(0, 10, "grasp")]


def test_the_page_is_accessible_in_light_and_dark(room: Room, browser: Browser) -> None:
    studio, cookie, clip = room
    annotation = begin(studio, add_labelled(studio.workspace, clip, seed=7))
    with labelling(browser, studio, cookie, annotation) as page:
        press(page, "Enter", ">", ">", "1", ">", "2")
        saved(page)
        for _ in range(2):
            assert accessibility_violations(page) == []
            press(page, "t")
            assert accessibility_violations(page) == []
            press(page, "Escape", "?")
            assert accessibility_violations(page) == []
            press(page, "Escape")
            page.click("#theme")
            page.focus("#timeline")
        for path in ("/label", f"/label/{annotation}/history"):
            page.goto(studio.url + path)
            page.wait_for_load_state("networkidle")
            for _ in range(2):
                assert accessibility_violations(page) == []
                page.click("#theme")


def test_keys_leave_the_timeline_for_all_parts_of_the_page(room: Room, browser: Browser) -> None:
    studio, cookie, clip = room
    annotation = begin(studio, add_labelled(studio.workspace, clip, seed=8))
    with labelling(browser, studio, cookie, annotation) as page:
        press(page, "Enter", ">", "1", ">", "2", "Shift+Tab")
        focused = "() => document.activeElement.id || document.activeElement.name"
        assert page.evaluate(focused) == "timeline"
        seen = []
        for _ in range(4):
            press(page, "F6")
            seen.append(page.evaluate(focused))
        assert seen[:2] == ["segments", "label"] and seen[-1] == "timeline"
        page.focus("#segments")
        press(page, "ArrowDown")
        assert page.locator("#segments [aria-selected=true] .what").inner_text().startswith("grasp")
        press(page, "Tab")
        assert page.evaluate(focused) != "segments"  # no trap
