"""The wishes of whoever is given recordings to work on: of one task, in one language, and not these."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Select, false, select, tuple_
from sqlalchemy.orm import Session

from kinesphere.errors import NotFound
from storage.catalog.tables import RecordingTable, TaskTable

_Selected = TypeVar("_Selected", bound="Select[*tuple[Any, ...]]")


@dataclass(frozen=True)
class WorkFilter:
    """Which recordings somebody asks for, to review or to label."""

    task_versions: Sequence[tuple[str, int]] | None
    past: Collection[str]

    @classmethod
    def of(cls, session: Session, task: str | None, language: str | None, past: Collection[str]) -> WorkFilter:
        """Raises NotFound if there is no such task."""
        if task is None and language is None:
            return cls(None, past)
        query = select(TaskTable.name, TaskTable.version, TaskTable.content)
        known = [(name, version, content) for name, version, content in session.execute(query)]
        if task is not None and task not in {name for name, _, _ in known}:
            raise NotFound("task", task, sorted({name for name, _, _ in known}), "see: kinesphere task list")
        chosen = [
            (name, version)
            for name, version, content in known
            if task in (None, name) and (language is None or _speaks(str(content.get("language", "en")), language))
        ]
        return cls(chosen, past)

    def restricted(self, query: _Selected) -> _Selected:
        """The query, restricted to these recordings."""
        if self.past:
            query = query.where(RecordingTable.recording.not_in(self.past))
        if self.task_versions is None:
            return query
        if not self.task_versions:
            return query.where(false())
        return query.where(tuple_(RecordingTable.task, RecordingTable.task_version).in_(self.task_versions))


def _speaks(language: str, asked: str) -> bool:
    return language.lower() == asked.lower() or language.lower().startswith(f"{asked.lower()}-")
