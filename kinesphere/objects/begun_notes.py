"""Whose objects are that are still being written, or were when their writer was killed.

Some objects belong together, and one of them says whose they are: a shard's `zarr.json`, which comes last because it
makes the others visible, or a recording's `recording.json`. What it will say is there before any of the others: on a
disk under the name that files have until they are whole, which no listing shows; in an object store, which has no such
names, as `begun.json` beside it, until it is there itself. `Objects.put_all` writes so.
"""

from __future__ import annotations

from pathlib import Path

from kinesphere.objects.local_files import staged_of

BEGUN = "begun.json"


def begun_key(key: str) -> str:
    """Key of the note that says, in an object store, what an object will say.

    Args:
        key: of an object in a folder.

    Returns:
        A key in the same folder.
    """
    return f"{key.rpartition('/')[0]}/{BEGUN}"


def is_begun_note(key: str) -> bool:
    """Whether a key is one of a note, which is no part of what it lies beside.

    Args:
        key: of an object.

    Returns:
        True for what `begun_key` gives.
    """
    return key.rpartition("/")[2] == BEGUN


def begun_contents(path: Path) -> list[bytes]:
    """What is being written to a file, or was when its writer was killed.

    Args:
        path: of the file, there or not.

    Returns:
        The content so far of each that writes, or wrote; none of those that have ended.
    """
    found = []
    for staged in staged_of(path):
        try:
            found.append(staged.read_bytes())
        except FileNotFoundError:
            continue  # it has its name by now, or its writer has given up
    return found
