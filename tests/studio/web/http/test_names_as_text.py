"""Whatever people are named, say or call their devices is shown as text: no script in it runs, in a real browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from annotate.gate.review import decide
from storage.catalog import CheckRecord
from storage.recordings.recording import State
from storage.tasks.task import Labels
from storage.workspace import Workspace, create_workspace
from tests.support.browser import opened_page, wait_until
from tests.support.filled_studio import Filled, fill
from tests.support.playable_recordings import add_played
from tests.support.studio_server import Studio, running_studio, session_cookie
from tests.support.submitted_takes import TASK
from tests.support.video_clips import make_clip

if TYPE_CHECKING:
    from playwright.sync_api import Browser

SVG = "\"'></script><svg onload=window.ran=1><script>window.ran=1</script>"
"""What a name may be at its worst, in a form that ends attributes, scripts and elements."""
HEBREW = "מזיגת מים 💧"


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Studio, Filled, str]]:
    """A studio whose texts are all scripts; also gives a recording that was returned with such words."""
    folder = tmp_path_factory.mktemp("names")
    workspace = create_workspace(folder / "workspace")
    labels = Labels(verbs=("reach", SVG[:90]), objects=(SVG[:90],))
    content = fill(workspace, folder, labels=labels)
    task = TASK.model_copy(update={"labels": labels, "title": SVG, "instructions": SVG, "consent": SVG})
    decide(workspace, content.flagged, "accept", reviewer="rosa")  # what waits then has such words
    returned = _returned(workspace, folder)
    workspace.catalog.add_task(task)
    with running_studio(workspace) as studio:
        _say(studio, content)
        yield studio, content, returned
    workspace.catalog.close()


def _returned(workspace: Workspace, folder: Path) -> str:
    told = CheckRecord("brightness", 20.0, 40.0, 10.0, "doubt", SVG, ((0, 500_000_000),))
    clip = make_clip(folder / "clip.mp4", frames=30)
    recording = add_played(workspace, clip, seed=2, contributor="c001", state=State.FLAGGED, checks=(told,))
    decide(workspace, recording, "return", reviewer="rosa", words=SVG, ranges=[(0, 500_000_000)])
    add_played(workspace, clip, seed=3, contributor="c002", state=State.FLAGGED, checks=(told,))
    return recording


def _say(studio: Studio, content: Filled) -> None:
    """Send scripts wherever somebody may write something."""
    with studio.client(token=None) as stranger:
        assert stranger.post("/sign-in", data={"account": SVG, "password": SVG}).status_code == 401
    with studio.client(token=content.tokens["anna"]) as anna:
        assert anna.post("/api/account/tokens", json={"name": SVG[:64]}).status_code == 201
        after = {"track": "task phase", "start_ns": 0, "end_ns": 300_000_000, "label": "reach", "note": SVG}
        sent = {"operation": "a" * 32, "changes": [{"segment": "0" * 16, "before": None, "after": after}]}
        answer = anna.post(f"/api/annotations/{content.annotation}/operations", json={"operations": [sent]})
        assert answer.status_code == 200, answer.text


def test_names_that_are_scripts_are_shown_and_do_not_run(filled: tuple[Studio, Filled, str], browser: Browser) -> None:
    studio, content, returned = filled
    annotation = content.annotation
    pages: dict[str, tuple[str, ...]] = {
        "anna": ("/", "/account", "/label", f"/label/{annotation}", f"/label/{annotation}/history"),
        "carla": ("/mine", f"/mine/{returned}", "/record/move"),
        "rosa": ("/review",),
        "otto": (
            "/people", "/tasks", "/tasks/move", "/label", "/dashboard", "/dashboard/gate", "/dashboard/gate?task=move",
            "/dashboard/diversity", "/dashboard/storage", "/record/move", "/mine?contributor=c001",
        ),
    }  # fmt: skip
    shown: set[str] = set()
    for person, paths in pages.items():
        with opened_page(browser, cookies=[session_cookie(studio, person)]) as page:
            page.add_init_script(
                "window.refused = [];"
                "document.addEventListener('securitypolicyviolation', event => refused.push(event.blockedURI))"
            )
            for path in paths:
                answer = page.goto(f"{studio.url}{path}")
                assert answer is not None and answer.status == 200, path
                page.wait_for_timeout(300)
                _nothing_ran(page, path)
                if "onload=window.ran" in page.inner_text("html"):
                    shown.add(path)
    assert {"/account", f"/mine/{returned}", "/record/move", "/tasks", "/people"} <= shown, shown
    with opened_page(browser, expected="401|404|422") as page:
        for path in (f"/sign-in?next={SVG}", f"/enter?link={SVG}", f"/invitation?code={SVG}", f"/{SVG}"):
            page.goto(f"{studio.url}{path}")
            _nothing_ran(page, path)


def _nothing_ran(page: Any, path: str) -> None:
    assert page.evaluate("window.ran") is None, path
    assert page.evaluate("window.refused ?? []") == [], path  # nor did the policy have to stop it
    assert page.evaluate("document.querySelectorAll('svg[onload]').length") == 0, path


def test_the_reviewer_and_the_annotator_see_such_words_as_they_were_written(
    filled: tuple[Studio, Filled, str], browser: Browser
) -> None:
    studio, content, _ = filled
    with opened_page(browser, cookies=[session_cookie(studio, "rosa")]) as page:
        page.goto(f"{studio.url}/review")
        wait_until(page, "document.querySelector('main').innerText.includes('onload=window.ran')")
        _nothing_ran(page, "/review")
    with opened_page(browser, cookies=[session_cookie(studio, "anna")]) as page:
        page.goto(f"{studio.url}/label/{content.annotation}")
        page.wait_for_selector("html[data-ready=true]", state="attached")
        _nothing_ran(page, "/label")


def test_text_that_runs_from_right_to_left_takes_its_own_direction(
    filled: tuple[Studio, Filled, str], browser: Browser
) -> None:
    studio, _, _ = filled
    task = TASK.model_copy(update={"title": HEBREW, "instructions": HEBREW, "consent": HEBREW})
    studio.workspace.catalog.add_task(task)
    for person, path in (("carla", "/mine"), ("carla", "/record/move"), ("otto", "/tasks"), ("rosa", "/review")):
        with opened_page(browser, cookies=[session_cookie(studio, person)]) as page:
            page.goto(f"{studio.url}{path}")
            found = page.get_by_text(re.compile(HEBREW)).first
            found.wait_for(state="attached")
            assert found.evaluate("element => element.closest('[dir=auto]') !== null"), path
            if path != "/review":  # where it is a choice in a list
                assert found.evaluate("element => getComputedStyle(element.closest('[dir=auto]')).direction") == "rtl"
