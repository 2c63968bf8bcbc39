"""Objects as files on a local disk: read in part, and written such that they survive a power cut.

A file is confirmed only after the disk has it: the content first, then its name, then the folders above. On a disk,
none of these follows from another. Object stores do this by themselves.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

_FLUSHES_AT_ONCE = 8
"""The disk takes many at a time for hardly more than the time of one."""


def read_file(path: Path, byte_range: tuple[int, int] | None) -> bytes:
    """Read a file, or a part of it, without obstore: that would wait for ever in the forked processes of training.

    Args:
        path: of the file.
        byte_range: first byte and the one after the last; all where it is None.

    Returns:
        The bytes.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        if byte_range is None:
            return file.read()
        file.seek(byte_range[0])
        return file.read(byte_range[1] - byte_range[0])


def flush_file(path: Path) -> None:
    """Return once the disk has a file's content; its name is another matter, see `flush_folder`.

    Args:
        path: of the file.

    Raises:
        OSError: the disk refused.
    """
    descriptor = os.open(path, os.O_RDONLY if os.name == "posix" else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def flush_folder(folder: Path) -> None:
    """Return once the disk has which names a folder holds: what was made, moved or deleted in it.

    Args:
        folder: one that is there; where the system cannot flush folders, nothing is done.

    Raises:
        OSError: the disk refused.
    """
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def flush_names(paths: Iterable[Path], root: Path) -> None:
    """Flush the folders that some files lie in and those above them, each once.

    All of them each time: a process that was killed may have made one of them and not have flushed it.

    Args:
        paths: the files, there or deleted.
        root: the last folder upwards that is flushed.

    Raises:
        OSError: the disk refused.
    """
    folders = {folder for path in paths for folder in path.parents if folder == root or root in folder.parents}
    for folder in sorted(folders, key=lambda folder: len(folder.parts), reverse=True):
        with suppress(FileNotFoundError, PermissionError):  # deleted meanwhile; or not ours, so that we did not make it
            flush_folder(folder)


def write_whole(path: Path, data: bytes | Path, *, root: Path | None = None) -> None:
    """Write a file, in place of what was there: it is there whole or not at all, also after a power cut.

    Args:
        path: of the file.
        data: the content, or the file to copy.
        root: the last folder upwards that is flushed; the file's own by default.

    Raises:
        OSError: the disk refused; what was there before is.
    """
    write_all_whole({path: data}, root=root or path.parent)


def write_all_whole(files: Mapping[Path, bytes | Path], *, root: Path) -> None:
    """Write files as `write_whole` does, in their order, for less than each by itself takes.

    Args:
        files: contents, or files to copy, by path.
        root: the last folder upwards that is flushed.

    Raises:
        OSError: the disk refused; some of them may be there.
    """
    staged: dict[Path, Path] = {}
    try:
        for path, data in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            staged[path] = staged_path(path)
            _write(staged[path], data)
        _flush_files(list(staged.values()))
        for path, temporary in staged.items():
            temporary.replace(path)
    except BaseException:
        for temporary in staged.values():
            temporary.unlink(missing_ok=True)
        raise
    flush_names(files, root)


def write_if_absent(path: Path, data: bytes, *, root: Path) -> bool:
    """Write a file as `write_whole` does, unless its name is taken.

    Args:
        path: of the file.
        data: the content.
        root: the last folder upwards that is flushed.

    Returns:
        Whether it was written.

    Raises:
        OSError: the disk refused.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    staged = staged_path(path)
    try:
        _write(staged, data)
        flush_file(staged)
        os.link(staged, path)
    except FileExistsError:
        return False
    finally:
        staged.unlink(missing_ok=True)
    flush_names([path], root)
    return True


def delete_file(path: Path) -> None:
    """Delete a file for good: it does not come back after a power cut. One that is not there is no error.

    Args:
        path: of the file.

    Raises:
        OSError: the disk refused.
    """
    path.unlink(missing_ok=True)
    flush_names([path], path.parent)


def delete_folder(folder: Path) -> None:
    """Delete a folder and all that is in it for good, as `delete_file` does.

    Args:
        folder: there or not.

    Raises:
        OSError: the disk refused.
    """
    with suppress(FileNotFoundError):
        shutil.rmtree(folder)
    flush_names([folder], folder.parent)


def staged_path(path: Path) -> Path:
    """Where a file is written before it gets its name: beside it, under a name that obstore does not list.

    Args:
        path: of the file.

    Returns:
        A name that nobody has.
    """
    return path.with_name(f"{path.name}#{secrets.randbelow(10**12)}")


def _write(path: Path, data: bytes | Path) -> None:
    if isinstance(data, Path):
        shutil.copyfile(data, path)
    else:
        path.write_bytes(data)


def _flush_files(paths: list[Path]) -> None:
    if len(paths) == 1:
        flush_file(paths[0])
        return
    with ThreadPoolExecutor(_FLUSHES_AT_ONCE) as threads:
        for _ in threads.map(flush_file, paths):
            pass
