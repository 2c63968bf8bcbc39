"""Objects: bytes under a key, in a local folder or an object store."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING

import obstore
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import LocalStore

from kinesphere.errors import CorruptObject, InvalidInput, StorageFailed
from kinesphere.objects import local_files
from kinesphere.objects.begun_notes import begun_key
from kinesphere.objects.forked_reads import ForkedReads, read_beside
from kinesphere.objects.process_state import Requests, check_not_forked
from kinesphere.objects.storage_options import StorageOptions, remote_store
from kinesphere.objects.store_errors import failed, first_line, missing, object_errors

if TYPE_CHECKING:
    from obstore.store import ObjectStore as RawStore


_DELETIONS_AT_ONCE = 16


@dataclass(frozen=True)
class Objects:
    """A place that holds objects, by key. Opened with `open_objects`.

    Writes are atomic: an object is there whole or not at all. What was written or deleted survives a power cut.
    """

    url: str
    raw: RawStore
    requests: Requests = field(default_factory=Requests, compare=False, repr=False, kw_only=True)
    """How many reads were made: on an object store, how many requests."""
    forked: ForkedReads = field(default_factory=ForkedReads, compare=False, repr=False, kw_only=True)

    @read_beside
    def get(self, key: str, byte_range: tuple[int, int] | None = None) -> bytes:
        """Read an object, or a part of it.

        Args:
            key: of the object.
            byte_range: first byte and the one after the last; all by default.

        Returns:
            The bytes.

        Raises:
            CorruptObject: there is no such object.
            StorageFailed: the store refused.
        """
        self.requests.add()
        if (local := self.local_path(key)) is not None:
            with self._named(key, in_python=True):
                return local_files.read_file(local, byte_range)
        with self._named(key):
            if byte_range is None:
                return bytes(obstore.get(self.raw, key).bytes())
            return bytes(obstore.get_range(self.raw, key, start=byte_range[0], end=byte_range[1]))

    @read_beside
    def get_part(self, key: str, start: int, stop: int) -> tuple[bytes, int]:
        """Read a part of an object.

        Args:
            key: of the object.
            start: first byte.
            stop: the byte after the last.

        Returns:
            The bytes, fewer where the object ends before, and the object's size in bytes.

        Raises:
            CorruptObject: there is no such object.
            StorageFailed: the store refused, or the object ends before `start`.
        """
        self.requests.add()
        if (local := self.local_path(key)) is not None:
            with self._named(key, in_python=True):
                return local_files.read_file(local, (start, stop)), local.stat().st_size
        with self._named(key):
            found = obstore.get(self.raw, key, options={"range": (start, stop)})
            return bytes(found.bytes()), int(found.meta["size"])

    def forget(self, key: str) -> None:
        """Drop what is kept of an object nearer than in the store, so that it is read anew; here nothing is.

        Args:
            key: of the object.
        """

    def put(self, key: str, data: bytes | Path) -> None:
        """Write an object whole, from bytes or from a local file, in place of what was there.

        Args:
            key: of the object.
            data: the content, or the local file that has it.

        Raises:
            StorageFailed: the store refused, or the disk is full.
        """
        self.put_all({key: data})

    def put_all(
        self, contents: Mapping[str, bytes | Path], *, take_over: bool = False, told_by: str | None = None
    ) -> None:
        """Write objects as `put` does, in their order; a disk takes them faster together.

        Args:
            contents: by key.
            take_over: local files among them are never written to again, only deleted; so they need not be copied
                where objects are files too.
            told_by: key of the one that says whose the others are: the first, or the last, which makes them visible.
                Whatever ends the writing, what it says is there (`kinesphere.objects.begun_notes`).

        Raises:
            StorageFailed: the store refused, or the disk is full. Some of them may be there, but on a disk none where
                `told_by` is the last.
        """
        if (root := self.local_path("")) is not None:
            with self._named(told_by or next(iter(contents), ""), in_python=True):
                files = {root / key: data for key, data in contents.items()}
                teller = None if told_by is None else root / told_by
                local_files.write_all_whole(files, root=root, take_over=take_over, told_by=teller)
            return
        note = None if told_by is None or told_by == next(iter(contents)) else begun_key(told_by)
        for key, data in (*([(note, contents[told_by])] if note and told_by else []), *contents.items()):
            with self._named(key):
                obstore.put(self.raw, key, data, mode="overwrite")
        if note:
            with suppress(StorageFailed):  # beside what it told of, it does no harm
                self.delete(note)

    def flush(self, keys: Iterable[str]) -> None:
        """Make sure that objects survive a power cut which another process wrote and perhaps did not flush.

        Args:
            keys: of objects that are there.

        Raises:
            CorruptObject: one of them is not.
            StorageFailed: the disk refused.
        """
        if (root := self.local_path("")) is None:
            return
        for key in keys:
            with self._named(key, in_python=True):
                local_files.flush_file(root / key)
                local_files.flush_names([root / key], root)

    def put_if_absent(self, key: str, data: bytes, *, after: Collection[str] = (), is_last: bool = True) -> bool:
        """Write an object unless the key is taken.

        Args:
            key: of the object.
            data: the content.
            after: keys of objects that survive a power cut before this one can be seen.
            is_last: whether this one survives a power cut when it was written; else it is among those that a later one
                comes `after`, which costs less.

        Returns:
            Whether it was written.

        Raises:
            StorageFailed: the store refused, or the disk is full.
        """
        if (root := self.local_path("")) is not None:
            with self._named(key, in_python=True):
                before = [root / other for other in after]
                return local_files.write_if_absent(root / key, data, root=root, after=before, is_last=is_last)
        try:
            with self._named(key):
                obstore.put(self.raw, key, data, mode="create")
        except FileExistsError:
            return False
        return True

    @read_beside
    def exists(self, key: str) -> bool:
        """Whether there is an object under this key.

        Args:
            key: of the object.

        Returns:
            True where there is one.

        Raises:
            StorageFailed: the store refused.
        """
        check_not_forked()
        try:
            obstore.head(self.raw, key)
        except (NotFoundError, FileNotFoundError):
            return False  # no error of ours is made for it: its traceback would hold what the caller has in memory
        except (BaseError, OSError) as error:
            raise failed(self.url, key, error) from error
        return True

    @read_beside
    def size(self, key: str) -> int:
        """Size of an object.

        Args:
            key: of the object.

        Returns:
            Bytes.

        Raises:
            CorruptObject: there is no such object.
            StorageFailed: the store refused.
        """
        with self._named(key):
            return int(obstore.head(self.raw, key)["size"])

    @read_beside
    def keys(self, prefix: str) -> list[str]:
        """All keys below a prefix, sorted.

        Args:
            prefix: folders with slashes between, without one at the end.

        Returns:
            Whole keys.

        Raises:
            StorageFailed: the store refused.
        """
        with self._named(prefix):
            return sorted(str(meta["path"]) for page in obstore.list(self.raw, prefix) for meta in page)

    @read_beside
    def folders(self, prefix: str) -> list[str]:
        """The names directly below a prefix that hold further keys, sorted.

        Args:
            prefix: folders with slashes between, without one at the end.

        Returns:
            Names, each without what is before or after it.

        Raises:
            StorageFailed: the store refused.
        """
        with self._named(prefix):
            listed = obstore.list_with_delimiter(self.raw, prefix)
            return sorted(path.rstrip("/").rsplit("/", 1)[-1] for path in listed["common_prefixes"])

    def delete(self, key: str) -> None:
        """Remove an object; one that is not there is no error.

        Args:
            key: of the object.

        Raises:
            StorageFailed: the store refused.
        """
        if (local := self.local_path(key)) is not None:
            with self._named(key, in_python=True):
                local_files.delete_file(local)
            return
        with suppress(CorruptObject), self._named(key):
            obstore.delete(self.raw, key)

    def delete_below(self, prefix: str) -> None:
        """Remove all objects below a prefix; if there is none, that is no error.

        Args:
            prefix: folders with slashes between, without one at the end.

        Raises:
            StorageFailed: the store refused.
        """
        if (local := self.local_path(prefix)) is not None:
            with self._named(prefix, in_python=True):
                local_files.delete_folder(local)  # the empty folders too: their names tell something
            return
        with ThreadPoolExecutor(_DELETIONS_AT_ONCE) as threads:
            list(threads.map(self.delete, self.keys(prefix)))

    def changed_at(self, prefix: str) -> datetime:
        """When an object below a prefix was written last; now, if there is none.

        Args:
            prefix: folders with slashes between, without one at the end.

        Returns:
            A time in UTC.

        Raises:
            StorageFailed: the store refused.
        """
        with self._named(prefix):
            times = [meta["last_modified"] for page in obstore.list(self.raw, prefix) for meta in page]
        return max(times, default=datetime.now(UTC))

    @contextmanager
    def open(self, key: str) -> Iterator[IO[bytes]]:
        """A seekable binary reader of one object, for libraries that want a file.

        Args:
            key: of the object.

        Yields:
            The reader, closed when the block is left.

        Raises:
            CorruptObject: there is no such object.
            StorageFailed: the store refused.
        """
        with self._named(key):
            reader = obstore.open_reader(self.raw, key)
        try:
            yield reader  # type: ignore[misc]  # it has the methods of a file without saying so
        except FileNotFoundError as error:
            if error.filename is not None:  # a file of whoever reads; obstore's errors name none
                raise
            raise missing(self.url, key) from error
        except BaseError as error:
            raise StorageFailed(f"cannot read object '{key}' in {self.url}: {first_line(error)}") from error
        finally:
            reader.close()

    def local_path(self, key: str) -> Path | None:
        """The file that holds an object, where objects are files.

        Args:
            key: of the object.

        Returns:
            Its path, whether it is there or not; None where objects are in an object store.
        """
        if not isinstance(self.raw, LocalStore):
            return None
        return Path(self.url) / key

    def _named(self, key: str, *, in_python: bool = False) -> AbstractContextManager[None]:
        return object_errors(self.url, key, in_python=in_python)


def open_objects(location: str | Path, *, create: bool = False, options: StorageOptions | None = None) -> Objects:
    """Open a local folder or an object-store URL such as `s3://bucket/prefix`.

    Credentials and endpoint of object stores come from options, and else from their usual environment variables.

    Args:
        location: path of the folder, or the URL.
        create: make the folder where it does not exist.
        options: the `storage_options` of `kinesphere.open_dataset`; not for folders.

    Returns:
        The place.

    Raises:
        InvalidInput: the URL is of no kind we know, an option is, or the folder does not exist (unless `create`).
    """
    text = os.fspath(location)
    if "://" not in text:
        if options:
            raise InvalidInput(f"storage_options are for object stores, and {text} is a folder; leave them out")
        folder = Path(text).absolute()
        if create:
            folder.mkdir(parents=True, exist_ok=True)
            local_files.flush_names([folder], Path(folder.anchor))
        if not folder.is_dir():
            raise InvalidInput(f"there is no folder {folder}")
        return Objects(str(folder), LocalStore(folder, mkdir=True))
    return Objects(text.rstrip("/"), remote_store(text, options))


def file_sha256(path: Path) -> str:
    """SHA-256 of a local file.

    Args:
        path: of the file.

    Returns:
        64 hexadecimal digits.
    """
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
