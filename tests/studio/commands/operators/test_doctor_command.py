"""The doctor finds what is wrong and says how to mend it."""

from __future__ import annotations

from pathlib import Path

from storage.workspace import Workspace
from tests.support.command import Command


def test_a_machine_that_runs_these_tests_is_well(workspace: Workspace) -> None:
    findings = Command(workspace.folder).json("doctor", str(workspace.folder))
    assert {finding["what"]: finding["ok"] for finding in findings} == dict.fromkeys(
        ["kinesphere", "video", "pose", "models", "disk", "workspace"], True
    )


def test_a_broken_workspace_is_found(tmp_path: Path) -> None:
    done = Command(tmp_path).run("doctor", str(tmp_path), code=1)
    assert "!!" in done.stdout and "kinesphere init" in done.stdout
