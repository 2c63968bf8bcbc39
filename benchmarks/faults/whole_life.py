"""Lives a life: each of its steps with its fault, then everything once more without, then the invariants.

Nothing here opens a workspace: a process that uses a store or threads cannot be forked.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import resource
import signal
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from benchmarks.faults import life_steps as steps
from benchmarks.faults.forked_steps import Ended, Forked, Tell, Work, fork_step, others_take_the_processor
from benchmarks.faults.injected_faults import before_change, kill_self, set_clock_wrong
from benchmarks.faults.invariants import Ledger, broken_invariants
from benchmarks.faults.life_disks import CUT, LifeDisk
from benchmarks.faults.life_isolation import have_own_mounts
from benchmarks.faults.life_plan import LifePlan, Step
from benchmarks.faults.places import Cloud, Place, new_place
from tests.support.breaking_proxy import BreakingProxy

_MOST_CHANGES = 60
"""A process is killed before one of its first changes; most steps have fewer, and then are not."""
_CUT_AFTER = (1500, 20_000)
"""Bytes that a line carries before it is cut."""
_ROOM = (0, 4_096, 40_000, 200_000, 600_000)
"""Bytes that a full disk has left."""


_LONGEST_START = 60
"""Seconds that a server may take to begin."""
_EXPLAINED = ("StorageFailed", "CorruptObject", "OSError", "TimeoutError")
"""What a server may log of itself; all else is a bug of ours, or what is no line of JSON."""


@dataclass
class Life:
    """What came of a life."""

    plan: LifePlan
    broken: list[str] = field(default_factory=list)
    """What did not hold; nothing, if all is well."""
    struck: dict[str, int] = field(default_factory=dict)
    """How often each fault struck a step: a process was killed, refused to go on, or worked on in spite of it."""
    steps: int = 0
    killed: int = 0
    """Processes that a fault ended: killed, or without power."""
    refused: int = 0
    """Processes that ended with an error that explains itself."""
    confirmed: int = 0
    seconds: float = 0.0
    core_seconds: float = 0.0
    """Processor time, without that of the servers of the cloud."""
    story: list[str] = field(default_factory=list)
    """What happened, in lines."""


def live(plan: LifePlan, cloud: Cloud | None, home: Path) -> Life:
    """Live a planned life to its end.

    Args:
        plan: the life.
        cloud: the servers, for lives of that kind.
        home: folder for its files.

    Returns:
        What came of it.
    """
    life, began = Life(plan), time.monotonic()
    have_own_mounts()
    with new_place(plan.place, plan.seed, cloud, home) as place:
        _Living(life, place, Ledger(), _Line(place.host, place.port)).run()
    life.seconds = time.monotonic() - began
    used = resource.getrusage(resource.RUSAGE_CHILDREN), resource.getrusage(resource.RUSAGE_SELF)
    life.core_seconds = sum(one.ru_utime + one.ru_stime for one in used)
    return life


@dataclass
class _Living:
    """A life while it is lived."""

    life: Life
    place: Place
    ledger: Ledger
    line: _Line
    server: Forked | None = None

    def run(self) -> None:
        """All of it."""
        self.line.begin()
        try:
            self._held("set up", fork_step(partial(steps.set_up, self.place)).wait(), must_succeed=True)
            for step in self.life.plan.steps:
                self._strike(step)
                if step.fault is not None and step.is_repeated:
                    self._do(f"{step.name} again", self._work(step.name, step))
            self._end()
        finally:
            self._stop_server()
            self.line.end()

    def _strike(self, step: Step) -> None:
        """Do a step while its fault is there."""
        drawn = random.Random(step.seed)
        work, name = self._work(step.name, step), f"{step.name} ({step.fault})" if step.fault else step.name
        disk = self.place.disk
        fault = step.fault if step.fault not in ("full-disk", "power-cut") or disk is not None else None
        self.life.struck[fault or "none"] = self.life.struck.get(fault or "none", 0) + 1
        match fault:
            case "kill":
                number = int(_MOST_CHANGES * drawn.random() ** 2)
                self._do(name, work, arm=lambda: before_change(number, self.place.folder, kill_self))
            case "late-kill":
                self._held(name, fork_step(work).wait(kill_after=0.3 * drawn.random() ** 2))
            case "clock-jump":
                self._do(name, work, arm=set_clock_wrong(drawn))
            case "full-disk":
                assert disk is not None
                disk.fill(drawn.choice(_ROOM))
                self._do(name, work)
                disk.free()
            case "power-cut":
                assert disk is not None
                self._cut_power(disk, name, work, int(_MOST_CHANGES * drawn.random() ** 2))
            case "two-at-once":
                other = fork_step(self._work(step.beside, step))
                self._do(name, work)
                if step.beside == "serve":
                    self._refused_server(other)
                else:
                    self._held(f"{step.beside} beside it", other.wait())
            case "cut-line":
                with self.line.cut():
                    self._do(name, work)
            case "server-kill":
                running = fork_step(work)
                time.sleep(0.4 * drawn.random() ** 2)
                self._stop_server()
                self._start_server()
                self._held(name, running.wait())
            case "store-errors":
                self.place.let_store_fail(drawn.choice((0.05, 0.2)), step.seed)
                self._do(name, work)
                self.place.let_store_fail(0, 0)
            case "database-cut":
                running = fork_step(work)
                for _ in range(3):
                    time.sleep(0.06 * drawn.random())
                    self.place.cut_database()
                self._held(name, running.wait())
            case _:
                self._do(name, work)

    def _cut_power(self, disk: LifeDisk, name: str, work: Work, number: int) -> None:
        """Cut the power before a change of a step, or at its end, and start the computer again."""
        self._do(name, work, arm=lambda: before_change(number, disk.folder, disk.power_cut()))
        disk.cut_power()
        self._stop_server(is_judged=False)
        disk.come_back()
        self.place.let_time_pass()

    def _work(self, name: str, step: Step) -> Work:
        place, seed = self.place, step.seed
        if name in ("send", "withdraw sent"):
            self._start_server()
        if name == "erase":
            self.ledger.erasing.add(step.contributor)
        known: Mapping[str, Work] = {
            "record near": partial(steps.record_take, place.near, step.contributor, seed),
            "record far": partial(steps.record_take, place.far, step.contributor, seed),
            "send": partial(steps.send, place, self.line.url),
            "submit": partial(steps.submit, place),
            "process": partial(steps.process_waiting, place),
            "review": partial(steps.review, place, seed),
            "publish": partial(steps.publish, place),
            "export": partial(steps.export, place, seed),
            "serve": partial(steps.serve, place, 0),
            "withdraw": partial(steps.withdraw, place, seed, False),
            "withdraw sent": partial(steps.withdraw, place, seed, True),
            "erase": partial(steps.erase, place, step.contributor),
            "doctor": partial(steps.doctor, place),
            "read": partial(steps.read, place),
        }
        return known[name]

    def _end(self) -> None:
        """Do everything once more, as people do when all works again, and hold the invariants."""
        place = self.place
        self._stop_server()
        self.place.let_time_pass()
        self._start_server()
        works: list[Work] = [partial(steps.catch_up, place.near), partial(steps.catch_up, place.far)]
        works += [partial(steps.erase, place, contributor) for contributor in sorted(self.ledger.erasing)]
        works += [
            partial(steps.withdraw_one, place.near if where == "near" else place.far, recording)
            for where, recording in sorted(self.ledger.withdrawing)
            if where == "near" or not self._is_erased(recording)
        ]
        self._do("erasures at the end", partial(steps.one_after_the_other, works), must_succeed=True)
        self._do("send at the end", partial(steps.send, place, self.line.url))
        works = [
            partial(steps.submit, place),
            partial(steps.erase_withdrawn, place),
            partial(steps.process_waiting, place),
        ]
        ended = self._do("processing at the end", partial(steps.one_after_the_other, works), must_succeed=True)
        for line in ended.confirmed:
            if line[0] == "failed":
                self._break("processing at the end", f"{line[1]} cannot be processed: {line[2]}")
        self._do("publish at the end", partial(steps.publish, place))
        self._stop_server()
        judged = fork_step(partial(broken_invariants, place, self.ledger)).wait()
        self.life.broken += [f"{name}: {words}" for told, name, words in judged.confirmed if told == "broken"]
        if judged.code:
            self._break("the invariants", f"could not be looked at: {judged.output[-2000:]}")

    def _is_erased(self, recording: str) -> bool:
        contributors = {name: contributor for _, name, contributor, _ in self.ledger.of("recorded")}
        return contributors.get(recording) in self.ledger.erasing

    def _do(
        self, name: str, work: Work, *, arm: Callable[[], None] = lambda: None, must_succeed: bool = False
    ) -> Ended:
        ended = fork_step(work, arm=arm).wait()
        self._held(name, ended, must_succeed=must_succeed)
        return ended

    def _held(self, name: str, ended: Ended, *, must_succeed: bool = False) -> None:
        """Enter what a step confirmed, and hold its end to what ends may be."""
        self.life.steps += 1
        self.life.confirmed += len(ended.confirmed)
        self.ledger.told += ended.confirmed
        last = next((line for line in reversed(ended.output.splitlines()) if line.startswith("error: ")), "")
        told = ", ".join(" ".join(line[:3]) for line in ended.confirmed)
        self.life.story.append(f"{name}, {ended.core_seconds:.2f} s: {ended.code} {told} {last}".rstrip())
        is_killed = ended.code in (-signal.SIGKILL, CUT)
        self.life.killed += is_killed
        if is_killed and ended.code != CUT:
            self.place.let_time_pass()
        self.life.refused += ended.code == 1
        if ended.is_bug or "Traceback" in ended.output:
            self._break(name, f"ended by a bug: {ended.output[:4000]} ... {ended.output[4000:][-2000:]}")
        elif ended.code not in (0, 1) and not is_killed:
            self._break(name, f"ended with {ended.code}: {ended.output[-1000:]}")
        elif ended.code == 1 and not last:
            self._break(name, f"failed and did not say why: {ended.output[-1000:]}")
        elif must_succeed and ended.code:
            self._break(name, f"fails though nothing is wrong any more: {ended.output[-1000:]}")

    def _break(self, name: str, words: str) -> None:
        self.life.broken.append(f"{name}: {words}")

    def _refused_server(self, second: Forked) -> None:
        """Hold a second server of the workspace to what it must be: refused in words."""
        ended = second.wait()  # one that is let in hangs
        self.life.story.append(f"serve beside it: {ended.code}")
        if not (ended.code == 1 and "command failed" in ended.output):
            self._break("serve beside it", f"a second server of one workspace was let in: {ended.output[-1000:]}")

    def _start_server(self) -> None:
        if self.server is not None:
            return
        self.server = fork_step(partial(steps.serve, self.place, self.place.port))
        until = time.monotonic() + _LONGEST_START
        while time.monotonic() < until or others_take_the_processor():
            with contextlib.suppress(OSError):
                socket.create_connection((self.place.host, self.place.port), timeout=1).close()
                return
            if os.waitid(os.P_PID, self.server.process, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
                break
            time.sleep(0.01)
        self._break("the server", "did not start")

    def _stop_server(self, *, is_judged: bool = True) -> None:
        """Kill the server, as always here; what it printed may be a bug of its, unless its disk had gone."""
        if self.server is None:
            return
        self.server.kill()
        ended, self.server = self.server.wait(), None
        if not is_judged:
            return
        if ended.code != -signal.SIGKILL or ended.is_bug:
            self._break("the server", f"ended with {ended.code}: {ended.output[-3000:]}")
        for line in ended.output.splitlines():
            found = {"kind": line}
            with contextlib.suppress(ValueError):
                found = json.loads(line)
            if found.get("kind", "StorageFailed") not in _EXPLAINED:
                self._break("the server", f"met {found['kind']}: {found.get('traceback', '')}")


@dataclass
class _Line:
    """The line from the contributors to the server, whose address they know; it can be cut again and again."""

    host: str
    target: int
    url: str = ""
    _process: Forked | None = None

    def begin(self) -> None:
        """Let it be there until `end`."""
        with socket.create_server((self.host, 0)) as listening:
            port: int = listening.getsockname()[1]
            self.url = f"http://{self.host}:{port}"

            def run(_tell: Tell) -> None:
                proxy = BreakingProxy(self.target, host=self.host, port=port)
                signal.signal(signal.SIGUSR1, lambda *_: setattr(proxy, "cut_after", _CUT_AFTER))
                signal.signal(signal.SIGUSR2, lambda *_: setattr(proxy, "cut_after", None))
                proxy.accept(listening)

            self._process = fork_step(run)

    @contextmanager
    def cut(self) -> Iterator[None]:
        """Cut it every few kilobytes within the block."""
        assert self._process is not None
        os.kill(self._process.process, signal.SIGUSR1)
        try:
            yield
        finally:
            os.kill(self._process.process, signal.SIGUSR2)

    def end(self) -> None:
        """Take it away."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
