"""Docstrings of public functions say what is taken, what comes back and what is raised: API pages are made of them."""

from __future__ import annotations

from tests.support.docstrings import lacking


def test_every_public_function_says_what_it_takes_gives_and_raises() -> None:
    faults = lacking()
    assert faults == [], "these docstrings lack something:\n" + "\n".join(faults)
