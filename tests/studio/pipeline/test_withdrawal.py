"""Taking back: erased at once, on SQLite and PostgreSQL, whoever else is busy with the same recordings."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from annotate.duplicates.duplicates import open_duplicate_index
from kinesphere.dataset import open_dataset
from kinesphere.errors import Conflict, NotFound
from storage.catalog import Erasures, Reviews
from storage.erasure.erasure import erase
from storage.erasure.erasure_check import find_traces
from storage.publishing.publish import publish
from storage.recordings.recording import State
from storage.workspace import Workspace, create_workspace, open_workspace
from studio.pipeline.withdrawal import take_back
from tests.support.populated_workspaces import accept_recording, add_recording, populate
from tests.support.submitted_takes import make_take
from tests.support.video_clips import make_clip


@pytest.fixture(params=["sqlite", "postgresql"])
def kitchen(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Workspace]:
    """Six recordings of anna and one of ben, published."""
    catalog = "sqlite:///catalog.sqlite" if request.param == "sqlite" else request.getfixturevalue("own_postgres_url")
    made = create_workspace(tmp_path / "kitchen", catalog=catalog)
    populate(made, {"anna": 6, "ben": 1}, frames=8)
    publish(made, "kitchen")
    yield made
    made.catalog.close()


def names_of(workspace: Workspace, contributor: str) -> list[str]:
    return [row.recording for row in workspace.catalog.recordings(contributor=contributor)]


def test_recordings_that_are_taken_back_one_after_the_other_at_once_all_go(kitchen: Workspace) -> None:
    """Each in a process's own connection, all in the same moment."""
    names = names_of(kitchen, "anna")
    together = Barrier(len(names))

    def one(name: str) -> tuple[str, ...]:
        own = open_workspace(kitchen.folder)
        together.wait()
        done = take_back(own, "anna", [name])
        own.catalog.close()
        return done.receipts

    with ThreadPoolExecutor(len(names)) as threads:
        receipts = list(threads.map(one, names))
    assert all(len(of_one) == 1 for of_one in receipts)
    assert {kitchen.catalog.recording(name).state for name in names} == {State.ERASED}
    assert {receipt for (receipt,) in receipts} == {record.receipt for record in Erasures(kitchen.catalog).done()}
    left = open_dataset(kitchen.dataset_location("kitchen"))
    assert left.episodes["contributor"].to_pylist() == ["ben"]
    take_back(kitchen, "ben")
    assert kitchen.objects.keys("shards") == [] and kitchen.objects.keys("recordings") == []


def test_a_contributor_who_is_erased_while_they_take_back_ends_erased(kitchen: Workspace) -> None:
    together = Barrier(2)

    def leave() -> None:
        own = open_workspace(kitchen.folder)
        together.wait()
        erase(own, "anna", who="eve")
        own.catalog.close()

    def withdraw() -> None:
        own = open_workspace(kitchen.folder)
        names = names_of(own, "anna")
        together.wait()
        take_back(own, "anna", names)
        own.catalog.close()

    with ThreadPoolExecutor(2) as threads:
        for done in [threads.submit(leave), threads.submit(withdraw)]:
            done.result()
    assert find_traces(kitchen, "anna") == []


def test_repeated_it_says_the_same_and_changes_nothing(kitchen: Workspace) -> None:
    first = names_of(kitchen, "anna")[0]
    done = take_back(kitchen, "anna", [first, first], why="my face shows")
    assert done.recordings == (first,) and len(done.receipts) == 1
    assert take_back(kitchen, "anna", [first]) == done
    assert len(Erasures(kitchen.catalog).done()) == 1
    assert len(take_back(kitchen, "anna").recordings) == 5
    assert take_back(kitchen, "anna").recordings == ()


def test_nobody_takes_back_what_is_not_theirs(kitchen: Workspace) -> None:
    annas, bens = names_of(kitchen, "anna")[0], names_of(kitchen, "ben")[0]
    with pytest.raises(NotFound, match="contributor 'anna' has none of this id"):
        take_back(kitchen, "anna", [annas, bens])
    with pytest.raises(NotFound, match="no contributor named 'nobody'"):
        take_back(kitchen, "nobody")
    assert {kitchen.catalog.recording(name).state for name in (annas, bens)} == {State.ACCEPTED}


def test_what_is_being_processed_or_reviewed_meanwhile_stays_gone(kitchen: Workspace, tmp_path: Path) -> None:
    waiting = add_recording(kitchen, "anna", seed=70, accept=False)
    draft = make_take(kitchen, make_clip(tmp_path / "clip.mp4"), contributor="anna")
    reviews = Reviews(kitchen.catalog)
    published = names_of(kitchen, "anna")[0]
    done = take_back(kitchen, "anna", [waiting.recording, draft.recording, published])
    with pytest.raises(Conflict, match="erased"):
        accept_recording(kitchen, waiting, seed=70)
    with pytest.raises(Conflict):
        reviews.decide(published, "accept", reviewer="ben", feedback="")
    assert not (kitchen.drafts / draft.recording).exists()
    assert {kitchen.catalog.recording(name).state for name in done.recordings} == {State.ERASED}
    with open_duplicate_index(kitchen) as index:
        assert not any(name in index for name in done.recordings)


def test_after_taking_back_everything_no_tombstone_names_them_either(kitchen: Workspace) -> None:
    take_back(kitchen, "anna")
    assert "anna" in kitchen.catalog.contributors()
    erase(kitchen, "anna", who="eve")
    assert all("anna" not in str(record.tombstone) for record in Erasures(kitchen.catalog).done())
    assert find_traces(kitchen, "anna") == []
