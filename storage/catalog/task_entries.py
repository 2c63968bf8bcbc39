"""Tasks in the catalog: every version of each, newest first where one is asked for."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import cast

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from kinesphere.errors import NotFound
from storage.catalog.records import StoredTask
from storage.catalog.tables import TaskTable
from storage.catalog.transactions import Transactions
from storage.tasks.task import Task


class TaskEntries(Transactions):
    """What the catalog does with tasks."""

    def add_task(self, task: Task) -> tuple[StoredTask, bool]:
        """Store a task; changed content becomes the next version.

        Args:
            task: as its file says.

        Returns:
            The task as it is stored, and whether anything was written.
        """
        with self.writing() as session:
            newest = _newest_task(session, task.name)
            if newest is not None and newest.content_sha256 == task.content_sha256:
                return _stored_task(newest), False
            row = TaskTable(
                name=task.name,
                version=newest.version + 1 if newest is not None else 1,
                content=task.model_dump(mode="json"),
                content_sha256=task.content_sha256,
                created_at=datetime.now(UTC),
            )
            session.add(row)
            return _stored_task(row), True

    def task(self, name: str, version: int | None = None) -> StoredTask:
        """One version of a task.

        Args:
            name: of the task.
            version: counted from 1; the newest by default.

        Returns:
            The task as it is stored.

        Raises:
            NotFound: there is none.
        """
        with self.reading() as session:
            row = _newest_task(session, name) if version is None else session.get(TaskTable, (name, version))
            if row is None:
                known = list(session.scalars(select(TaskTable.name).distinct()))
                raise NotFound("task", name, known, "add one with: kinesphere task add FILE.toml")
            return _stored_task(row)

    def tasks(self) -> list[StoredTask]:
        """All tasks in their newest versions.

        Returns:
            Sorted by name.
        """
        newest = select(TaskTable.name, func.max(TaskTable.version)).group_by(TaskTable.name)
        with self.reading() as session:
            keys = [cast("tuple[str, int]", tuple(row)) for row in session.execute(newest)]
            rows = [session.get(TaskTable, key) for key in sorted(keys)]
            return [_stored_task(row) for row in rows if row is not None]


def _newest_task(session: Session, name: str) -> TaskTable | None:
    return session.scalars(select(TaskTable).where(TaskTable.name == name).order_by(TaskTable.version.desc())).first()


def _stored_task(row: TaskTable) -> StoredTask:
    return StoredTask(Task.model_validate(row.content), row.version, row.created_at)
