"""Events of annotations: each operation is told once and in order, whoever made it, and in the same words."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest

from annotate.labels.label_comparison import agreed_segments
from storage.catalog import Annotations, Annotator, LabelOperations
from storage.workspace import Workspace
from studio.web.labelling import label_events
from studio.web.labelling.label_events import LabelEvents
from studio.web.labelling.label_messages import shown_changes
from tests.support.annotated_recordings import content, new, waiting
from tests.support.own_loop import run
from tests.support.studio_server import running_studio


@pytest.fixture
def annotation(workspace: Workspace) -> str:
    return Annotations(workspace.catalog, agreed_segments).begin(waiting(workspace), Annotator("ben"))[0].annotation


def test_what_this_process_did_and_what_another_did_are_told_alike(
    workspace: Workspace, annotation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(label_events, "_LOOK_EVERY", 0.2)
    operations = LabelOperations(workspace.catalog)
    events, looks = LabelEvents(operations), list[int]()
    look = events._changes

    def counted(annotation: str, after: int) -> Any:
        looks.append(after)
        return look(annotation, after)

    monkeypatch.setattr(events, "_changes", counted)

    def edited(start: int, *, told: bool) -> None:
        log = operations.apply(annotation, [new(content(start, start + 5))], who="ben").log
        if told:
            events.tell(annotation, log)

    async def listen() -> list[dict[str, Any]]:
        heard: list[dict[str, Any]] = []
        stream = events.stream(annotation, 0)

        async def hear(count: int) -> None:
            while len(heard) < count:
                told = await asyncio.wait_for(anext(stream), 10)
                heard.extend(json.loads(line[6:]) for line in told.splitlines() if line.startswith("data: "))

        edited(0, told=False)
        await hear(1)
        first = asyncio.create_task(hear(2))
        await asyncio.sleep(0.05)
        looks.clear()
        edited(1, told=True)
        await first
        assert not looks, "what is told needs no look"
        edited(2, told=False)  # another process
        edited(3, told=True)  # does not follow on what was told
        await hear(4)
        edited(4, told=False)
        await hear(5)
        await stream.aclose()
        return heard

    heard = run(listen())
    assert [told["revision"] for told in heard] == [1, 2, 3, 4, 5]
    assert heard == json.loads(json.dumps(shown_changes(operations.changes(annotation, after=0))))


def test_one_stream_too_many_is_refused_until_another_ends(
    workspace: Workspace, annotation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(label_events, "_MOST_STREAMS", 2)
    with running_studio(workspace) as studio, studio.client() as client:
        address = f"/api/annotations/{annotation}/events"

        def refused() -> bool:
            with client.stream("GET", address) as answer:
                if answer.status_code == 200:
                    return False
                answer.read()
                assert answer.status_code == 409
                assert answer.json() == {
                    "error": "too many pages are open at once; close some, or ask for changes now and then instead",
                    "kind": "Conflict",
                }
                return True

        with client.stream("GET", address) as first, client.stream("GET", address) as second:
            texts = first.iter_text(), second.iter_text()  # an iterator that is let go of closes its stream
            assert [next(text) for text in texts] == ["retry: 2000\n\n"] * 2
            assert refused()
        until = time.monotonic() + 20
        while refused():  # the server hears a moment later that they have gone
            assert time.monotonic() < until
            time.sleep(0.1)
