"""What is written of a recording that leaves at that moment: it goes again, whoever wrote it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from kinesphere.errors import KinesphereError, StorageFailed
from kinesphere.objects.store import Objects
from storage.workspace import Workspace


@contextmanager
def undone_if_departed(workspace: Workspace, recording: str) -> Iterator[None]:
    """Write objects of a recording and enter it in the catalog, within the block; if that fails, look whether it left.

    An erasure deletes objects once, so what comes later would stay for ever. A failure that has another reason, such
    as that somebody else has entered the same recording, deletes nothing that the catalog knows.

    Args:
        workspace: an open workspace.
        recording: its id.

    Yields:
        Nothing: the block does the work.

    Raises:
        KinesphereError: whatever the block raises.
    """
    try:
        yield
    except KinesphereError:
        with suppress(StorageFailed):
            if workspace.catalog.departed([recording]):
                workspace.objects.delete_below(f"recordings/{recording}")
        raise


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
