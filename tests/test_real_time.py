"""Tests that record in real time go before other work where they may, and run all the same where they may not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support import real_time


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file in the place of the share of this session, and no change of this process's own priority."""
    file = tmp_path / "autogroup"
    monkeypatch.setattr(real_time, "_SESSION", file)
    monkeypatch.setattr(os, "setpriority", lambda which, who, priority: None)
    monkeypatch.setattr(os, "getpriority", lambda which, who: 0)
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    return file


def test_the_share_of_a_session_is_raised_and_given_back(session: Path) -> None:
    session.write_text("/autogroup-7 nice 0\n")
    with real_time.in_real_time():
        assert session.read_text() == "-15"
    assert session.read_text() == "0"


def test_a_session_gets_back_its_own_share_and_not_that_of_a_test_which_makes_way(
    session: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "getpriority", lambda which, who: 15)  # nice -n 15 pytest
    session.write_text("/autogroup-7 nice 0\n")
    with real_time.in_real_time():
        assert session.read_text() == "-15"
    assert session.read_text() == "0"


def test_what_belongs_to_no_session_is_run(session: Path) -> None:
    session.write_text("")  # so it reads in a container whose first process began no session
    with real_time.in_real_time():
        pass
    assert session.read_text() == ""


def test_a_kernel_without_shares_of_sessions_will_do(session: Path) -> None:
    with real_time.in_real_time():
        pass
    assert not session.exists()


def test_a_share_that_cannot_be_written_ends_nothing(session: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session.write_text("/autogroup-7 nice 0\n")

    def refuse(path: Path, words: str) -> None:
        raise OSError(30, "Read-only file system", str(path))

    monkeypatch.setattr(Path, "write_text", refuse)
    with real_time.in_real_time():
        pass


def test_a_priority_that_is_refused_ends_nothing(session: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(which: int, who: int, priority: int) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "setpriority", refuse)
    with real_time.in_real_time():
        pass
