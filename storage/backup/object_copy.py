"""Copies of single objects, each named by the hash of the very bytes that were copied."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from kinesphere.errors import CorruptObject, StorageFailed
from kinesphere.objects.store import Objects, file_sha256

IN_MEMORY_BYTES = 8 << 20
"""A larger object is not held in memory."""
_BLOCK_BYTES = 1 << 20


class Vanished(Exception):
    """An object was there and is not any more, or changed while it was read."""


@contextmanager
def copying_threads(number: int) -> Iterator[ThreadPoolExecutor]:
    """Threads that give up what they have not begun when the block raises: Ctrl-C need not wait for terabytes.

    Args:
        number: of threads.

    Yields:
        The threads.
    """
    with ThreadPoolExecutor(number) as threads:
        try:
            yield threads
        except BaseException:
            threads.shutdown(wait=False, cancel_futures=True)
            raise


@contextmanager
def content_of(objects: Objects, key: str, size_bytes: int, temporary: Path) -> Iterator[tuple[bytes | Path, str, int]]:
    """The content of an object, held still for the length of the block.

    Args:
        objects: where it is.
        key: of the object.
        size_bytes: about how large it is.
        temporary: folder for what is too large to be held in memory.

    Yields:
        The bytes or a file that has them, their SHA-256, and how many they are.

    Raises:
        Vanished: it is not there any more.
    """
    try:
        if size_bytes <= IN_MEMORY_BYTES:
            content = objects.get(key)
            yield content, hashlib.sha256(content).hexdigest(), len(content)
            return
        local = objects.local_path(key)
        if local is not None:
            before = local.stat()
            digest = file_sha256(local)
            yield local, digest, before.st_size
            if _mark(local.stat()) != _mark(before):
                raise Vanished(key)
            return
    except (CorruptObject, FileNotFoundError) as error:
        raise Vanished(key) from error
    with _fetched(objects, key, temporary) as (file, digest):
        yield file, digest, file.stat().st_size


def _mark(stat: os.stat_result) -> tuple[int, int, int]:
    return stat.st_ino, stat.st_mtime_ns, stat.st_size


@contextmanager
def _fetched(objects: Objects, key: str, temporary: Path) -> Iterator[tuple[Path, str]]:
    """A local copy of an object, and its hash."""
    temporary.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=temporary, prefix=f"{_owner(key)}-")
    file, digest = Path(name), hashlib.sha256()
    try:
        with os.fdopen(descriptor, "wb") as out, objects.open(key) as content:
            while block := content.read(_BLOCK_BYTES):
                out.write(block)
                digest.update(block)
        yield file, digest.hexdigest()
    except (CorruptObject, FileNotFoundError) as error:
        raise Vanished(key) from error
    except OSError as error:
        if isinstance(error, StorageFailed):
            raise
        raise StorageFailed(f"cannot write {file}: {error.strerror or error}") from error
    finally:
        file.unlink(missing_ok=True)


def _owner(key: str) -> str:
    """What names of temporary files begin with, so that an erasure finds those of recordings."""
    return key.split("/")[1] if key.startswith(("recordings/", "drafts/")) else "object"
