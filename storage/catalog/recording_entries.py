"""Recordings in the catalog: entered as drafts, looked up, submitted and withdrawn."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from kinesphere.errors import Conflict, NotFound
from storage.catalog.people.contributor_entries import ContributorEntries
from storage.catalog.records import Event, RecordingRecord
from storage.catalog.state_machine import locked, move, new_event
from storage.catalog.tables import EventTable, RecordingTable
from storage.catalog.transactions import record_of
from storage.recordings.consent import Coverage
from storage.recordings.recording import RecordingFile, State


def recording_row(description: RecordingFile, state: State) -> RecordingTable:
    """The row of a recording, by what its description says.

    Args:
        description: what lies beside its video.
        state: the state it is in.

    Returns:
        A row that no session has yet.
    """
    video = description.video
    return RecordingTable(
        recording=description.recording,
        task=description.task,
        task_version=description.task_version,
        contributor=description.contributor,
        state=state,
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


class RecordingEntries(ContributorEntries):
    """What the catalog does with recordings, and with who made them."""

    def add_recording(self, description: RecordingFile, *, who: str) -> None:
        """Enter a take as a draft.

        Args:
            description: what `recording.json` says of it.
            who: enters it, for its events.

        Raises:
            NotFound: its contributor is not enrolled.
            Conflict: the catalog has a recording of this id already.
        """
        row = recording_row(description, State.DRAFT)
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

        Args:
            recording: its id.

        Returns:
            Its entry.

        Raises:
            NotFound: there is none of this id.
        """
        with self.reading() as session:
            row = session.get(RecordingTable, recording)
            if row is None:
                raise NotFound("recording", recording, hint="see: kinesphere status")
            return record_of(RecordingRecord, row)

    def recordings(
        self, *states: State, contributor: str | None = None, source_sha256: str | None = None
    ) -> list[RecordingRecord]:
        """Recordings in any of the states given, or in any state at all.

        Args:
            *states: the states; all, if none is given.
            contributor: only those of this one; None is all.
            source_sha256: only imports of the file with this hash; None is all.

        Returns:
            Their entries, oldest first.
        """
        query = select(RecordingTable).order_by(RecordingTable.created_at, RecordingTable.recording)
        if states:
            query = query.where(RecordingTable.state.in_(states))
        if contributor is not None:
            query = query.where(RecordingTable.contributor == contributor)
        if source_sha256 is not None:
            query = query.where(RecordingTable.source_sha256 == source_sha256)
        with self.reading() as session:
            return [record_of(RecordingRecord, row) for row in session.scalars(query)]

    def replacements(self, recording: str) -> list[RecordingRecord]:
        """The takes that replace a recording and were not taken back.

        Args:
            recording: id of the one that is replaced.

        Returns:
            Their entries, oldest first.
        """
        query = select(RecordingTable).where(
            RecordingTable.replaces == recording, RecordingTable.state.not_in((State.WITHDRAWN, State.ERASED))
        )
        with self.reading() as session:
            ordered = query.order_by(RecordingTable.created_at, RecordingTable.recording)
            return [record_of(RecordingRecord, row) for row in session.scalars(ordered)]

    def departed(self, recordings: Iterable[str]) -> list[str]:
        """Which of these recordings are withdrawn or erased, or not here at all.

        Args:
            recordings: ids to look at.

        Returns:
            The ids of those, sorted.
        """
        query = select(RecordingTable.recording).where(RecordingTable.state.not_in((State.WITHDRAWN, State.ERASED)))
        with self.reading() as session:
            return sorted(set(recordings) - set(session.scalars(query)))

    def submit(self, recording: str, *, who: str, sent_to: str | None = None) -> None:
        """Hand a draft in, to this workspace or to a server that has confirmed it.

        Args:
            recording: its id.
            who: submits it, for its events.
            sent_to: address of the server; None is this workspace.

        Raises:
            NotFound: there is no such recording.
            Conflict: it is no draft.
        """
        with self.writing() as session:
            move(session, recording, State.SUBMITTED, who=who, why=f"sent to {sent_to}" if sent_to else "submitted")
            if sent_to:
                chosen = update(RecordingTable).where(RecordingTable.recording == recording)
                session.execute(chosen.values(sent_to=sent_to))

    def withdraw(self, recording: str, *, who: str, why: str) -> None:
        """Take a recording back, in whatever state it is; once withdrawn, it stays as it is.

        From then on nothing that is published holds it.

        Args:
            recording: its id.
            who: takes it back, for its events.
            why: in a line.

        Raises:
            NotFound: there is no such recording.
        """
        with self.writing() as session:
            if locked(session, recording).state not in (State.WITHDRAWN, State.ERASED):
                move(session, recording, State.WITHDRAWN, who=who, why=why)

    def events(self, recording: str) -> list[Event]:
        """Every change of a recording's state so far.

        Args:
            recording: its id.

        Returns:
            Oldest first; none if there is no such recording.
        """
        query = select(EventTable).where(EventTable.recording == recording).order_by(EventTable.event)
        with self.reading() as session:
            return [record_of(Event, row) for row in session.scalars(query)]

    def consents(self) -> dict[str, Coverage]:
        """What contributors have consented to.

        Returns:
            For the id of every accepted recording, what its consent covers.
        """
        columns = RecordingTable.recording, RecordingTable.scopes, RecordingTable.consent_expires_at
        query = select(*columns).where(RecordingTable.state == State.ACCEPTED)
        with self.reading() as session:
            return {row[0]: Coverage(row[1], row[2]) for row in session.execute(query)}
