"""Events of annotations: each operation is told once and in order, whoever made it, and in the same words."""

from __future__ import annotations

import asyncio
import json
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
        await stream.aclose()  # type: ignore[attr-defined]
        return heard

    heard = run(listen())
    assert [told["revision"] for told in heard] == [1, 2, 3, 4, 5]
    assert heard == json.loads(json.dumps(shown_changes(operations.changes(annotation, after=0))))
