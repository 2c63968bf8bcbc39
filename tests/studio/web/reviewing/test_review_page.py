"""The review page and the contributor's page, in a real browser on a recording that a check doubts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from annotate.gate.review import decide, next_to_review
from storage.catalog import CheckRecord, FailedTries, Reviews, Role
from storage.recordings.recording import State
from storage.workspace import Workspace
from tests.support.browser import accessibility_violations, opened_page, wait_until
from tests.support.playable_recordings import add_played
from tests.support.studio_server import Studio, new_account, running_studio, session_cookie
from tests.support.video_clips import make_clip

if TYPE_CHECKING:
    from playwright.sync_api import Browser

SECOND = 1_000_000_000
DARK = CheckRecord("brightness", 20.0, 40.0, 10.0, "doubt", "it is dark (20 of 255)", ((SECOND // 2, SECOND),))
STEADY = CheckRecord("camera_shake", 0.1, 1.0, 5.0, "pass", "the camera stands still")


@pytest.fixture
def studio(workspace: Workspace) -> Iterator[Studio]:
    with running_studio(workspace) as running:
        yield running


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return make_clip(tmp_path / "clip.mp4", frames=60)


def flagged(workspace: Workspace, clip: Path, seed: int = 0, contributor: str = "c001") -> str:
    return add_played(workspace, clip, seed=seed, contributor=contributor, state=State.FLAGGED, checks=(DARK, STEADY))


def test_a_reviewer_decides_with_one_key_and_the_contributor_reads_why(
    studio: Studio, workspace: Workspace, clip: Path, browser: Browser
) -> None:
    first, second, third = (flagged(workspace, clip, seed) for seed in range(3))
    new_account(workspace, "rosa", Role.REVIEWER)
    new_account(workspace, "carla", Role.CONTRIBUTOR, contributor="c001")
    with opened_page(browser, cookies=[session_cookie(studio, "rosa")]) as page:
        page.goto(f"{studio.url}/review")
        page.get_by_text("it is dark").wait_for()
        assert page.get_by_text("Turn on a light in front of you").is_visible()
        wait_until(page, "document.querySelector('video')?.readyState >= 2")
        assert accessibility_violations(page) == []
        page.keyboard.press("t")  # the text for what is doubted is chosen already
        page.get_by_text("Returned with advice").wait_for()
        page.get_by_text("2 waiting").wait_for()
        page.keyboard.press("w")
        page.keyboard.type("a, t and x are typed here and decide nothing")
        page.keyboard.press("Escape")
        page.keyboard.press("m")
        page.keyboard.press("x")
        page.get_by_text("Rejected.").wait_for()
        page.get_by_text("1 waiting").wait_for()
        page.keyboard.press("a")
        page.get_by_text("Nothing waits for you").wait_for()
        assert accessibility_violations(page) == []
    rows = {name: workspace.catalog.recording(name) for name in (first, second, third)}
    assert sorted(row.state for row in rows.values()) == [State.ACCEPTED, State.REJECTED, State.RETURNED]
    (returned,) = [name for name, row in rows.items() if row.state is State.RETURNED]
    (review,) = workspace.catalog.reviews(returned)
    assert (review.reviewer, review.named, review.ranges) == ("rosa", ["brightness"], DARK.ranges)
    (rejected,) = [name for name, row in rows.items() if row.state is State.REJECTED]
    assert "typed here" in workspace.catalog.reviews(rejected)[0].feedback
    with opened_page(browser, cookies=[session_cookie(studio, "carla")]) as page:
        page.goto(f"{studio.url}/mine")
        assert accessibility_violations(page) == []
        page.get_by_role("row").filter(has_text="please record it again").get_by_text("How to do better").click()
        page.get_by_text("Turn on a light in front of you").wait_for()
        page.get_by_role("button", name="0:00.5 – 0:01").click()
        wait_until(page, "document.querySelector('video')?.currentTime > 0.4")
        assert accessibility_violations(page) == []
        page.get_by_role("button", name="Take this recording back").click()
        assert accessibility_violations(page) == []
        page.get_by_role("button", name="Erase it").click()
        page.wait_for_url("**/mine?contributor=c001")
    assert workspace.catalog.recording(returned).state is State.ERASED
    assert not any(returned in key for key in workspace.objects.keys("recordings"))


def test_what_could_not_be_processed_is_shown_with_its_reason_and_not_accepted(
    studio: Studio, workspace: Workspace, clip: Path, browser: Browser
) -> None:
    recording = add_played(workspace, clip, contributor="c001", trajectory=False)
    for _ in range(3):
        FailedTries(workspace.catalog).enter(recording, why="it needed more than 4 GB of memory")
    new_account(workspace, "rosa", Role.REVIEWER)
    with opened_page(browser, cookies=[session_cookie(studio, "rosa")]) as page:
        page.goto(f"{studio.url}/review")
        page.get_by_text("nothing was checked: try 3 of 3 failed: it needed more than 4 GB of memory").wait_for()
        wait_until(page, "document.querySelector('video')?.readyState >= 2")
        assert accessibility_violations(page) == []
        page.keyboard.press("a")
        page.get_by_text("there is nothing to accept").wait_for()
        assert workspace.catalog.recording(recording).state is State.FLAGGED
        page.keyboard.press("w")
        page.keyboard.type("Please record it in a smaller size.")
        page.keyboard.press("Escape")
        page.keyboard.press("t")
        page.get_by_text("Returned with advice").wait_for()
    assert workspace.catalog.recording(recording).state is State.RETURNED


def test_what_a_reviewer_closed_the_laptop_on_is_theirs_again(
    studio: Studio, workspace: Workspace, clip: Path, browser: Browser
) -> None:
    flagged(workspace, clip)
    flagged(workspace, clip, 1)
    new_account(workspace, "rosa", Role.REVIEWER)
    new_account(workspace, "rolf", Role.REVIEWER)
    seen = []
    for name in ("rosa", "rosa", "rolf"):
        with opened_page(browser, cookies=[session_cookie(studio, name)]) as page:
            with page.expect_response("**/api/reviews/next") as answer:
                page.goto(f"{studio.url}/review")
            seen.append(answer.value.json()["recording"])
    assert seen[0] == seen[1] != seen[2]


def test_nobody_reviews_what_they_recorded_under_their_pseudonym(
    studio: Studio, workspace: Workspace, clip: Path
) -> None:
    own = flagged(workspace, clip)
    token = new_account(workspace, "carla", Role.CONTRIBUTOR, Role.REVIEWER, contributor="c001")
    assert next_to_review(workspace, "carla") is None
    with studio.client(token=token) as client:
        assert client.post("/api/reviews/next", json={}).status_code == 204
        assert client.post(f"/api/reviews/{own}/take").status_code == 409
        answer = client.post(f"/api/reviews/{own}/decide", json={"decision": "accept"})
        assert answer.status_code == 409 and "their own recording" in answer.json()["error"]
    assert workspace.catalog.recording(own).state is State.FLAGGED


def test_two_reviewers_decide_at_once_and_the_second_is_told(studio: Studio, workspace: Workspace, clip: Path) -> None:
    recording = flagged(workspace, clip)
    tokens = [new_account(workspace, name, Role.REVIEWER) for name in ("rosa", "rolf")]
    with studio.client(token=tokens[0]) as rosa, studio.client(token=tokens[1]) as rolf:
        assert rosa.post("/api/reviews/next", json={}).json()["recording"] == recording
        assert rolf.post("/api/reviews/next", json={}).status_code == 204
        assert rolf.post(f"/api/reviews/{recording}/decide", json={"decision": "accept"}).status_code == 409
        assert rosa.post("/api/reviews/renew").json()["recording"] == recording
        assert rosa.post(f"/api/reviews/{recording}/decide", json={"decision": "accept"}).status_code == 200
        assert rosa.post("/api/reviews/renew").status_code == 204
        assert rosa.post("/api/reviews/release").json() == {"recording": None}
        assert rosa.get("/api/reviews/queue").json()["waiting"] == 0


def test_a_recording_taken_back_while_it_is_reviewed_is_decided_on_no_more(
    studio: Studio, workspace: Workspace, clip: Path
) -> None:
    recording = flagged(workspace, clip)
    token = new_account(workspace, "rosa", Role.REVIEWER)
    mine = new_account(workspace, "carla", Role.CONTRIBUTOR, contributor="c001")
    with studio.client(token=token) as rosa, studio.client(token=mine) as carla:
        assert rosa.post("/api/reviews/next", json={}).json()["recording"] == recording
        taken = carla.post("/api/mine/take-back", json={"recordings": [recording]})
        assert taken.status_code == 200 and len(taken.json()["receipts"]) == 1
        assert rosa.post(f"/api/reviews/{recording}/decide", json={"decision": "accept"}).status_code in (404, 409)
        assert rosa.get(f"/api/recordings/{recording}/video").status_code == 410
        assert carla.get(f"/mine/{recording}").status_code == 404
    assert workspace.catalog.recording(recording).state is State.ERASED
    assert Reviews(workspace.catalog).queue() == []


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"decision": "maybe"},
        {"decision": "return"},
        {"decision": "return", "named": ["no such text"]},
        {"decision": "return", "words": "x", "ranges": [[0, 10**18]]},
        {"decision": "return", "words": "x", "ranges": [[5, 5]]},
        {"decision": "return", "words": "x", "ranges": [[-1, 5]]},
        {"decision": "return", "words": "x" * 5001},
        {"decision": "accept", "reviewer": "somebody else"},
    ],
)
def test_a_decision_that_will_not_do_is_refused_and_changes_nothing(
    studio: Studio, workspace: Workspace, clip: Path, wrong: dict[str, object]
) -> None:
    recording = flagged(workspace, clip)
    with studio.client() as client:
        assert client.post("/api/reviews/next", json={}).status_code == 200
        answer = client.post(f"/api/reviews/{recording}/decide", json=wrong)
        assert answer.status_code in (404, 422), answer.text
        nan = b'{"decision": "return", "words": "x", "ranges": [[NaN, 5]]}'
        assert client.post(f"/api/reviews/{recording}/decide", content=nan).status_code == 422
        for path in ("/api/reviews/../x/decide", "/api/reviews/x/decide", "/api/reviews/x/take"):
            assert client.post(path, json={"decision": "accept"}).status_code == 404
    assert workspace.catalog.recording(recording).state is State.FLAGGED
    assert workspace.catalog.reviews(recording) == []


def test_contributors_see_and_take_back_nothing_of_others(studio: Studio, workspace: Workspace, clip: Path) -> None:
    mine, theirs = flagged(workspace, clip), flagged(workspace, clip, 1, "c002")
    decide(workspace, theirs, "return", reviewer="rosa", words="Please smile.")
    token = new_account(workspace, "carla", Role.CONTRIBUTOR, contributor="c001")
    with studio.client(token=token) as client:
        listed = client.get("/mine").text
        assert mine in listed and theirs not in listed
        for path in (
            "/mine?contributor=c002",
            f"/mine/{theirs}",
            f"/api/recordings/{theirs}",
            f"/api/recordings/{theirs}/video",
        ):
            answer = client.get(path)
            assert answer.status_code == 404 and "smile" not in answer.text, path
        for wanted in (
            {"recordings": [theirs]},
            {"recordings": None, "contributor": "c002"},
            {"recordings": [mine, theirs]},
        ):
            assert client.post("/api/mine/take-back", json=wanted).status_code == 404
        declared = {"contributor": "c002", "attributes": {"handedness": "left"}}
        assert client.post("/api/mine/attributes", json=declared).status_code == 404
        for path in ("/review", "/api/reviews/queue", "/label", "/dashboard", "/people"):
            assert client.get(path).status_code in (403, 404), path
        del declared["contributor"]
        assert client.post("/api/mine/attributes", json=declared).json() == {"attributes": {"handedness": "left"}}
        declared["attributes"] = {"handedness": ""}
        assert client.post("/api/mine/attributes", json=declared).json() == {"attributes": {}}
        assert client.post("/api/mine/attributes", json={"attributes": {"religion": "x"}}).status_code == 422
    assert workspace.catalog.recording(theirs).state is State.RETURNED
    assert workspace.catalog.recording(mine).state is State.FLAGGED
    reviewer = new_account(workspace, "rosa", Role.REVIEWER)
    with studio.client(token=reviewer) as client:
        for path in ("/mine", f"/mine/{mine}", "/api/mine/take-back"):
            assert client.request("POST" if "api" in path else "GET", path, json={}).status_code == 403
