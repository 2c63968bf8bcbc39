"""`kinesphere checks`, `task add` and `task show` with plugins: what is listed, and what is said of mistakes."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from annotate.checks.built_in_checks import BUILT_IN
from annotate.checks.catalogue import with_table
from tests.support.command import TASK, Command
from tests.support.plugin_package import NAMES, install_plugins
from tests.support.preloaded_command import ROOT


@dataclass(frozen=True)
class WithPlugins(Command):
    """The command, where the package of `tests.support.plugin_package` is installed."""

    @property
    def environment(self) -> dict[str, str]:
        given = super().environment
        return given | {"PYTHONPATH": os.pathsep.join((given["PYTHONPATH"], str(self.workspace / "site")))}


@pytest.fixture
def command(tmp_path: Path) -> WithPlugins:
    made = WithPlugins(tmp_path / "workspace")
    made.run("init", str(made.workspace), workspace=False)
    (made.workspace / "site").mkdir()
    install_plugins(made.workspace / "site")
    return made


def test_the_checks_are_listed_with_their_meaning_and_defaults(tmp_path: Path) -> None:
    command = Command(tmp_path)
    listed = {row["check"]: row for row in command.json("checks")}
    assert list(listed)[: len(BUILT_IN)] == list(BUILT_IN)
    row = listed["too_near"]
    assert (row["doubt"], row["fail"], row["direction"], row["unit"]) == (0.6, 1, "at most", "picture widths")
    assert listed == {row["check"]: row for row in command.json("checks", "list")}
    shown = command.run("checks").stdout
    assert all(check in shown for check in BUILT_IN) and "[criteria] NAME" in shown


def test_plugins_are_listed_with_their_package_and_those_that_do_not_work_say_why(command: WithPlugins) -> None:
    own = {row["check"]: row for row in command.json("checks") if row["plugin"]}
    assert set(own) == {f"plugins.{name}" for name in NAMES}
    fine = own["plugins.lower"]
    assert (fine["plugin"], fine["meaning"], fine["direction"]) == ("acme-checks 1.2", "a test", "at most")
    assert fine["doubt"] is None and fine["problem"] is None
    assert "AttributeError" in own["plugins.absent"]["problem"]


def test_a_task_names_plugins_and_is_told_what_is_amiss(command: WithPlugins, tmp_path: Path) -> None:
    file = tmp_path / "task.toml"
    file.write_text(TASK + "[criteria.plugins]\nlower = { doubt = 1, fail = 0 }\n")
    said = command.error("task", "add", str(file))
    assert "(plugin lower of acme-checks 1.2): fail (0) must not be below doubt (1)" in said
    file.write_text(TASK + "[criteria.plugins]\nlower = { doubt = 0, fail = 1 }\nnowhere = { doubt = 1, fail = 0 }\n")
    said = command.run("task", "add", str(file)).stdout
    assert "Not installed here, so doubted where it processes: nowhere" in said
    assert "plugins.lower" in command.run("task", "show", "move").stdout


def test_a_task_that_wants_a_signature_takes_no_flag_for_it(command: WithPlugins, tmp_path: Path) -> None:
    file = tmp_path / "task.toml"
    file.write_text("consent_signed = true\n" + TASK)
    command.run("task", "add", str(file))
    command.run("contributor", "add", "c001")
    words = ["record", "--source", "test", "--seconds", "0.2", "-t", "move", "-c", "c001", "--yes"]
    assert "the task 'move' wants the consent signed" in command.error(*words)


def test_the_page_about_the_checks_has_the_table_that_they_make() -> None:
    page = (ROOT / "docs" / "checks.md").read_text(encoding="utf-8")
    assert with_table(page) == page, "run: python -m annotate.checks.catalogue docs/checks.md"
    assert all(f"| `{check}` |" in page for check in BUILT_IN)
