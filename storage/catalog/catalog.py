"""An open catalog: all that can be done with it, put together from what each kind of entry offers."""

from __future__ import annotations

from dataclasses import dataclass

from storage.catalog.connection import connect
from storage.catalog.episode_entries import EpisodeEntries
from storage.catalog.outcome_entries import OutcomeEntries
from storage.catalog.recording_entries import RecordingEntries
from storage.catalog.task_entries import TaskEntries


@dataclass(frozen=True)
class Catalog(TaskEntries, RecordingEntries, OutcomeEntries, EpisodeEntries):
    """An open catalog. Every method is one transaction: it happens whole or not at all.

    What belongs to an account, a label, a review, an erasure or an export has a class of its own beside this one, which
    takes the catalog; all of them are in `storage.catalog`.
    """

    @classmethod
    def open(cls, url: str, *, create: bool = False) -> Catalog:
        """Open a catalog, and bring its tables up to date.

        Args:
            url: a SQLAlchemy URL, sqlite:///FILE or postgresql://HOST/DATABASE.
            create: whether a SQLite file that is not there is made.

        Returns:
            The catalog; close it at the end.

        Raises:
            NotFound: there is no such SQLite file, and it is not to be created.
            NewerFormat: a later release of kinesphere has migrated it.
            StorageFailed: the database cannot be reached or is full.
            InvalidInput: the URL is of no kind we know.
        """
        return cls(connect(url, create=create))
