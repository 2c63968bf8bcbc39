"""The commands `contributor describe`, `diversity`, and `publish` with limits and splits."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from kinesphere.dataset import open_dataset
from storage.workspace import create_workspace
from tests.support.command import Command
from tests.support.populated_workspaces import populate

PEOPLE = {"anna": 4, **{f"c{number:03d}": 1 for number in range(11)}}


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> Command:
    """Twelve contributors, of whom anna has most; two are left-handed, one declares nothing."""
    workspace = create_workspace(tmp_path_factory.mktemp("kitchen") / "workspace")
    populate(workspace, PEOPLE, frames=90)
    workspace.catalog.close()
    command = Command(workspace.folder)
    for number, person in enumerate(list(PEOPLE)[:-1]):
        hand = "left" if number < 2 else "right"
        command.run("contributor", "describe", person, "--handedness", hand, "--yes")
    command.run("publish", "kitchen")
    return command


def test_what_is_declared_is_kept_with_consent_and_forgotten(command: Command) -> None:
    refused = command.error("contributor", "describe", "c010", "--region", "EU")
    assert "nothing was kept; pass --yes if the contributor has agreed" in refused
    described = ("contributor", "describe", "c010", "--region", "EU", "--age-band", "30-39", "--yes")
    assert command.json(*described)["attributes"] == {"region": "EU", "age-band": "30-39"}
    assert "choose from: 18-29, 30-39" in command.error(
        "contributor", "describe", "c010", "--age-band", "30-40", "--yes"
    )
    assert "30-39" in command.run("contributor", "describe", "c010", "--forget", "region").stdout
    assert command.json("contributor", "describe", "c010")["attributes"] == {"age-band": "30-39"}
    assert "Nothing is kept" in command.run("contributor", "describe", "c010", "--forget", "all").stdout
    assert "no contributor named 'x'" in command.error("contributor", "describe", "x")


def test_the_report_for_others_names_nobody_and_hides_small_groups(command: Command, tmp_path: Path) -> None:
    found = command.json("diversity", "kitchen", "--plots", str(tmp_path / "plots"))
    numbers = found["diversity"]
    assert (found["dataset"], found["version"]) == ("kitchen", 1)
    assert (numbers["contributors"], numbers["episodes"], numbers["hidden_below"]) == (12, 15, 5)
    assert numbers["effective_contributors_simpson"] == pytest.approx(15**2 / (16 + 11))
    assert numbers["top_1_percent_share"] == pytest.approx(4 / 15)
    assert numbers["top_10_percent_share"] == pytest.approx(5 / 15)
    (handedness,) = numbers["by_attribute"]
    # with 2 and 1 hidden, the 9 would give them away
    assert [group["name"] for group in handedness["groups"] if group["hours"] is None] == [
        "(not declared)", "left", "right",
    ]  # fmt: skip
    assert found["motion"]["pieces"] > 0 and found["motion"]["clusters"] >= 1
    shown = command.run("diversity", "kitchen@1").stdout
    for words in ("15 episodes by 12 contributors", "inverse Simpson", "fewer than 5", "Ways of moving", "number 1"):
        assert words in shown
    plots = {Path(file).name for file in found["plots"]}
    assert plots == {"contributors.svg", "hours_by_task.svg", "hours_by_handedness.svg", "ways_of_moving.svg"}
    for file in found["plots"]:
        text = Path(file).read_text()
        assert ElementTree.fromstring(text).tag.endswith("svg")
        assert "anna" not in text and "c001" not in text
    assert "anna" not in shown and "c001" not in shown


def test_the_internal_report_says_who_is_missing_by_how_much(command: Command) -> None:
    shown = command.run("diversity", "kitchen", "--internal", "--no-motion").stdout
    assert "anna" in shown and "Ways of moving" not in shown
    assert "5 more contributors with handedness 'both', recording as much as the mean, would raise" in shown
    found = command.json("diversity", "kitchen", "--internal", "--no-motion", "--more", "2")["diversity"]
    (handedness,) = found["by_attribute"]
    assert {group["name"]: group["contributors"] for group in handedness["groups"]} == {
        "right": 9, "left": 2, "(not declared)": 1,
    }  # fmt: skip
    assert found["missing"][0]["more"] == 2 and found["missing"][0]["gain"] > 0


def test_limits_refuse_with_numbers_and_trimming_helps(command: Command) -> None:
    refused = command.error("publish", "limited", "--max-share", "0.2")
    assert "26.7% of its hours are by contributor 'anna', and 20.0% is the limit" in refused
    assert "as diverse as 8.33 equal ones" in command.error("publish", "limited", "--min-effective", "10")
    manifest = command.json("publish", "limited", "--max-share", "0.2", "--trim", "--min-effective", "10")["manifest"]
    assert manifest["counts"]["episodes"] == 13 and manifest["counts"]["contributors"] == 12
    assert manifest["diversity"]["contributors"]["largest_share"] == pytest.approx(2 / 13, abs=1e-6)
    assert manifest["limits"] == {"max_share": 0.2, "min_effective": 10.0, "trim": True}


def test_splits_are_told_and_read_back(command: Command) -> None:
    shown = command.run("publish", "halves", "--splits", "train=0.5,test=0.5").stdout
    assert "Split train: " in shown and "Split test: " in shown
    shown = command.run("info", "halves").stdout
    for words in (
        "split test",
        "effective contributors  10.",
        "8.33 (Simpson)",
        "train, share_keypoints",
    ):
        assert words in shown
    dataset = open_dataset(command.workspace / "datasets/halves")
    people = [
        {dataset.episodes["contributor"][int(row)].as_py() for row in dataset.rows_of_split(name)}
        for name in ("train", "test")
    ]
    assert people[0] and people[1] and not people[0] & people[1] and people[0] | people[1] == set(PEOPLE)
    assert "add up to 0.7" in command.error("publish", "halves", "--splits", "train=0.5,test=0.2")
