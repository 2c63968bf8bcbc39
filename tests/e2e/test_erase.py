"""The command `erase`: asks, erases, can be killed, proves that nothing is left."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path

import pytest

from storage.publishing.publish import publish
from storage.workspace import create_workspace
from tests.support.command import Command
from tests.support.populated_workspaces import populate


@pytest.fixture
def kitchen(tmp_path: Path) -> Command:
    """A workspace with a version of anna's and ben's recordings."""
    workspace = create_workspace(tmp_path / "kitchen")
    populate(workspace, {"anna": 3, "ben": 1})
    publish(workspace, "kitchen")
    workspace.catalog.close()
    return Command(workspace.folder)


def test_it_asks_erases_and_proves_it(kitchen: Command) -> None:
    refused = kitchen.error("erase", "anna")
    assert "nobody is here to confirm that contributor 'anna' with 3 recordings should go; add --yes" in refused
    left = kitchen.run("erase", "anna", "--verify", code=1)
    assert "kitchen@1" in left.stdout and "3 of its episodes are theirs" in left.stdout
    done = kitchen.run("erase", "anna", "--yes", "--who", "eve")
    assert "Erased 3 recordings" in done.stdout and "kitchen@2" in done.stdout
    proof = kitchen.run("erase", "anna", "--verify")
    assert "Nothing is left of 'anna'" in proof.stdout and "receipt" in proof.stdout
    shown = kitchen.run("versions", "kitchen").stdout
    assert "withdrawn; see 2" in shown and "replaces 1" in shown
    assert "use version 2, without them" in kitchen.error("info", "kitchen@1")
    assert kitchen.json("erase", "anna", "--verify")["left"] == []
    assert "no contributor named 'nobody'" in kitchen.error("erase", "nobody", "--yes")
    assert "say whom to erase" in kitchen.error("erase")


def test_killed_and_repeated_it_ends_with_nothing_left(kitchen: Command) -> None:
    whole = 0.0
    for moment in (0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.2):
        began = time.monotonic()
        process = subprocess.Popen(
            kitchen.arguments("erase", "anna", "--yes"), env=kitchen.environment, stderr=subprocess.DEVNULL
        )
        try:
            process.wait(moment)
            whole = time.monotonic() - began
            break
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
    assert kitchen.json("erase", "anna", "--yes")["counts"]["recordings"] == 3
    assert kitchen.json("erase", "anna", "--verify")["left"] == []
    assert kitchen.json("info", "kitchen")["counts"]["episodes"] == 1, f"once it took {whole:.1f} s unkilled"


def test_what_is_withdrawn_is_erased_at_once(kitchen: Command) -> None:
    first, second, third, bens = kitchen.json("status")["recordings"]
    assert "pass --yes" in kitchen.error("withdraw", first["recording"])
    done = kitchen.run("withdraw", first["recording"], "--yes").stdout
    assert f"Erased {first['recording']}. Receipt: " in done
    again = kitchen.json("withdraw", first["recording"], "--yes")
    assert again["withdrawn"] == [first["recording"]] and again["receipts"][0] in done
    assert kitchen.json("status", first["recording"])["recording"]["state"] == "erased"
    assert kitchen.json("info", "kitchen")["counts"]["episodes"] == 3
    everything = kitchen.json("withdraw", "--contributor", "anna", "--yes")
    assert everything["withdrawn"] == [second["recording"], third["recording"]]
    assert kitchen.json("info", "kitchen")["counts"]["episodes"] == 1
    assert "nothing of 'anna' to take back" in kitchen.run("withdraw", "-c", "anna", "--yes").stdout
    assert "is not of contributor 'anna'" in kitchen.error("withdraw", bens["recording"], "-c", "anna", "--yes")
    assert "no contributor named 'nobody'" in kitchen.error("withdraw", "-c", "nobody", "--yes")
    assert "say what to take back" in kitchen.error("withdraw", "--yes")
    assert "Nothing is withdrawn" in kitchen.run("erase", "--withdrawn", "--yes").stdout
    kitchen.run("erase", "anna", "--yes")
    assert kitchen.json("erase", "anna", "--verify")["left"] == []


def test_two_withdrawals_at_once_both_end(kitchen: Command) -> None:
    first, second, *_ = (row["recording"] for row in kitchen.json("status")["recordings"])
    both = [
        subprocess.Popen(kitchen.arguments("withdraw", name, "--yes"), env=kitchen.environment)
        for name in (first, second)
    ]
    assert [process.wait() for process in both] == [0, 0]
    states = {row["recording"]: row["state"] for row in kitchen.json("status")["recordings"]}
    assert states[first] == states[second] == "erased"
    assert kitchen.json("info", "kitchen")["counts"]["episodes"] == 2
