"""The commands `contributor describe`, `diversity`, and `publish` with limits and splits."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from kinesphere.dataset import open_dataset
from storage.publishing.publish import publish
from storage.workspace import create_workspace
from tests.support.command import Command
from tests.support.populated_workspaces import populate
from tests.support.unequal_people import Gets, fill_unequal, two_groups

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
    # these recordings are of before uncertainties were stated, and of small groups nothing is shown
    (by_hand,) = found["fairness"]["by_attribute"]
    assert all(group["numbers"] == {} and group["hours"] is None for group in by_hand["groups"])
    assert by_hand["worse"] == [] and "Groups of handedness cannot be compared" in shown


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


@pytest.mark.parametrize(("worse", "told"), [(Gets(wrist_sd=0.04), True), (Gets(), False)])
def test_a_group_that_gets_clearly_less_is_told(tmp_path: Path, worse: Gets, told: bool) -> None:
    workspace = create_workspace(tmp_path / "workspace")
    fill_unequal(workspace, two_groups(worse))
    publish(workspace, "kitchen", created_by="olivia")
    workspace.catalog.close()
    command = Command(workspace.folder)
    shown = command.run("diversity", "kitchen", "--no-motion").stdout
    assert "What recordings get, by handedness" in shown and "wrist uncertain by" in shown
    assert "all 12 recordings" in shown and "l000" not in shown
    sentence = "Contributors with handedness 'left' get less certain wrists than those with 'right': 0.040 m ("
    assert (sentence in shown) is told
    assert ("No group of handedness gets clearly less than the best." in shown) is not told
    found = command.json("diversity", "kitchen", "--no-motion")["fairness"]
    (by_hand,) = found["by_attribute"]
    assert [one["measure"] for one in by_hand["worse"]] == ["wrist_sd"] * told
    groups = {group["name"]: group["numbers"] for group in by_hand["groups"]}
    assert groups["left"]["wrist_sd"]["value"] == pytest.approx(worse.wrist_sd, rel=0.05)
    assert groups["right"]["body"] == {"value": 1.0, "low": 1.0, "high": 1.0, "people": 6}
    assert (found["recordings"], found["frames"], found["hidden_below"]) == (12, 720, 5)


def test_what_groups_get_is_not_measured_where_nobody_asks_or_nobody_says(command: Command) -> None:
    internal = command.json("diversity", "kitchen", "--internal", "--no-motion")["fairness"]
    (by_hand,) = internal["by_attribute"]
    right = next(group for group in by_hand["groups"] if group["name"] == "right")
    assert right["numbers"]["wrist_sd"] == {"value": None, "low": None, "high": None, "people": 0}
    assert right["numbers"]["body"]["people"] == 9
    assert "not measured" in command.run("diversity", "kitchen", "--internal", "--no-motion").stdout
    assert command.json("diversity", "kitchen", "--no-motion", "--no-fairness")["fairness"] is None


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
