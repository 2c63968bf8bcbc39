"""Names become folders and keys: none may leave its place."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinesphere.errors import InvalidInput
from kinesphere.names import checked_name, is_recording_id, new_recording_id


@given(st.text())
def test_a_name_is_refused_or_is_one_plain_part_of_a_path(text: str) -> None:
    try:
        name = checked_name("thing", text)
    except InvalidInput:
        return
    assert PurePosixPath("a", name, "b").parts == ("a", name, "b")
    assert name.isascii() and not name.startswith((".", "-")) and len(name) <= 64


@pytest.mark.parametrize("name", ["", "..", "../x", "a/b", "a b", "-rf", "x" * 65, "naïve", "a\n"])
def test_dangerous_names_are_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match="cannot name a task"):
        checked_name("task", name)


def test_recording_ids_are_recognised_and_differ() -> None:
    ids = {new_recording_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert all(is_recording_id(name) and checked_name("recording", name) for name in ids)
    assert not is_recording_id("../20261123-094500-1f2e3d4c")
