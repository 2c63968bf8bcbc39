"""Agreement where people see it: the command, the dashboard, and the version that is published."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from annotate.agreement.measured_agreement import for_manifest, measure_agreement
from kinesphere.errors import NotFound
from storage.workspace import Workspace, create_workspace
from tests.support.annotated_recordings import TWICE, waiting
from tests.support.browser import accessibility_violations, opened_page
from tests.support.command import Command
from tests.support.differing_annotators import labelled_by
from tests.support.studio_server import running_studio, session_cookie

if TYPE_CHECKING:
    from playwright.sync_api import Browser

EMPTY = TWICE.model_copy(update={"name": "alone"})


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """Four recordings that ben labelled; carla labelled three of them too, and dora one."""
    made = create_workspace(tmp_path_factory.mktemp("agreement") / "place")
    made.catalog.add_task(EMPTY)
    for number in range(4):
        recording = waiting(made, task=TWICE, in_store=True)
        labelled_by(made, recording, "ben", (0, 20, "reach"), (20, 40, "grasp"), (40, 60, "pour"))
        if number:
            late = 20 + 2 * number
            labelled_by(made, recording, "carla", (0, late, "reach"), (late, 40, "grasp"), (40, 60, "pour"))
    labelled_by(made, recording, "dora", (0, 60, "pour"))
    yield made
    made.catalog.close()


def test_agreement_is_measured_of_the_recordings_asked_for(place: Workspace) -> None:
    (task,) = measure_agreement(place.catalog).tasks
    assert (task.task, task.recordings, task.annotators) == ("twice", 3, 3)
    assert [(pair.annotators, pair.tracks[0].recordings) for pair in task.pairs] == [
        (("ben", "carla"), 3), (("ben", "dora"), 1), (("carla", "dora"), 1),
    ]  # fmt: skip
    median = task.pairs[0].tracks[0].measures.boundary_median
    assert median is not None and median.value == 0
    *_, last = (row.recording for row in place.catalog.recordings())
    (one,) = measure_agreement(place.catalog, recordings=[last], task="twice").tasks
    assert one.recordings == 1
    assert measure_agreement(place.catalog, task="alone").tasks == ()
    assert for_manifest(place.catalog)([]) is None
    with pytest.raises(NotFound, match="no task named 'fold'"):
        measure_agreement(place.catalog, task="fold")


def test_the_command_tells_it_by_pair_with_intervals_and_as_json(place: Workspace) -> None:
    command = Command(place.folder)
    shown = command.run("agreement").stdout
    assert "twice: 3 recordings labelled twice, by 3 annotators" in shown
    line = next(line for line in shown.splitlines() if "ben and carla" in line)
    assert line.split()[:2] == ["task", "phase"] and " to " in line
    found = command.json("agreement", "--task", "twice")
    (task,) = found["tasks"]
    f1 = task["pairs"][0]["tracks"][0]["measures"]["f1_50"]
    assert task["pairs"][0]["annotators"] == ["ben", "carla"]
    assert f1["value"] == 1 and (f1["low"], f1["high"]) == (1, 1)
    assert "labelled by two people" in command.run("agreement", "--task", "alone").stdout
    assert "no task named 'fold'" in command.run("agreement", "--task", "fold", code=1).stderr


def test_a_version_tells_how_well_the_annotators_of_its_recordings_agree_and_not_who_they_are(place: Workspace) -> None:
    command = Command(place.folder)
    manifest = command.json("publish", "kitchen")["manifest"]
    (task,) = manifest["agreement"]["tasks"]
    assert (task["task"], task["recordings"]) == ("twice", 3)
    assert [pair["annotators"] for pair in task["pairs"]] == [[1, 2], [1, 3], [2, 3]]
    assert not any(name in str(manifest["agreement"]) for name in ("ben", "carla", "dora"))
    assert "Agreement of annotators" in command.run("info", "kitchen").stdout
    assert not command.json("publish", "kitchen")["is_new"], "measured again, the same numbers"
    first = place.catalog.recordings()[0].recording
    alone = command.json("publish", "first", "--where", f"recording = '{first}'")["manifest"]
    assert "agreement" not in alone, "nobody else labelled it"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_dashboard_tells_it_to_operators(place: Workspace, browser: Browser, scheme: str, tmp_path: Path) -> None:
    with running_studio(place) as studio:
        cookie = session_cookie(studio)
        with opened_page(browser, cookies=[cookie], color_scheme=scheme) as page:
            page.goto(f"{studio.url}/dashboard/agreement")
            rows = [row.inner_text().split("\t") for row in page.locator("tbody tr").all()]
            assert [row[:3] for row in rows] == [
                ["task phase", "all", "3"], ["task phase", "ben and carla", "3"], ["task phase", "ben and dora", "1"],
                ["task phase", "carla and dora", "1"],
            ]  # fmt: skip
            assert " to " in rows[1][3] and " to " not in rows[2][3]
            assert accessibility_violations(page) == []
            page.screenshot(path=tmp_path / f"agreement-{scheme}.png")
            page.select_option("select", "alone")
            page.click("text=Show")
            assert "No recording was labelled by two people" in page.inner_text("main")
        with studio.client() as client:
            assert client.get("/dashboard/agreement?task=fold").status_code == 404
