"""The adjudication page in a real browser: where two people differ is decided by keys, and nothing else is touched."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from storage.catalog import Role
from storage.tasks.task import LabellingRules
from storage.workspace import create_workspace
from tests.support.browser import accessibility_violations, opened_page, wait_until
from tests.support.differing_annotators import labelled_by
from tests.support.label_page import LABELS, add_labelled, h264, ready, saved, segments_of
from tests.support.studio_server import Studio, new_account, running_studio, session_cookie
from tests.support.submitted_takes import TASK

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

LEFT = {"track": "left hand"}
TITLE = "Pour water from a bottle into a glass"


@dataclass
class Room:
    """A studio in which three annotators are known, and a real clip."""

    studio: Studio
    clip: Path
    tokens: dict[str, str]
    count: int = 0

    def differing(self) -> str:
        """A recording that ben and carla have labelled differently at four places."""
        self.count += 1
        place = self.studio.workspace
        recording = add_labelled(place, self.clip, seed=self.count)
        bottle, glass = {"object": "bottle"}, {"object": "glass"}
        labelled_by(
            place, recording, "ben", (0, 40, "reach"), (40, 60, "grasp"), (60, 130, "pour", bottle),
            (150, 170, "place", LEFT),
        )  # fmt: skip
        labelled_by(
            place, recording, "carla", (0, 42, "reach"), (40, 60, "pour"), (60, 150, "pour", glass), (180, 210, "rest")
        )
        return recording

    def begin(self, recording: str, who: str = "dora") -> str:
        with self.studio.client(token=self.tokens[who]) as client:
            answer = client.post(f"/api/recordings/{recording}/annotations", json={"purpose": "adjudicate"})
            assert answer.status_code in (200, 201), answer.text
            return str(answer.json()["annotation"])

    @contextmanager
    def open(self, browser: Browser, annotation: str, **options: Any) -> Iterator[Page]:
        cookie = session_cookie(self.studio, "dora")
        with opened_page(browser, cookies=[cookie], **options) as page:
            page.goto(f"{self.studio.url}/adjudicate/{annotation}")
            ready(page)
            yield page

    def made(self, annotation: str) -> list[tuple[int, int, str, str | None, str]]:
        return [
            (one["start_frame"], one["end_frame"], one["label"], one["object"], one["track"])
            for one in segments_of(self.studio, annotation)
        ]


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory, body_clip: Path) -> Iterator[Room]:
    folder = tmp_path_factory.mktemp("adjudicate")
    workspace = create_workspace(folder / "workspace")
    twice = {"labels": LABELS, "title": TITLE, "labelling": LabellingRules(double_share=1)}
    workspace.catalog.add_task(TASK.model_copy(update=twice))
    tokens = {name: new_account(workspace, name, Role.ANNOTATOR) for name in ("ben", "carla", "dora")}
    with running_studio(workspace) as studio:
        yield Room(studio, h264(body_clip, folder / "real.mp4"), tokens)
    workspace.catalog.close()


def current(page: Page) -> int:
    found: int = page.evaluate(
        "() => [...document.querySelectorAll('.difference')].findIndex((one) => one.hasAttribute('aria-current'))"
    )
    return found


def test_a_third_person_decides_every_place_by_one_key_each_and_is_done(room: Room, browser: Browser) -> None:
    recording = room.differing()
    cookie = session_cookie(room.studio, "dora")
    with opened_page(browser, cookies=[cookie]) as page:
        page.goto(f"{room.studio.url}/label")
        page.click("nav >> text=Adjudicate")
        page.wait_for_url("**/adjudicate")
        ready(page)
        page.keyboard.press("Enter")  # what waits longest has the focus
        page.wait_for_url("**/adjudicate/*")
        ready(page)
        annotation = page.url.rsplit("/", 1)[1]
        assert room.made(annotation) == [(0, 40, "reach", None, "task phase")], "what both agree on is in already"
        assert page.locator(".difference").count() == 4
        assert page.locator(".difference .badge.doubt").all_inner_texts() == [
            "label", "object", "end", "missing", "missing",
        ]  # fmt: skip
        assert current(page) == 0
        wait_until(page, "!document.querySelector('.player video').paused")
        page.keyboard.press("Control+Enter")
        assert "4 of 4 places are not decided yet" in page.inner_text("#notices")
        for place, key in enumerate("1210"):
            assert current(page) == place
            page.keyboard.press(key)
        saved(page)
        assert page.inner_text("#left").startswith("Everything is decided")
        assert page.locator(".difference .badge.good").all_inner_texts() == [
            "✓ first", "✓ second", "✓ first", "✓ neither",
        ]  # fmt: skip
        page.keyboard.press("Control+Enter")
        page.wait_for_url("**/adjudicate")
        assert page.inner_text("tbody .badge") == "done"
    assert room.made(annotation) == [
        (0, 40, "reach", None, "task phase"),
        (40, 60, "grasp", None, "task phase"),
        (60, 150, "pour", "glass", "task phase"),
        (150, 170, "place", None, "left hand"),
    ]
    found = room.studio.workspace.catalog.publishable().to_pylist()
    assert [row["label"] for row in found if row["recording"] == recording] == ["reach", "grasp", "pour", "place"]


def test_a_choice_is_one_operation_can_be_changed_and_is_there_after_a_reload(room: Room, browser: Browser) -> None:
    annotation = room.begin(room.differing())
    with room.open(browser, annotation) as page:
        page.keyboard.press("n")
        page.keyboard.press("n")
        page.keyboard.press("p")
        assert current(page) == 1
        page.keyboard.press("1")
        assert current(page) == 2, "on to the next that is not decided"
        page.keyboard.press("x")
        saved(page)
        page.reload()
        ready(page)
        assert current(page) == 0
        assert page.locator(".difference .badge.good").all_inner_texts() == ["✓ first", "✓ neither"]
        page.locator(".difference").nth(1).click()
        page.keyboard.press("2")
        page.locator(".difference").nth(1).click()
        page.keyboard.press("2")
        saved(page)
        with room.studio.client() as client:
            log = client.get(f"/api/annotations/{annotation}/history").json()["operations"]
        assert [one["kind"] for one in log] == ["edit"] * 3 + ["begin"], "what is decided already is not said again"
        assert [one["who"] for one in log] == ["dora"] * 4
        page.keyboard.press("e")
        page.wait_for_url(f"**/label/{annotation}")
        ready(page)
        assert page.locator("#segments [data-segment]").count() == 2
        page.click("text=Differences")
        page.wait_for_url(f"**/adjudicate/{annotation}")
        ready(page)


def test_what_was_changed_elsewhere_is_asked_about_and_never_overwritten(room: Room, browser: Browser) -> None:
    annotation = room.begin(room.differing())
    with room.open(browser, annotation, expected="409") as page, room.studio.client(token=room.tokens["dora"]) as other:
        page.route("**/operations", lambda route: None)  # a slow line: ours is on its way when theirs arrives
        page.reload()  # a page that is open already may still send past the route for a while
        ready(page)
        page.evaluate("() => { EventSource.prototype.addEventListener = () => {}; }")
        told = other.get(f"/api/adjudications/{annotation}").json()["differences"][0]
        changes = [{"segment": told["segment"], "before": None, "after": told["second"]}]
        page.keyboard.press("1")
        sent = other.post(
            f"/api/annotations/{annotation}/operations",
            json={"operations": [{"operation": "a" * 32, "changes": changes}]},
        )
        assert sent.status_code == 200, sent.text
        page.unroute("**/operations")
        page.reload()
        page.wait_for_selector("#conflict")
        assert page.locator("#conflict mark").all_inner_texts() == ["grasp", "pour"]
        page.click("text=Use these choices")
        saved(page)
        wait_until(page, "document.querySelector('.difference .badge.good').innerText === '✓ first'")
    assert room.made(annotation)[1] == (40, 60, "grasp", None, "task phase")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("width", "height"), [(1280, 720), (3840, 2160)])
def test_it_is_accessible_and_fits_the_screen(
    room: Room, browser: Browser, scheme: str, width: int, height: int, tmp_path: Path
) -> None:
    recording = room.differing()
    annotation = room.begin(recording)
    with room.open(browser, annotation, color_scheme=scheme, width=width, height=height) as page:
        page.keyboard.press("1")
        page.keyboard.press("k")
        saved(page)
        assert accessibility_violations(page) == []
        page.screenshot(path=tmp_path / f"{scheme}-{width}.png")
        assert page.evaluate("document.documentElement.scrollHeight <= innerHeight")
        page.goto(f"{room.studio.url}/adjudicate")
        assert accessibility_violations(page) == []
        page.screenshot(path=tmp_path / f"home-{scheme}-{width}.png")


def test_only_who_is_neither_of_the_two_or_an_operator_adjudicates(room: Room) -> None:
    recording = room.differing()
    studio = room.studio
    studio.workspace.catalog.add_contributor("else")
    tokens = room.tokens | {
        "rita": new_account(studio.workspace, "rita", Role.REVIEWER),
        "emil": new_account(studio.workspace, "emil", Role.CONTRIBUTOR, contributor="else"),
        "eve": new_account(studio.workspace, "eve", Role.ANNOTATOR),
    }

    def status(who: str, path: str) -> int:
        with studio.client(token=tokens[who]) as client:
            return client.get(path).status_code

    def offered(who: str) -> bool:
        with studio.client(token=tokens[who]) as client:
            return recording in client.get("/adjudicate").raise_for_status().text

    assert [offered(who) for who in ("ben", "carla", "dora", "eve")] == [False, False, True, True]
    annotation = room.begin(recording)
    assert not offered("eve"), "dora has it"
    for path in (f"/adjudicate/{annotation}", f"/api/adjudications/{annotation}"):
        found = {who: status(who, path) for who in ("dora", "ben", "carla", "eve", "rita", "emil")}
        assert found == {"dora": 200, "ben": 403, "carla": 403, "eve": 403, "rita": 403, "emil": 403}, path
    for who in ("rita", "emil"):
        assert status(who, "/adjudicate") == 403
    with studio.client(token=None) as client:
        assert client.get("/adjudicate").status_code == 303
        assert client.get(f"/api/adjudications/{annotation}").status_code == 401
    with studio.client() as olivia:
        assert olivia.get(f"/adjudicate/{annotation}").status_code == 200
        assert olivia.get("/adjudicate/nonsense").status_code == 404
        side = olivia.get(f"/api/adjudications/{annotation}").json()["sides"][0]["annotation"]
        assert olivia.get(f"/adjudicate/{side}").status_code == 409, "it is no adjudication"
        nothing = [{"segment": "f" * 16, "before": None, "after": None}]
        sent = {"operations": [{"operation": "b" * 32, "changes": nothing}]}
        assert olivia.post(f"/api/annotations/{annotation}/operations", json=sent).status_code == 200
    own = add_labelled(studio.workspace, room.clip, seed=1000, contributor="dora")
    labelled_by(studio.workspace, own, "ben", (0, 40, "reach"))
    labelled_by(studio.workspace, own, "carla", (0, 40, "grasp"))
    with studio.client(token=tokens["dora"]) as client:
        assert own not in client.get("/adjudicate").text, "nobody decides on their own recording"
        answer = client.post(f"/api/recordings/{own}/annotations", json={"purpose": "adjudicate"})
        assert answer.status_code == 409


def test_a_label_annotation_still_refuses_a_change_that_does_nothing(room: Room) -> None:
    recording = add_labelled(room.studio.workspace, room.clip, seed=2000)
    record = labelled_by(room.studio.workspace, recording, "ben", done=False)
    nothing = {"operation": "c" * 32, "changes": [{"segment": "f" * 16, "before": None, "after": None}]}
    with room.studio.client(token=room.tokens["ben"]) as client:
        answer = client.post(f"/api/annotations/{record.annotation}/operations", json={"operations": [nothing]})
        assert answer.status_code == 422
