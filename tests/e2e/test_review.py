"""Review with the real command: the queue, a key at a terminal, scripts, and what the contributor reads and does."""

from __future__ import annotations

from pathlib import Path

import pytest

from annotate.gate.feedback import TEMPLATES
from storage.catalog import CheckRecord, TrajectoryRecord
from storage.recordings.recording import State
from storage.tasks.task import ReviewRules, Task
from storage.workspace import Workspace, open_workspace
from tests.support.command import Command
from tests.support.populated_workspaces import describe
from tests.support.terminal import Person
from tests.support.video_clips import make_clip

pytestmark = pytest.mark.slow

SECOND = 1_000_000_000
TASK = Task(
    name="move",
    title="Move about",
    instructions="Move as you like.",
    consent="I agree to the test.",
    review=ReviewRules(spot_check_share=0, gold_share=0),
    feedback={"brightness": "Open the curtains."},
)


@pytest.fixture
def command(tmp_path: Path) -> Command:
    command = Command(tmp_path / "workspace")
    command.run("init", str(command.workspace), workspace=False)
    return command


def flag(command: Command, count: int) -> list[str]:
    """Make recordings that a check doubts, from 1 to 3 s."""
    place = open_workspace(command.workspace)
    place.catalog.add_task(TASK)
    place.catalog.add_contributor("c001")
    made = [_flagged(place, number) for number in range(count)]
    place.catalog.close()
    return made


def _flagged(place: Workspace, number: int) -> str:
    description = describe("c001", seed=number, frames=300)
    recording = description.recording
    place.catalog.add_recording(description, who="c001")
    place.catalog.submit(recording, who="c001")
    check = CheckRecord("brightness", 32, 40, 10, "doubt", "mean brightness is 32 of 255", ((SECOND, 3 * SECOND),))
    where = TrajectoryRecord(recording, "e" * 16, "f" * 32, 0, 300, "relative", 1.0, 0.5, 0.25)
    place.catalog.record_outcome(
        recording, State.FLAGGED, checks=[check], trajectory=where, who="kinesphere", why=check.message
    )
    return recording


def test_a_script_takes_the_next_decides_and_the_contributor_records_again(command: Command) -> None:
    first, second = flag(command, 2)
    listed = command.json("review")
    assert [(row["recording"]["recording"], row["reasons"]) for row in listed] == [
        (first, ["doubt"]), (second, ["doubt"])
    ]  # fmt: skip
    shown = command.json("review", "--next", "--reviewer", "r1")
    assert shown["recording"] == first and shown["findings"][0]["ranges"] == [[SECOND, 3 * SECOND]]
    assert "reason" not in shown and "contributor" not in shown and "state" not in shown
    assert "is with r1 until" in command.error("review", first, "--decision", "accept", "--reviewer", "r2")
    assert "named 'brightnes'" in command.error(
        "review", first, "--decision", "return", "--template", "brightnes", "--reviewer", "r1"
    )
    made = command.json(
        "review", first, "--decision", "return", "--template", "brightness", "--feedback", "Thanks!",
        "--range", "0-2.5", "--range", "2-3", "--reviewer", "r1",
    )  # fmt: skip
    assert made["feedback"] == "Open the curtains. Thanks!" and made["ranges"] == [[0, 3 * SECOND]]
    assert [row["recording"]["recording"] for row in command.json("review")] == [second]

    told = command.json("status", first)["feedback"]
    again = f"kinesphere record --task move --contributor c001 --replaces {first}"
    assert told["record_again"] == again
    for text in ("mean brightness is 32 of 255; at 0:00-0:03", "Open the curtains. Thanks!", again):
        assert text in command.run("status", first).stdout
    assert f"{first} was returned to you" in command.run("status").stdout
    assert "is flagged; only what was returned" in command.error(
        "record", "-t", "move", "-c", "c001", "--replaces", second, "--source", "test", "--yes"
    )
    words = [*again.split()[1:], "--source", "test", "--seconds", "1", "--yes"]
    take = command.json(*words)["recording"]["recording"]
    assert f"is replaced already, by {take}" in command.error(*words)
    assert f"Replaced by {take}." in command.run("status", first).stdout
    assert f"It replaces {first}." in command.run("status", take).stdout
    lines = command.run("status").stdout.splitlines()
    assert any(line.startswith(take) and line.rstrip().endswith(first) for line in lines)
    assert command.json("status", first)["feedback"]["replaced_by"] == [take]


def test_one_key_decides_at_a_terminal(command: Command) -> None:
    first, second, third = flag(command, 3)
    with Person(command, "review", "--next", "--reviewer", "r1") as person:
        person.reads(first)
        person.reads("0:01-0:03")
        person.reads("mpv --start=0.0")
        person.reads("q: quit")
        person.types("s")
        person.reads(second)
        person.reads("q: quit")
        person.types("t")
        person.reads("1  brightness: Open the curtains.")
        person.reads("Which advice")
        person.types("99\n")
        person.reads("Give numbers from 1 to 3")
        person.types("1 blur\n")
        person.reads("In your own words")
        person.types("More light, please.\n")
        person.reads("Where, in seconds")
        person.types("1-two\n")
        person.reads("is no range")
        person.types("1-2.5\n")
        person.reads(f"{second}: return.")
        person.reads(third)
        person.reads("q: quit")
        person.types("a")
        person.reads("Nothing else waits for you.")
        assert person.ends() == 0
    states = {row["recording"]: row["state"] for row in command.json("status")["recordings"]}
    assert states == {first: "flagged", second: "returned", third: "accepted"}
    (review,) = command.json("status", second)["reviews"]
    assert review["feedback"] == f"Open the curtains. {TEMPLATES['blur']} More light, please."
    assert review["named"] == ["brightness", "blur"]
    assert review["ranges"] == [[SECOND, 2.5 * SECOND]] and review["begun_at"] < review["at"]
    assert command.json("review")[0]["leased_by"] is None


def test_known_answers_leases_and_usage(command: Command) -> None:
    first, second = flag(command, 2)
    assert command.json("review", "--next", "--reviewer", "r1")["recording"] == first
    assert "r1" in command.run("review").stdout
    assert command.json("review", "--release", "--reviewer", "r1") == {"released": first}
    assert command.json("review", second, "--reviewer", "r1")["recording"] == second
    assert "not decided by reviewers" in command.error("review", "--mark-gold", first)
    command.run("review", first, "--decision", "reject", "--feedback", "empty", "--reviewer", "r1")
    clip = str(make_clip(command.workspace.parent / "clip.mp4", 10))
    words = ("import", clip, "-t", "move", "-c", "c001", "--yes", "--replaces", first)
    assert command.json(*words)["recordings"][0]["replaces"] == first
    assert "one take replaces one recording" in command.error(*words, clip)
    assert command.json("review", "--mark-gold", first, "--reviewer", "boss")["decision"] == "reject"
    assert command.json("review", "--unmark-gold", first)["was_marked"] is True
    assert "give two times in seconds" in command.error("review", second, "--decision", "accept", "--range", "abc")
    assert "or give one of" in command.error("review", second, "--next")
    assert "say which recording" in command.error("review", "--decision", "accept")
    assert command.json("review", "--next", "--reviewer", "r1", "--language", "pt") is None


def test_the_gate_is_measured_and_calibrated(command: Command) -> None:
    names = flag(command, 3)
    assert "nothing can be learned for 'brightness' yet" in command.error(
        "checks", "calibrate", "brightness", "--task", "move"
    )
    for name, decision in zip(names, ("return", "return", "accept"), strict=True):
        words = () if decision == "accept" else ("--template", "brightness")
        command.run("review", name, "--decision", decision, *words, "--reviewer", "r1")
    measured = command.json("checks", "measure")
    assert measured["flagged"] == 3 and measured["gate"]["precision"]["value"] == pytest.approx(2 / 3)
    assert measured["gate"]["recall"] is None
    shown = command.run("checks", "measure", "--task", "move").stdout
    assert "66.7% (20.8% to 93.9%)" in shown and "not known" in shown
    proposed = command.json("checks", "calibrate", "brightness", "--task", "move", "--miss-rate", "0")
    assert proposed["doubt"] > 32 and len(proposed["curve"]) == 2
    shown = command.run("checks", "calibrate", "brightness", "--task", "move").stdout
    assert "[criteria]\nbrightness = { doubt = " in shown and "->" in shown
