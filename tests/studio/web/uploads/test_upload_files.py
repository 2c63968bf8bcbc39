"""Uploads on the server's disk: in whatever chunks they come and however they end, no byte is lost or doubled."""

from __future__ import annotations

import asyncio
import os
import random
import threading
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.web.http.refusals import TooLarge
from studio.web.uploads.upload_files import Uploads
from tests.support.own_loop import run

CONTENT = random.Random(1).randbytes(1_700_000)


async def chunks_of(content: bytes, sizes: Sequence[int], *, then_break: bool) -> AsyncIterator[bytes]:
    """The content in chunks of these sizes, again and again."""
    offset, number = 0, 0
    while offset < len(content):
        yield content[offset : offset + sizes[number % len(sizes)]]
        offset += sizes[number % len(sizes)]
        number += 1
    if then_break:
        raise ConnectionResetError


@settings(max_examples=25)
@given(st.lists(st.integers(1000, 600_000), min_size=1, max_size=5), st.integers(0, len(CONTENT)))
def test_an_upload_that_breaks_anywhere_has_what_arrived_and_goes_on_there(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], breaks_at: int
) -> None:
    uploads = Uploads(tmp_path_factory.mktemp("uploads"), 10_000_000)
    begun = uploads.create(len(CONTENT), "carla")

    async def send() -> None:
        with pytest.raises(ConnectionResetError):
            await uploads.receive(
                begun.upload, 0, chunks_of(CONTENT[:breaks_at], sizes, then_break=True), owner="carla"
            )
        assert begun.path.read_bytes() == CONTENT[:breaks_at]
        rest = chunks_of(CONTENT[breaks_at:], sizes, then_break=False)
        assert await uploads.receive(begun.upload, breaks_at, rest, owner="carla") == len(CONTENT)

    run(send())
    assert begun.path.read_bytes() == CONTENT


def test_bytes_beyond_the_length_are_refused_and_those_before_them_kept(tmp_path: Path) -> None:
    uploads = Uploads(tmp_path, 10_000_000)
    begun = uploads.create(1_000_000, "carla")

    async def send() -> None:
        with pytest.raises(TooLarge, match="more bytes came than the 1000000"):
            await uploads.receive(begun.upload, 0, chunks_of(CONTENT, [300_000], then_break=False), owner="carla")

    run(send())
    assert begun.path.read_bytes() == CONTENT[:900_000]


def test_a_write_that_fails_half_way_writes_nothing_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uploads = Uploads(tmp_path, 10_000_000)
    begun = uploads.create(len(CONTENT), "carla")
    write, calls = os.write, list[int]()

    def failing(file: int, content: bytes | memoryview) -> int:
        calls.append(len(content))
        if len(calls) == 2:
            raise OSError(28, "No space left on device")
        return write(file, content[:100_000])

    monkeypatch.setattr(os, "write", failing)

    async def send() -> None:
        with pytest.raises(OSError, match="No space"):
            await uploads.receive(begun.upload, 0, chunks_of(CONTENT, [65_536], then_break=False), owner="carla")

    run(send())
    assert begun.path.read_bytes() == CONTENT[:100_000]


def test_few_videos_are_looked_into_at_once(tmp_path: Path) -> None:
    uploads, lock, now, most = Uploads(tmp_path, 1), threading.Lock(), 0, 0
    pause = threading.Event()

    def look(number: int) -> int:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        pause.wait(0.01)
        with lock:
            now -= 1
        return number

    async def ask() -> list[int]:
        return list(await asyncio.gather(*(uploads.look_into(look, number) for number in range(30))))

    assert run(ask()) == list(range(30))
    assert most <= (os.cpu_count() or 1)
