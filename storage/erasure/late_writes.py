"""What is written of a recording that leaves at that moment: it goes again, whoever wrote it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from kinesphere.errors import Conflict, CorruptObject, KinesphereError, NotFound, StorageFailed
from kinesphere.objects.store import Objects
from storage.recordings.recording import State
from storage.workspace import Workspace


@contextmanager
def undone_if_departed(workspace: Workspace, recording: str, contributor: str) -> Iterator[None]:
    """Write objects of a recording and enter it in the catalog, within the block; if that fails, look whether it left.

    An erasure deletes objects once, so what comes later would stay for ever. After any other failure nothing is
    deleted: somebody else may have written the same objects and be about to enter them. What then belongs to nobody
    is overwritten when it is sent again.

    Args:
        workspace: an open workspace.
        recording: its id.
        contributor: whose recording it is.

    Yields:
        Nothing: the block does the work.

    Raises:
        Conflict: it has left, and an erasure took what was being written.
        KinesphereError: whatever else the block raises.
    """
    try:
        yield
    except KinesphereError as error:
        has_left = False
        with suppress(StorageFailed):
            if has_left := _has_left(workspace, recording, contributor):
                workspace.objects.delete_below(f"recordings/{recording}")
        if has_left and isinstance(error, StorageFailed | CorruptObject):  # the erasure took its files away
            raise Conflict(f"recording {recording} was taken back, or its contributor has left") from error
        raise


def _has_left(workspace: Workspace, recording: str, contributor: str) -> bool:
    try:
        row = workspace.catalog.recording(recording)
    except NotFound:  # while the contributor is enrolled, it may be entered yet
        return contributor not in workspace.catalog.contributors()
    return row.state in (State.WITHDRAWN, State.ERASED)


def remove_empty_folder(objects: Objects, prefix: str) -> None:
    """Remove the folder of a prefix if objects are files and it holds none: its name tells that somebody was here.

    Args:
        objects: an object store.
        prefix: folders with slashes between, without one at the end.
    """
    folder = objects.local_path(prefix)
    if folder is not None:
        with suppress(OSError):  # it is not empty, or not there
            folder.rmdir()
