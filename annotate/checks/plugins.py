"""A project's own checks: entry points of installed packages, each run in a process of its own, with limits.

The process protects the recording from a plugin's faults, not the computer from its malice: what an operator installs,
they trust.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import IO, Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from annotate.checks.evidence import Evidence
from annotate.checks.findings import Finding, judge
from annotate.checks.limits import Direction, Limit
from annotate.checks.plugin_process import ANSWER, EVIDENCE, GROUP
from kinesphere.errors import InvalidTask
from storage.catalog import CheckRecord
from storage.tasks.criteria import Thresholds

SECONDS = 60.0
"""How long a plugin may take with one recording."""
MEMORY_BYTES = 2 << 30
"""How much memory it may take beside the evidence, where the system can limit it (Linux)."""
OUTPUT_BYTES = 1 << 20
"""How much it may print; nobody reads it, unless the plugin fails."""
_REASON_LENGTH = 300


@dataclass(frozen=True)
class Installed:
    """A plugin as its package declares it, without running any of its code."""

    name: str
    package: str
    version: str

    @classmethod
    def of(cls, point: EntryPoint) -> Installed:
        """What is known of an entry point."""
        package = point.dist
        return cls(point.name, package.name if package else "?", package.version if package else "?")

    def __str__(self) -> str:
        return f"{self.name} of {self.package} {self.version}"


class _Found(BaseModel):
    model_config = ConfigDict(allow_inf_nan=False)

    value: float
    words: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000)]
    ranges: Annotated[tuple[tuple[int, int], ...], Field(max_length=10_000)] = ()


class Answer(BaseModel):
    """What the other process says of a plugin's check, and of what it found."""

    direction: Direction
    meaning: str
    unit: str
    advice: str
    finding: _Found | None = None


class PluginFailed(Exception):
    """A plugin raised, hung, printed too much, took too much memory, or gave what is no answer; the text says which."""


@dataclass
class _Output:
    """Takes what a process prints and keeps its end; kills the process when it prints too much."""

    process: subprocess.Popen[bytes]
    end: bytes = b""
    size: int = 0
    _thread: threading.Thread = field(init=False)

    def __post_init__(self) -> None:
        assert self.process.stdout is not None
        self._thread = threading.Thread(target=self._read, args=(self.process.stdout,), daemon=True)
        self._thread.start()

    def _read(self, pipe: IO[bytes]) -> None:
        while block := os.read(pipe.fileno(), 1 << 16):
            self.size += len(block)
            self.end = (self.end + block)[-4096:]
            if self.size > OUTPUT_BYTES:
                _kill(self.process)

    @property
    def last_words(self) -> str:
        """What an error says: what follows the indented lines of a traceback, or else the last line."""
        lines = self.end.decode(errors="replace").rstrip().splitlines()
        indented = [at for at, line in enumerate(lines[:-1]) if line.startswith(" ")]
        return " ".join(" ".join(lines[indented[-1] + 1 if indented else -1 :]).split())[:_REASON_LENGTH]

    def close(self) -> None:
        """Wait until all is read; but not for a process that left the group that was killed, and holds the pipe."""
        self._thread.join(timeout=5)
        if not self._thread.is_alive() and self.process.stdout is not None:
            self.process.stdout.close()


def installed_plugins() -> list[Installed]:
    """List the plugins of all installed packages.

    Returns:
        In the order of their names, then of their packages.
    """
    return sorted(map(Installed.of, entry_points(group=GROUP)), key=lambda plugin: (plugin.name, plugin.package))


def run_plugins(
    criteria: Mapping[str, Thresholds], evidence: Evidence, *, seconds: float = SECONDS, memory: int = MEMORY_BYTES
) -> list[CheckRecord]:
    """Run the plugins that a task names on one recording.

    Args:
        criteria: of a task, by the name of the plugin.
        evidence: of the recording.
        seconds: each may take.
        memory: bytes that each may take, beside the evidence.

    Returns:
        A record each, named `plugins.NAME`, whose message names the package and version that ran; none for a plugin
        that finds nothing to measure. One that is not installed or fails gives a doubt that says so, with value 0.
    """
    if not criteria:
        return []
    known = {plugin.name: plugin for plugin in reversed(installed_plugins())}
    records = []
    with tempfile.TemporaryDirectory(prefix="kinesphere-") as folder:
        content = pickle.dumps(evidence, protocol=5)
        (Path(folder) / EVIDENCE).write_bytes(content)
        for name, thresholds in criteria.items():
            plugin = known.get(name)
            try:
                if plugin is None:
                    raise PluginFailed(f"no installed package has a check of this name in the group '{GROUP}'")
                record = _run_one(plugin, thresholds, Path(folder), seconds, memory + 3 * len(content))
            except PluginFailed as failure:
                which = plugin or f"{name}, which is not installed"
                message = f"not judged by plugin {which}: {failure}"
                record = CheckRecord(f"plugins.{name}", 0.0, thresholds.doubt, thresholds.fail, "doubt", message)
            if record is not None:
                records.append(record)
    return records


def describe(plugin: Installed, *, seconds: float = SECONDS, memory: int = MEMORY_BYTES) -> Answer:
    """Ask a plugin what it measures, in a process of its own.

    Args:
        plugin: one of `installed_plugins`.
        seconds: it may take.
        memory: bytes that it may take.

    Returns:
        Its direction, meaning, unit and advice, without a finding.

    Raises:
        PluginFailed: it cannot say.
    """
    with tempfile.TemporaryDirectory(prefix="kinesphere-") as folder:
        return _ask(plugin.name, Path(folder), "", seconds, memory)


def refuse_wrong_way(criteria: Mapping[str, Thresholds]) -> list[str]:
    """Ask the plugins that a task names whether its thresholds make sense.

    Args:
        criteria: of a task, by the name of the plugin.

    Returns:
        The names of those that are not installed here.

    Raises:
        InvalidTask: thresholds are the wrong way round for their plugin, or the plugin cannot be asked.
    """
    known = {plugin.name: plugin for plugin in reversed(installed_plugins())}
    for name, thresholds in criteria.items():
        if name in known:
            try:
                Limit.of(describe(known[name]).direction, thresholds)
            except (ValueError, PluginFailed) as error:
                raise InvalidTask(f"'criteria.plugins.{name}' (plugin {known[name]}): {error}") from error
    return [name for name in criteria if name not in known]


def _run_one(
    plugin: Installed, thresholds: Thresholds, folder: Path, seconds: float, memory: int
) -> CheckRecord | None:
    answer = _ask(plugin.name, folder, thresholds.model_dump_json(), seconds, memory)
    try:
        limit = Limit.of(answer.direction, thresholds)
    except ValueError as error:
        raise PluginFailed(f"the task's thresholds: {error}") from error
    if answer.finding is None:
        return None
    found = Finding(answer.finding.value, f"{answer.finding.words} [plugin {plugin}]", answer.finding.ranges)
    return judge(f"plugins.{plugin.name}", limit, found, answer.advice)


def _ask(name: str, folder: Path, thresholds: str, seconds: float, memory: int) -> Answer:
    """Run the other process, which leaves its answer in `folder`, and hold it to its limits."""
    answer = folder / ANSWER
    answer.unlink(missing_ok=True)
    path = os.pathsep.join(str(Path(entry).absolute()) for entry in sys.path)
    command = [sys.executable, "-P", "-m", "annotate.checks.plugin_process", name, str(folder), str(memory), thresholds]
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,  # on which nothing comes, until this process ends
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=folder,
        # threads of the linear algebra libraries reserve memory that nothing here needs
        env=os.environ | {"PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
        start_new_session=True,
    )
    assert process.stdin is not None
    output = _Output(process)
    is_late = False
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        is_late = True
    finally:
        _kill(process)  # and all that it started
        process.wait()
        output.close()
        process.stdin.close()
    if is_late:
        raise PluginFailed(f"it was not done after {seconds:g} s")
    if output.size > OUTPUT_BYTES:
        raise PluginFailed(f"it printed more than {OUTPUT_BYTES >> 20} MiB")
    if process.returncode != 0:
        raise PluginFailed(output.last_words or f"its process ended with code {process.returncode}")
    try:
        return Answer.model_validate_json(answer.read_bytes())
    except OSError as error:
        raise PluginFailed("its process ended without an answer") from error
    except ValidationError as error:
        raise PluginFailed(f"what it found cannot be used: {_reason(error)}") from error


def _reason(error: ValidationError) -> str:
    problem = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in problem["loc"] if part != "finding")
    return f"{where}: {problem['msg']}" if where else problem["msg"].removeprefix("Value error, ")


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End a process with all that it started."""
    if os.name != "posix":
        process.kill()
        return
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):  # the latter on macOS, of one that has ended
        return
