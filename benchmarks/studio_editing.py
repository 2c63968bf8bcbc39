"""Annotators who edit at the same time: how long the server takes to have an operation on its disk and to answer.

Each has a recording of their own and its label page open (a stream of events), and makes an operation a second on
average: a new segment, its edge moved, its label changed, its deletion. Beats of different annotators have no order.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import secrets
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from benchmarks.studio_server import Served, load, served, spread
from storage.catalog import Role
from storage.workspace import create_workspace
from studio.commands.output import print_table
from tests.support.label_page import LABELS
from tests.support.populated_workspaces import add_recording
from tests.support.submitted_takes import TASK

FRAME_NS = 33_333_333
FRAMES = 900


@dataclass
class _Annotator:
    """One person: their connection, their segments and the times of their answers."""

    client: httpx.AsyncClient
    annotation: str
    draw: random.Random
    segments: dict[str, dict[str, object]] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    heard: int = 0

    async def edit(self, until: float, every: float) -> None:
        """Make operations until a moment of `time.monotonic`."""
        next_at = time.monotonic() + self.draw.uniform(0, every)
        while next_at < until:
            await asyncio.sleep(max(0.0, next_at - time.monotonic()))
            body = {"operations": [{"operation": secrets.token_hex(16), "changes": [self._change()]}]}
            began = time.monotonic()
            answer = await self.client.post(f"/api/annotations/{self.annotation}/operations", json=body)
            self.seconds.append(time.monotonic() - began)
            told = answer.json()
            if answer.status_code != 200:
                raise AssertionError(f"an operation was answered {answer.status_code}: {told}")
            for segment in told["segments"]:
                self.segments[segment["segment"]] = segment
            for segment in told["deleted"]:
                del self.segments[segment]
            next_at += self.draw.uniform(0.5, 1.5) * every

    async def listen(self) -> None:
        """Have the page open: the stream of events."""
        async with self.client.stream("GET", f"/api/annotations/{self.annotation}/events") as answer:
            async for line in answer.aiter_lines():
                self.heard += line.startswith("id:")

    def _change(self) -> dict[str, object]:
        kind = self.draw.choice(("new", "new", "move", "label", "delete")) if self.segments else "new"
        if kind == "new":
            start = self.draw.randrange(FRAMES - 60)
            after: dict[str, object] = {
                "track": "task phase", "start_ns": start * FRAME_NS, "end_ns": (start + 45) * FRAME_NS,
                "label": self.draw.choice(LABELS.verbs), "hand": "right",
            }  # fmt: skip
            return {"segment": secrets.token_hex(8), "before": None, "after": after}
        segment = self.segments[self.draw.choice(list(self.segments))]
        change: dict[str, object] = {"segment": segment["segment"], "before": segment["version"], "after": None}
        if kind == "move":
            change["after"] = {**segment, "end_ns": int(str(segment["end_ns"])) - FRAME_NS}
        elif kind == "label":
            change["after"] = {**segment, "label": self.draw.choice(LABELS.verbs)}
        return change


def editing(*, annotators: int = 50, seconds: float = 60, every: float = 1.0, pages: bool = True) -> None:
    """Print what `annotators` wait for, who make an operation `every` so many seconds."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "workspace"
        workspace = create_workspace(folder)
        workspace.catalog.add_task(TASK.model_copy(update={"labels": LABELS}))
        workspace.catalog.add_contributor("anna")
        recordings = [
            add_recording(workspace, "anna", seed=seed, frames=FRAMES).recording for seed in range(annotators)
        ]
        workspace.catalog.close()
        with served(folder) as studio:
            people = asyncio.run(_edited(studio, recordings, seconds, every, pages))
    print_table(
        f"{annotators} annotators, an operation every {every:g} s each, {load()}",
        ["", "operations", "median ms", "p95 ms", "longest ms", "processor ms an operation", "of who asks"],
        [people],
    )


async def _edited(studio: Served, recordings: list[str], seconds: float, every: float, pages: bool) -> list[str]:
    tokens = studio.tokens(Role.ANNOTATOR, [f"annotator-{number}" for number in range(len(recordings))])
    limits, people = httpx.Limits(max_connections=2), list[_Annotator]()
    async with contextlib.AsyncExitStack() as stack:
        for number, (recording, token) in enumerate(zip(recordings, tokens, strict=True)):
            client = await stack.enter_async_context(
                httpx.AsyncClient(
                    base_url=studio.url,
                    headers={"Authorization": f"Bearer {token}"},
                    trust_env=False,
                    timeout=60,
                    limits=limits,
                )
            )
            answer = await client.post(f"/api/recordings/{recording}/annotations", json={})
            annotation = answer.raise_for_status().json()["annotation"]
            people.append(_Annotator(client, annotation, random.Random(number)))
        listening = [asyncio.create_task(person.listen()) for person in people] if pages else []
        await asyncio.sleep(1)
        await asyncio.gather(*(person.edit(time.monotonic() + 3, every) for person in people))  # all is warm now
        for person in people:
            person.seconds.clear()
        used, own = studio.cpu_seconds(), time.process_time()
        await asyncio.gather(*(person.edit(time.monotonic() + seconds, every) for person in people))
        used, own = studio.cpu_seconds() - used, time.process_time() - own
        for task in listening:
            task.cancel()
        await asyncio.gather(*listening, return_exceptions=True)
    waits = [wait for person in people for wait in person.seconds]
    await _check(studio, people)
    return ["edits", str(len(waits)), *spread(waits), *(f"{1e3 * spent / len(waits):.1f}" for spent in (used, own))]


async def _check(studio: Served, people: list[_Annotator]) -> None:
    """Every operation that was answered is in the catalog, and nothing else."""
    async with httpx.AsyncClient(base_url=studio.url, headers=studio.headers(), trust_env=False) as client:
        for person in people:
            answer = await client.get(f"/api/annotations/{person.annotation}")
            kept = {segment["segment"]: segment for segment in answer.raise_for_status().json()["segments"]}
            if kept != person.segments:
                raise AssertionError(f"annotation {person.annotation} is not what its annotator made")
