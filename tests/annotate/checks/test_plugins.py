"""Plugins, as real packages in real processes: what they find counts, and what they break does not."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from annotate.checks.checks import next_state
from annotate.checks.evidence import Evidence, Footage, ImageSampler
from annotate.checks.plugins import Installed, PluginFailed, describe, installed_plugins, refuse_wrong_way, run_plugins
from kinesphere.errors import InvalidTask
from kinesphere.trajectory import BASIC_ARRAYS, ExtractorIdentity, Trajectory, Valid
from storage.catalog import CheckRecord
from storage.recordings.recording import State
from storage.tasks.criteria import Thresholds
from tests.support.other_processes import noted_processes, wait_until_gone
from tests.support.plugin_package import NAMES, install_plugins

WANTED = Thresholds(doubt=0.8, fail=0.2)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(install_plugins(folder)))
    return folder


@pytest.fixture(scope="module")
def evidence() -> Evidence:
    """As `some_evidence`."""
    return some_evidence()


def some_evidence() -> Evidence:
    """Ten frames; somebody is seen in half of them."""
    times = np.arange(10, dtype=np.int64) * 33_000_000
    arrays = {name: np.zeros((10, *spec.shape), np.float32) for name, spec in BASIC_ARRAYS.items()}
    valid = np.where(np.arange(10) < 5, Valid.BODY, 0).astype(np.uint8)
    identity = ExtractorIdentity("test", 1, {}, {})
    trajectory = Trajectory("r", "c", identity, 640, 480, "relative", {}, arrays | {"timestamp": times, "valid": valid})
    return Evidence(Footage(times, 640, 480, ImageSampler()), trajectory)


def ran(name: str, evidence: Evidence, *, seconds: float = 60, limit: Thresholds = WANTED) -> CheckRecord:
    (record,) = run_plugins({name: limit}, evidence, seconds=seconds)
    assert record.check == f"plugins.{name}"
    return record


def test_what_a_plugin_finds_is_held_against_the_tasks_thresholds(package: Path, evidence: Evidence) -> None:
    record = ran("fine", evidence)
    assert (record.value, record.doubt, record.fail, record.verdict) == (0.5, 0.8, 0.2, "doubt")
    assert record.ranges == ((0, 297_000_001),)
    assert record.message == (
        "something is seen in 50% of the frames [plugin fine of acme-checks 1.2] (should be at least 0.8): do better"
    )
    assert ran("fine", evidence, limit=Thresholds(doubt=0.5, fail=0)).verdict == "pass"
    assert ran("lower", evidence, limit=Thresholds(doubt=0.1, fail=0.4)).verdict == "fail"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("raising", ": ValueError: the table is not there"),
        ("printing", "it printed more than 1 MiB"),
        ("crashing", "Fatal Python error: Aborted|ended with code -6"),
        ("exiting", "ended without an answer"),
        ("texting", "TypeError: it returned str and not a Finding"),
        ("uncounted", "cannot be used: value: Input should be a finite number"),
        ("unsaid", "cannot be used: words"),
        ("misranged", "too many values to unpack"),
        ("function", "its entry point is function and not an annotate.checks.findings.Check"),
        ("absent", "AttributeError"),
        ("lower", "the task's thresholds: |must not be below doubt"),
    ],
)
def test_a_plugin_that_misbehaves_ends_in_a_doubt_that_names_it(
    package: Path, evidence: Evidence, name: str, reason: str
) -> None:
    record = ran(name, evidence)
    assert record.verdict == "doubt"
    assert f"not judged by plugin {name} of acme-checks 1.2: " in record.message
    assert any(words in record.message for words in reason.split("|") if words), record.message
    assert "\n" not in record.message and len(record.message) < 500
    assert next_state([record])[0] is State.FLAGGED


def test_one_that_hangs_is_ended_with_all_that_it_started(package: Path, evidence: Evidence) -> None:
    began = time.monotonic()
    record = ran("hanging", evidence, seconds=4)
    assert record.verdict == "doubt" and "it was not done after 4 s" in record.message
    assert time.monotonic() - began < 30, "its child, which slept on, was not waited for"


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited on Linux alone")
def test_one_that_eats_memory_is_stopped(package: Path, evidence: Evidence) -> None:
    record = ran("eating", evidence)
    assert record.verdict == "doubt" and "MemoryError" in record.message


def test_one_that_prints_a_little_or_finds_nothing_does_no_harm(
    package: Path, evidence: Evidence, capfd: pytest.CaptureFixture[str]
) -> None:
    records = run_plugins({"talking": WANTED, "silent": WANTED}, evidence)
    assert [(record.check, record.verdict) for record in records] == [("plugins.talking", "pass")]
    assert capfd.readouterr() == ("", "")


def test_one_that_is_not_installed_is_doubted(evidence: Evidence) -> None:
    record = ran("nowhere", evidence)
    assert record.verdict == "doubt"
    assert "nowhere, which is not installed" in record.message and "kinesphere.checks" in record.message


def test_two_packages_with_a_check_of_one_name_are_doubted(package: Path, evidence: Evidence) -> None:
    install_plugins(package, "other-checks", "3")
    assert "2 packages declare it (acme-checks, other-checks)" in ran("fine", evidence).message


def test_plugins_are_listed_without_running_them_and_say_what_they_measure(package: Path) -> None:
    found = installed_plugins()
    assert {plugin.name for plugin in found} == set(NAMES) and "acme_checks" not in sys.modules
    assert str(found[0]) == f"{found[0].name} of acme-checks 1.2"
    answer = describe(Installed("lower", "acme-checks", "1.2"))
    assert (answer.direction, answer.meaning, answer.unit, answer.finding) == ("at most", "a test", "apples", None)
    with pytest.raises(PluginFailed, match="AttributeError"):
        describe(Installed("absent", "acme-checks", "1.2"))


def test_thresholds_the_wrong_way_round_for_their_plugin_are_told(package: Path) -> None:
    assert refuse_wrong_way({"fine": WANTED, "nowhere": WANTED}) == ["nowhere"]
    with pytest.raises(InvalidTask, match=r"criteria\.plugins\.lower.*fail \(0.2\) must not be below doubt \(0.8\)"):
        refuse_wrong_way({"lower": WANTED})


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a thread watches, which needs the interpreter")
def test_one_that_hangs_ends_with_whoever_is_killed_while_it_runs(package: Path, tmp_path: Path) -> None:
    code = (
        "from annotate.checks.plugins import run_plugins\n"
        "from storage.tasks.criteria import Thresholds\n"
        "from tests.annotate.checks.test_plugins import some_evidence\n"
        "run_plugins({'hanging': Thresholds(doubt=0.8, fail=0.2)}, some_evidence(), seconds=600)\n"
    )
    note = tmp_path / "processes"
    path = os.pathsep.join([str(package), *sys.path])
    environment = os.environ | {"PYTHONPATH": path, "KINESPHERE_TEST_NOTE": str(note)}
    parent = subprocess.Popen([sys.executable, "-c", code], env=environment)
    processes = noted_processes(note, parent)
    parent.kill()
    parent.wait()
    wait_until_gone(processes)
