"""What a session says when something that it would like is not there."""

from __future__ import annotations

import sys

import pytest

from studio.commands.contributors.guided_take import _watch


def test_without_the_pose_extra_it_says_what_is_not_checked_and_how_to_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    watch, note = _watch()
    assert watch is None
    assert "in view is not checked" in note
    assert "pip install 'kinesphere-studio[pose]'" in note
