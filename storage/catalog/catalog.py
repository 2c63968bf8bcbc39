"""The catalog's verbs."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar, cast

from sqlalchemy import Engine, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from kinesphere.errors import Conflict, NotFound
from kinesphere.names import checked_name
from storage.catalog.connection import connect, database_errors, one_at_a_time
from storage.catalog.labels.label_records import VersionedSegment
from storage.catalog.publishable import authoritative, episode_table
from storage.catalog.records import (
    CheckRecord,
    Decision,
    Event,
    RecordingRecord,
    ReviewRecord,
    StoredTask,
    TrajectoryRecord,
)
from storage.catalog.reviews.opinions import give_opinion
from storage.catalog.state_machine import locked, move, new_event
from storage.catalog.tables import (
    NOBODY,
    CheckTable,
    ContributorTable,
    EventTable,
    RecordingTable,
    ReviewTable,
    SegmentTable,
    Table,
    TaskTable,
    TrajectoryTable,
)
from storage.recordings.consent import Coverage
from storage.recordings.recording import RecordingFile, State
from storage.recordings.segment import Segment
from storage.tasks.task import Task

if TYPE_CHECKING:
    import pyarrow as pa
    from _typeshed import DataclassInstance

T = TypeVar("T", bound="DataclassInstance")


@dataclass(frozen=True)
class Catalog:
    """An open catalog. Every method is one transaction: it happens whole or not at all."""

    engine: Engine

    @classmethod
    def open(cls, url: str, *, create: bool = False) -> Catalog:
        """Open the catalog at a SQLAlchemy URL; errors as in `storage.catalog.connection.connect`."""
        return cls(connect(url, create=create))

    def close(self) -> None:
        """Give the database's connections back."""
        self.engine.dispose()

    def add_task(self, task: Task) -> tuple[StoredTask, bool]:
        """Store a task; changed content becomes the next version. Says whether anything was written."""
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
        """A task in its newest version, or in the one named.

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
        """All tasks in their newest versions, by name."""
        newest = select(TaskTable.name, func.max(TaskTable.version)).group_by(TaskTable.name)
        with self.reading() as session:
            keys = [cast("tuple[str, int]", tuple(row)) for row in session.execute(newest)]
            rows = [session.get(TaskTable, key) for key in sorted(keys)]
            return [_stored_task(row) for row in rows if row is not None]

    def add_contributor(self, contributor: str) -> bool:
        """Enrol a contributor under a pseudonymous id; says whether they are new."""
        checked_name("contributor", contributor)
        with self.writing() as session:
            if session.get(ContributorTable, contributor) is not None:
                return False
            session.add(ContributorTable(contributor=contributor, created_at=datetime.now(UTC)))
            return True

    def contributors(self) -> list[str]:
        """The ids of all contributors, sorted."""
        with self.reading() as session:
            names = session.scalars(select(ContributorTable.contributor).order_by(ContributorTable.contributor))
            return [name for name in names if name != NOBODY]

    def require_contributor(self, contributor: str) -> None:
        """Make sure a contributor is enrolled.

        Raises:
            NotFound: they are not.
        """
        known = self.contributors()
        if contributor not in known:
            hint = f"enrol a new person with: kinesphere contributor add {contributor}"
            raise NotFound("contributor", contributor, known, hint)

    def add_recording(self, description: RecordingFile, *, who: str) -> None:
        """Enter a take as a draft."""
        video = description.video
        row = RecordingTable(
            recording=description.recording,
            task=description.task,
            task_version=description.task_version,
            contributor=description.contributor,
            state=State.DRAFT,
            created_at=description.created_at,
            duration_ns=video.duration_ns,
            frames=video.frames,
            width=video.width,
            height=video.height,
            frame_rate=video.frame_rate,
            video_sha256=video.sha256,
            source_sha256=description.origin.source_sha256,
            replaces=description.replaces,
            scopes=description.consent.scopes,
            consent_expires_at=description.consent.expires_at,
        )
        try:
            with self.writing() as session:
                session.add(row)
                session.flush()
                session.add(new_event(description.recording, who, None, State.DRAFT, description.origin.kind))
        except IntegrityError as error:
            self.require_contributor(description.contributor)
            raise Conflict(f"recording {description.recording} is in the catalog already") from error

    def recording(self, recording: str) -> RecordingRecord:
        """One recording.

        Raises:
            NotFound: there is none of this id.
        """
        with self.reading() as session:
            row = session.get(RecordingTable, recording)
            if row is None:
                raise NotFound("recording", recording, hint="see: kinesphere status")
            return _record(RecordingRecord, row)

    def recordings(
        self, *states: State, contributor: str | None = None, source_sha256: str | None = None
    ) -> list[RecordingRecord]:
        """Recordings in any of the states given (all, if none), oldest first."""
        query = select(RecordingTable).order_by(RecordingTable.created_at, RecordingTable.recording)
        if states:
            query = query.where(RecordingTable.state.in_(states))
        if contributor is not None:
            query = query.where(RecordingTable.contributor == contributor)
        if source_sha256 is not None:
            query = query.where(RecordingTable.source_sha256 == source_sha256)
        with self.reading() as session:
            return [_record(RecordingRecord, row) for row in session.scalars(query)]

    def replacements(self, recording: str) -> list[RecordingRecord]:
        """The takes that replace a recording and were not taken back, oldest first."""
        query = select(RecordingTable).where(
            RecordingTable.replaces == recording, RecordingTable.state.not_in((State.WITHDRAWN, State.ERASED))
        )
        with self.reading() as session:
            ordered = query.order_by(RecordingTable.created_at, RecordingTable.recording)
            return [_record(RecordingRecord, row) for row in session.scalars(ordered)]

    def departed(self, recordings: Iterable[str]) -> list[str]:
        """Which of these recordings are withdrawn or erased, or not here at all."""
        query = select(RecordingTable.recording).where(RecordingTable.state.not_in((State.WITHDRAWN, State.ERASED)))
        with self.reading() as session:
            return sorted(set(recordings) - set(session.scalars(query)))

    def submit(self, recording: str, *, who: str, sent_to: str | None = None) -> None:
        """Hand a draft in: to this workspace, or, where `sent_to` names one, to a server that has confirmed it."""
        with self.writing() as session:
            move(session, recording, State.SUBMITTED, who=who, why=f"sent to {sent_to}" if sent_to else "submitted")
            if sent_to:
                chosen = update(RecordingTable).where(RecordingTable.recording == recording)
                session.execute(chosen.values(sent_to=sent_to))

    def withdraw(self, recording: str, *, who: str, why: str) -> None:
        """Take a recording back, in whatever state it is; once withdrawn, it stays as it is.

        From then on nothing that is published holds it.
        """
        with self.writing() as session:
            if locked(session, recording).state not in (State.WITHDRAWN, State.ERASED):
                move(session, recording, State.WITHDRAWN, who=who, why=why)

    def record_outcome(
        self,
        recording: str,
        state: State,
        *,
        checks: Sequence[CheckRecord],
        trajectory: TrajectoryRecord,
        who: str,
        why: str,
    ) -> None:
        """Enter what processing found: the checks, the trajectory and the state that follows from them.

        Raises:
            Conflict: the recording is no longer waiting; another process was faster, or it was withdrawn.
        """
        with self.writing() as session:
            move(session, recording, state, who=who, why=why)
            for check in checks:
                session.merge(CheckTable(recording=recording, **vars(check)))
            session.merge(TrajectoryTable(**vars(trajectory), created_at=datetime.now(UTC)))

    def add_trajectory(self, trajectory: TrajectoryRecord) -> None:
        """Enter what another extraction of a processed recording gave; it is the newest trajectory from now on.

        Raises:
            Conflict: the recording is neither accepted nor flagged any more.
        """
        with self.writing() as session:
            row = session.get(RecordingTable, trajectory.recording, with_for_update=True)
            if row is None:
                raise NotFound("recording", trajectory.recording, hint="see: kinesphere status")
            if row.state not in (State.ACCEPTED, State.FLAGGED):
                raise Conflict(f"recording {row.recording} is {row.state}; no trajectory is entered for it")
            session.merge(TrajectoryTable(**vars(trajectory), created_at=datetime.now(UTC)))

    def decide(self, recording: str, decision: Decision, *, reviewer: str, feedback: str) -> ReviewRecord:
        """Enter a reviewer's opinion on a recording that waits for one; errors as in `opinions.give_opinion`."""
        with self.writing() as session:
            at = datetime.now(UTC)
            return give_opinion(session, recording, decision, reviewer=reviewer, feedback=feedback, at=at)

    def events(self, recording: str) -> list[Event]:
        """The life of a recording so far, oldest first."""
        query = select(EventTable).where(EventTable.recording == recording).order_by(EventTable.event)
        with self.reading() as session:
            return [_record(Event, row) for row in session.scalars(query)]

    def checks(self, recording: str) -> list[CheckRecord]:
        """The results of the automated checks of a recording, by name."""
        query = select(CheckTable).where(CheckTable.recording == recording).order_by(CheckTable.check)
        with self.reading() as session:
            return [_record(CheckRecord, row) for row in session.scalars(query)]

    def reviews(self, recording: str) -> list[ReviewRecord]:
        """What reviewers said of a recording, oldest first, but for answers that only measured them."""
        query = select(ReviewTable).where(ReviewTable.recording == recording, ReviewTable.reason != "gold")
        with self.reading() as session:
            return [_record(ReviewRecord, row) for row in session.scalars(query.order_by(ReviewTable.review))]

    def trajectory(self, recording: str) -> TrajectoryRecord | None:
        """The newest trajectory of a recording, if it was extracted."""
        query = select(TrajectoryTable).where(TrajectoryTable.recording == recording)
        with self.reading() as session:
            row = session.scalars(query.order_by(TrajectoryTable.created_at.desc())).first()
            return _record(TrajectoryRecord, row) if row is not None else None

    def add_segment(self, recording: str, segment: Segment, *, author: str) -> VersionedSegment:
        """Enter a segment that code has made, which belongs to nobody's annotation; gives it with its new id."""
        made = VersionedSegment(secrets.token_hex(8), 0, segment)
        row = SegmentTable(
            segment=made.segment,
            version=made.version,
            recording=recording,
            author=author,
            created_at=datetime.now(UTC),
            **vars(segment),
        )
        with self.writing() as session:
            session.add(row)
        return made

    def segments(self, recording: str) -> list[Segment]:
        """The segments of a recording that count, in order of time: those that `publishable` has, too."""
        query = select(SegmentTable).where(SegmentTable.recording == recording, authoritative())
        with self.reading() as session:
            rows = session.scalars(query.order_by(SegmentTable.start_ns, SegmentTable.segment))
            return [_record(Segment, row) for row in rows]

    def publishable(
        self, is_chosen: Callable[[str, str], bool] = lambda extractor, shard: True, *, with_segments: bool = True
    ) -> pa.Table:
        """The episodes of every accepted recording, by `EPISODE_SCHEMA`, oldest recording first.

        A recording with segments gives one episode a segment, in order of time; one without enters whole.

        Args:
            is_chosen: says of an extractor, with one of its shards, whether its trajectories are chosen; of those the
                newest of each recording is taken.
            with_segments: if not, every recording enters whole.
        """
        return episode_table(self.engine, is_chosen, with_segments=with_segments)

    def consents(self) -> dict[str, Coverage]:
        """For every accepted recording what its contributor's consent covers."""
        columns = RecordingTable.recording, RecordingTable.scopes, RecordingTable.consent_expires_at
        query = select(*columns).where(RecordingTable.state == State.ACCEPTED)
        with self.reading() as session:
            return {row[0]: Coverage(row[1], row[2]) for row in session.execute(query)}

    @contextmanager
    def lock(self, purpose: str) -> Iterator[None]:
        """Do something that nobody else does meanwhile on this catalog; see `connection.one_at_a_time`."""
        with one_at_a_time(self.engine, purpose):
            yield

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A transaction that only reads, for modules of the catalog."""
        with database_errors(self._shown), Session(self.engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A transaction that writes, for modules of the catalog."""
        with (
            database_errors(self._shown),
            Session(self._writer, expire_on_commit=False) as session,
            session.begin(),
        ):
            yield session

    @cached_property
    def _writer(self) -> Engine:
        return self.engine.execution_options(writes=True)

    @cached_property
    def _shown(self) -> str:
        return self.engine.url.render_as_string(hide_password=True)


def _newest_task(session: Session, name: str) -> TaskTable | None:
    return session.scalars(select(TaskTable).where(TaskTable.name == name).order_by(TaskTable.version.desc())).first()


def _stored_task(row: TaskTable) -> StoredTask:
    return StoredTask(Task.model_validate(row.content), row.version, row.created_at)


def _record(kind: type[T], row: Table) -> T:
    """The dataclass `kind` from the row of the table that has its fields as columns."""
    return kind(**{field.name: getattr(row, field.name) for field in fields(kind)})
