"""The operator's pages: the dashboard and the task editor, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from annotate.gate.criteria_preview import preview_criteria
from annotate.gate.review import decide, take_for_review
from storage.catalog import Attributes, CheckRecord, Role, Throughput
from storage.publishing.publish import publish
from storage.recordings.recording import State
from storage.tasks.criteria import Criteria, Thresholds
from storage.tasks.task import Labels, Task, parse_task
from storage.workspace import Workspace
from studio.web.operating.task_pages import task_text
from tests.support.browser import accessibility_violations, opened_page
from tests.support.playable_recordings import add_played
from tests.support.studio_server import Studio, new_account, running_studio, session_cookie
from tests.support.submitted_takes import TASK
from tests.support.unequal_people import Gets, fill_unequal, two_groups
from tests.support.video_clips import make_clip

if TYPE_CHECKING:
    from playwright.sync_api import Browser

PAGES = [
    *("/dashboard", "/dashboard/gate", "/dashboard/agreement", "/dashboard/diversity", "/dashboard/storage"),
    *("/tasks", "/tasks/new"),
]


def brightness(value: float) -> CheckRecord:
    verdict = "fail" if value < 10 else "doubt" if value < 40 else "pass"
    return CheckRecord("brightness", value, 40.0, 10.0, verdict, f"the picture's mean is {value:g}")  # type: ignore[arg-type]


@pytest.fixture
def filled(workspace: Workspace, tmp_path: Path) -> Workspace:
    """Six recordings by three people: bright, dim and dark ones, one decided by a reviewer; published."""
    clip = make_clip(tmp_path / "clip.mp4", frames=30)
    for number, value in enumerate((100.0, 90.0, 45.0, 30.0, 20.0, 5.0)):
        found = brightness(value)
        state = {"pass": State.ACCEPTED, "doubt": State.FLAGGED, "fail": State.REJECTED}[found.verdict]
        add_played(workspace, clip, seed=number, contributor=f"c{number % 3}", state=state, checks=[found])
    Attributes(workspace.catalog).describe("c0", {"handedness": "left"})
    doubted = workspace.catalog.recordings(State.FLAGGED)[0].recording
    take_for_review(workspace, doubted, "rosa")
    decide(workspace, doubted, "accept", reviewer="rosa")
    publish(workspace, "kitchen", created_by="olivia")
    return workspace


@pytest.fixture
def studio(workspace: Workspace) -> Iterator[Studio]:
    with running_studio(workspace) as running:
        yield running


def test_the_pages_of_an_operator_work_full_and_empty_and_are_accessible(
    studio: Studio, browser: Browser, request: pytest.FixtureRequest
) -> None:
    cookie = session_cookie(studio)
    with opened_page(browser, cookies=[cookie]) as page:
        for path in PAGES:
            page.goto(studio.url + path)
            assert page.locator("h1").count() == 1, path
        workspace: Workspace = request.getfixturevalue("filled")
        for theme in ("light", "dark"):
            page.evaluate("theme => localStorage.setItem('theme', theme)", theme)
            for path in (*PAGES, "/tasks/move"):
                page.goto(studio.url + path)
                page.wait_for_load_state("networkidle")
                assert accessibility_violations(page) == [], (path, theme)
                broken = "[...document.images].filter(one => one.complete && !one.naturalWidth).map(one => one.src)"
                assert page.evaluate(broken) == [], path
        page.goto(f"{studio.url}/dashboard")
        numbers = {card.locator("h2").inner_text(): card.locator(".big").inner_text()
                   for card in page.locator(".numbers .card").all()}  # fmt: skip
    assert (numbers["accepted"], numbers["flagged"], numbers["rejected"]) == ("4", "1", "1")
    assert len(workspace.catalog.recordings()) == 6


def test_only_operators_see_the_dashboard_and_write_tasks(studio: Studio, workspace: Workspace) -> None:
    writing = ["/api/tasks", "/api/tasks/preview"]
    reading = [*PAGES, "/tasks/move", "/dashboard/arrivals.svg", "/dashboard/gate/brightness.svg?task=move",
               "/dashboard/diversity/kitchen/task.svg"]  # fmt: skip
    for role in (Role.ANNOTATOR, Role.REVIEWER, Role.CONTRIBUTOR):
        contributor = "c9" if role is Role.CONTRIBUTOR else None
        with studio.client(token=new_account(workspace, role.value, role, contributor=contributor)) as client:
            for path in reading:
                assert client.get(path).status_code == 403, path
            for path in writing:
                assert client.post(path, json={"text": ""}).status_code == 403, path
    with studio.client(token=None) as client:
        for path in reading:
            assert client.get(path).status_code == 303, path


def test_plots_are_svg_and_what_is_not_there_is_said(studio: Studio, filled: Workspace) -> None:
    with studio.client() as client:
        for path in ("arrivals.svg", "diversity/kitchen/contributors.svg", "diversity/kitchen/task.svg"):
            answer = client.get(f"/dashboard/{path}")
            assert answer.headers["Content-Type"] == "image/svg+xml", answer.text
            assert ElementTree.fromstring(answer.text).tag.endswith("svg")
        for path, status in (
            ("diversity?dataset=nowhere", 404),
            ("diversity/kitchen/nothing.svg", 404),
            ("gate?task=nowhere", 404),
            ("gate/nothing.svg?task=move", 404),
            ("gate/brightness.svg?task=move&miss=NaN", 422),
            ("gate/brightness.svg?task=move&miss=2", 422),
            ("storage?price=-1", 422),
            ("storage?price=nan", 422),
        ):
            assert client.get(f"/dashboard/{path}").status_code == status, path


def test_the_page_says_which_group_gets_clearly_less_or_what_is_damaged(studio: Studio, workspace: Workspace) -> None:
    fill_unequal(workspace, two_groups(Gets(wrist_sd=0.04, left_hand=0.3)))
    publish(workspace, "kitchen", created_by="olivia")
    with studio.client() as client:
        page = unescape(client.get("/dashboard/diversity").text)
        assert "Contributors with handedness 'left' get less certain wrists than those with 'right': 0.040 m (" in page
        assert "get the left hand found in fewer frames than those with 'right': 30.0% (" in page
        assert "right hand found in fewer" not in page and "all 12 recordings" in page
        assert "l000" not in page and "r003" not in page, "nobody is named"
        for shard in (workspace.folder / "shards").iterdir():
            (shard / "zarr.json").unlink()
            break
        damaged = client.get("/dashboard/diversity")
    assert damaged.status_code == 200 and "It could not be measured: object &#39;shards/" in damaged.text
    assert "kitchen/handedness.svg" in damaged.text, "the rest of the page needs no shards"


def test_queues_say_since_when_something_waits(filled: Workspace) -> None:
    later = datetime.now(UTC) + timedelta(hours=3)
    queues = {queue.state: queue for queue in Throughput(filled.catalog, clock=lambda: later).queues()}
    assert list(queues) == list(State)
    flagged = queues[State.FLAGGED]
    assert flagged.recordings == 1 and flagged.oldest is not None
    assert flagged.median_wait_seconds == pytest.approx(3 * 3600, abs=120)
    assert queues[State.ACCEPTED].oldest is None and queues[State.DRAFT].recordings == 0
    assert sum(row.recordings for row in Throughput(filled.catalog).arrivals(days=36_500)) == 6


def test_a_preview_says_what_other_criteria_would_have_made(filled: Workspace) -> None:
    criteria = Criteria.of({"brightness": Thresholds(doubt=95, fail=25)})
    found = preview_criteria(filled.catalog, "move", criteria)
    assert (found.recordings, found.before.passed, found.before.doubted, found.before.failed) == (6, 3, 2, 1)
    assert (found.after.passed, found.after.doubted, found.after.failed) == (1, 3, 2)
    assert [check.check for check in found.checks] == ["brightness"]
    assert sorted((one.before, one.after) for one in found.changed) == [
        ("doubt", "fail"), ("pass", "doubt"), ("pass", "doubt"),
    ]  # fmt: skip
    same = preview_criteria(filled.catalog, "move", Criteria())
    assert same.before == same.after and not same.changed and not same.checks


def test_a_task_is_written_previewed_and_kept_in_the_editor(
    studio: Studio, filled: Workspace, browser: Browser
) -> None:
    with opened_page(browser, cookies=[session_cookie(studio)], expected="422") as page:
        page.goto(f"{studio.url}/tasks/move")
        editor = page.get_by_label("The task file")
        written = editor.input_value()
        editor.fill(written + "\n[criteria]\nbrightness = { doubt = 95, fail = 25 }\n")
        page.get_by_text("3 → 1").first.wait_for()
        editor.fill(written + "\n[criteria]\nbrightnes = { doubt = 95, fail = 25 }\n")
        page.get_by_text("did you mean 'brightness'?").wait_for()
        editor.fill(written + "\n[criteria]\nbrightness = { doubt = 95, fail = 25 }\n")
        page.get_by_role("button", name="Keep as version 2").click()
        page.get_by_role("button", name="Keep as version 3").wait_for()
    kept = filled.catalog.task("move")
    assert kept.version == 2 and kept.task.criteria.doubt("brightness") == 95
    assert kept.task.instructions == TASK.instructions


def test_two_operators_do_not_overwrite_each_other(studio: Studio, filled: Workspace) -> None:
    text = task_text(TASK).replace("Move about.", "Move about slowly.")
    with studio.client() as client:
        assert client.post("/api/tasks", json={"text": text, "version": 1}).json()["version"] == 2
        late = client.post("/api/tasks", json={"text": text.replace("slowly", "fast"), "version": 1})
        assert late.status_code == 409 and "version 2 by now" in late.json()["error"]
        same = client.post("/api/tasks", json={"text": text, "version": 2}).json()
        assert (same["version"], same["is_new"]) == (2, False)
        for wrong in ("", "name = 'x'", "name = \x00", text.replace('"move"', '"mo/ve"'), "a" * 200_001):
            assert client.post("/api/tasks", json={"text": wrong, "version": None}).status_code == 422
    assert filled.catalog.task("move").version == 2


_characters = st.characters(exclude_categories=["Cs", "Cc"])
_text = st.text(_characters, min_size=1, max_size=60).filter(lambda one: one.strip() == one)


@given(title=_text, instructions=_text, consent=_text, verbs=st.lists(_text, max_size=3, unique=True))
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
def test_a_task_reads_back_from_its_text_as_it_was(
    title: str, instructions: str, consent: str, verbs: list[str]
) -> None:
    task = Task(
        name="move",
        title=title,
        instructions=instructions,
        consent=consent,
        labels=Labels(verbs=tuple(verbs), hotkeys={"1": verbs[0].strip()} if verbs else {}),
        criteria=Criteria.of({"blur": Thresholds(doubt=0.25, fail=0.75)}),
    )
    assert parse_task(task_text(task)) == task
