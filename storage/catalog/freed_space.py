"""What SQLite has freed in the catalog's file: overwritten as it goes, and looked through after an erasure."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

_LEAF_TYPES = (10, 13)
_INTERIOR_TYPES = (2, 5)
_FILE_HEADER_BYTES = 100


def drop_freed_space(engine: Engine, words: bytes | None = None) -> None:
    """Leave nothing of deleted rows in the files of a SQLite catalog; of PostgreSQL, nothing is done here.

    Every connection overwrites what it deletes. What is done here is the rest: the write-ahead log, which still has
    pages as they were, is taken into the file and emptied, and a file in which a connection of an earlier release has
    left deleted rows is written anew. Either waits for others who read; where they do not end, the proof says so.

    Args:
        engine: of the catalog.
        words: the file is written anew if these are in what it has freed.
    """
    if engine.dialect.name != "sqlite":
        return
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        raw = connection.connection.cursor()
        try:
            raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            if words is not None and in_freed_space(engine, words):
                raw.execute("VACUUM")
                raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        except (DBAPIError, raw.connection.OperationalError):
            return  # somebody reads, or there is no room: the proof says what is left
        finally:
            raw.close()


def in_freed_space(engine: Engine, words: bytes) -> list[str]:
    """Where the files of a SQLite catalog hold bytes in what it has freed, or in its write-ahead log.

    Args:
        engine: of the catalog.
        words: what is looked for.

    Returns:
        A line each; empty if nothing is there, and for PostgreSQL, which overwrites dead rows when it is vacuumed.
    """
    if engine.dialect.name != "sqlite":
        return []
    file = Path(str(engine.url.database))
    found = []
    if any(words in part for part in _freed_parts(file)):
        found.append(f"deleted rows in {file.name}")
    log = file.with_name(f"{file.name}-wal")
    if log.is_file() and words in log.read_bytes():
        found.append(f"pages as they were in {log.name}, which somebody reads")
    return found


def _freed_parts(file: Path) -> Iterator[bytes]:
    """What no row of a SQLite file is in: free pages, and the gaps and freed blocks of the others."""
    with file.open("rb") as content:
        header = content.read(_FILE_HEADER_BYTES)
        size = int.from_bytes(header[16:18], "big")
        size = 65_536 if size == 1 else size
        trunk, free = int.from_bytes(header[32:36], "big"), set[int]()
        while trunk:
            content.seek((trunk - 1) * size)
            page = content.read(size)
            trunk, leaves = int.from_bytes(page[:4], "big"), int.from_bytes(page[4:8], "big")
            free |= {int.from_bytes(page[8 + 4 * at : 12 + 4 * at], "big") for at in range(leaves)}
            yield page[8 + 4 * leaves :]
        content.seek(0)
        number = 0
        while page := content.read(size):
            number += 1
            if number in free:
                yield page
            else:
                yield from _gaps(page, _FILE_HEADER_BYTES if number == 1 else 0)


def _gaps(page: bytes, start: int) -> Iterator[bytes]:
    """The unused parts of a page of a table or an index; of other pages, whose first byte is zero, none."""
    kind = page[start]
    if kind not in _LEAF_TYPES + _INTERIOR_TYPES:
        return

    def number(at: int) -> int:
        return int.from_bytes(page[at : at + 2], "big")

    first_cell = start + (8 if kind in _LEAF_TYPES else 12) + 2 * number(start + 3)
    yield page[first_cell : number(start + 5) or 65_536]
    block = number(start + 1)
    while block:
        yield page[block + 4 : block + number(block + 2)]
        block = number(block) if number(block) > block else 0
