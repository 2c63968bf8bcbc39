"""Objects as files on a local disk: read in part, and written such that they survive a power cut.

A file is confirmed only after the disk has it: the content first, then its name, then the folders above. On a disk,
none of these follows from another. Object stores do this by themselves.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path

_FLUSHES_AT_ONCE = 16
_ATTEMPTS = 100
"""To delete a folder into which another process writes."""
_STAGED = re.compile(r".+#\d+")
_NOT_FOR_FOLDERS = (errno.EINVAL, errno.ENOTSUP)
"""What some network file systems answer when a folder is to be flushed: they keep names by themselves."""


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
        _flush(descriptor)
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
        _flush(descriptor)
    except OSError as error:
        if error.errno not in _NOT_FOR_FOLDERS:
            raise
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
    _flush_at_once((), _folders_of(paths, root))


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


def write_all_whole(
    files: Mapping[Path, bytes | Path], *, root: Path, take_over: bool = False, told_by: Path | None = None
) -> None:
    """Write files as `write_whole` does, in their order, for less than each by itself takes.

    Args:
        files: contents, or files to copy, by path.
        root: the last folder upwards that is flushed.
        take_over: the files to copy are never written to again, so that a second name for one is as good as a copy.
        told_by: the one of them that says whose the others are. Whatever stops the writing, it is there before any
            other, if only under its staged name; it gets its own in its turn, after those before it are flushed. Where
            it is the last, and the writing fails before it has its name, nothing of the others stays.

    Raises:
        OSError: the disk refused, or somebody has deleted them meanwhile; some of them may be there.
    """
    staged: dict[Path, Path] = {}
    named: list[Path] = []
    try:
        if told_by is not None and len(files) > 1:
            staged[told_by] = staged_path(told_by)
            _stage(staged[told_by], files[told_by], take_over=take_over)
            _flush_first(staged[told_by], _folders_of([told_by], root))
        for path, data in files.items():
            if path not in staged:
                staged[path] = staged_path(path)
                _stage(staged[path], data, take_over=take_over)
        _flush_staged(temporary for path, temporary in staged.items() if path != told_by or len(staged) == 1)
        for path in files:
            if path == told_by and named:
                flush_names(named, root)
                _name_besides(staged[path], path)
            else:
                _name_staged(staged[path], path)
            named.append(path)
    except BaseException:
        _take_back(files, staged, named, told_by, root)
        raise
    flush_names(files, root)
    if told_by in staged:
        staged[told_by].unlink(missing_ok=True)


def write_if_absent(path: Path, data: bytes, *, root: Path, after: Collection[Path] = (), is_last: bool = True) -> bool:
    """Write a file as `write_whole` does, unless its name is taken.

    Args:
        path: of the file.
        data: the content.
        root: the last folder upwards that is flushed.
        after: files that are flushed before this one can be seen.
        is_last: whether it is flushed; else it is among those that a later one comes after.

    Returns:
        Whether it was written.

    Raises:
        OSError: the disk refused.
    """
    staged = staged_path(path)
    folders_before = _folders_of(after, root)
    try:
        _stage(staged, data, take_over=False)
        if is_last:
            _flush_at_once((staged, *after), folders_before)
        os.link(staged, path)
    except FileExistsError:
        return False
    finally:
        staged.unlink(missing_ok=True)
    if is_last:
        _flush_at_once((), (_folders_of([path], root) - folders_before) | {path.parent})
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
    for _ in range(_ATTEMPTS):
        try:
            shutil.rmtree(folder)
        except FileNotFoundError:
            if not folder.exists():
                break  # else something in it was deleted by another process, and the rest is still there
        except OSError as error:
            if error.errno != errno.ENOTEMPTY:
                raise  # else somebody is writing into it
        else:
            break
    else:
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


def staged_in(folder: Path) -> Iterator[Path]:
    """What is being written in a folder, or was when its writer was killed.

    Args:
        folder: there or not.

    Yields:
        Files that `staged_path` has named.
    """
    if folder.is_dir():
        yield from (path for path in sorted(folder.iterdir()) if _STAGED.fullmatch(path.name))


def staged_of(path: Path) -> list[Path]:
    """Where a file is being written, or was when its writer was killed.

    Args:
        path: of the file, there or not.

    Returns:
        One file for each that writes, or wrote; none for those that have ended.
    """
    return [staged for staged in staged_in(path.parent) if staged.name.rpartition("#")[0] == path.name]


def remove_staged(folder: Path) -> None:
    """Remove what killed writers have left in a folder in which nobody writes at this moment.

    Args:
        folder: there or not.

    Raises:
        OSError: the disk refused.
    """
    for path in staged_in(folder):
        path.unlink(missing_ok=True)


def _stage(path: Path, data: bytes | Path, *, take_over: bool) -> None:
    while True:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except FileExistsError:
            if path.parent.exists() and not path.parent.is_dir():
                raise  # it is a file
            continue  # it was there when it was to be made, and had gone when it was looked at
        try:
            return _fill(path, data, take_over=take_over)
        except FileNotFoundError:
            if path.parent.is_dir():
                raise  # it is the file to copy that is gone
            # else somebody who clears empty folders away came in between


def _fill(path: Path, data: bytes | Path, *, take_over: bool) -> None:
    if not isinstance(data, Path):
        path.write_bytes(data)
        return
    if take_over and not data.is_symlink():
        try:
            os.link(data, path)
            return
        except FileNotFoundError:
            raise
        except OSError:
            pass  # on another disk, or on one where a file has one name only: a copy will do
    shutil.copyfile(data, path)


def _flush_first(staged: Path, folders: Iterable[Path]) -> None:
    try:
        _flush_at_once([staged], folders)
    except FileNotFoundError as error:
        raise _deleted_meanwhile(staged) from error


def _flush_staged(staged: Iterable[Path]) -> None:
    try:
        _flush_at_once(staged)
    except FileNotFoundError as error:
        raise _deleted_meanwhile(Path(error.filename)) from error


def _name_staged(staged: Path, path: Path) -> None:
    try:
        staged.replace(path)
    except FileNotFoundError as error:
        raise _deleted_meanwhile(staged) from error


def _name_besides(staged: Path, path: Path) -> None:
    """Give a file its name and leave it the staged one, until the disk has the new: one of them is always there."""
    try:
        os.link(staged, path)
    except OSError:  # it is there already, or a file can have one name only
        _name_staged(staged, path)


def _deleted_meanwhile(staged: Path) -> OSError:
    """The error of a file that is gone before it has its name; no FileNotFoundError, for nobody has asked for it."""
    return OSError(f"{staged.name.rpartition('#')[0]} was deleted by another process while it was being written")


def _take_back(
    files: Iterable[Path], staged: Mapping[Path, Path], named: Iterable[Path], told_by: Path | None, root: Path
) -> None:
    """Remove what was written before it failed, unless another process writes the same; what tells of it goes last."""
    is_alone = told_by is not None and {staged.get(told_by)}.issuperset(staged_of(told_by))
    if told_by is not None and told_by == list(files)[-1] and is_alone and not told_by.exists():
        for path in named:
            path.unlink(missing_ok=True)
        with suppress(OSError):
            flush_names(named, root)
    for path in sorted(staged, key=lambda path: path == told_by):
        staged[path].unlink(missing_ok=True)
    for folder in sorted(_folders_of(files, root) - {root}, key=lambda folder: len(folder.parts), reverse=True):
        with suppress(OSError):  # it is not empty, or not there
            folder.rmdir()


def _flush(descriptor: int) -> None:
    if sys.platform == "darwin":  # where fsync leaves it to the disk when it writes
        import fcntl

        fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
    else:
        os.fsync(descriptor)


def _folders_of(paths: Iterable[Path], root: Path) -> set[Path]:
    return {folder for path in paths for folder in path.parents if folder == root or root in folder.parents}


def _flush_at_once(files: Iterable[Path], folders: Iterable[Path] = ()) -> None:
    """Flush contents and names, in no order: a disk takes many together for hardly more than the time of one."""
    flushes = [partial(flush_file, path) for path in files] + [partial(_flush_if_ours, folder) for folder in folders]
    if len(flushes) == 1:
        flushes[0]()
        return
    with ThreadPoolExecutor(min(_FLUSHES_AT_ONCE, len(flushes) or 1)) as threads:
        for _ in threads.map(lambda flush: flush(), flushes):
            pass


def _flush_if_ours(folder: Path) -> None:
    with suppress(FileNotFoundError, PermissionError):  # deleted meanwhile; or not ours, so that we did not make it
        flush_folder(folder)
