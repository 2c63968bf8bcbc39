"""The catalog, on real SQLite and real PostgreSQL."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, text

from kinesphere.errors import Conflict, CorruptObject, InvalidInput, KinesphereError, NewerFormat, NotFound
from kinesphere.names import new_recording_id
from storage.catalog import Catalog, CheckRecord, Reviews, TrajectoryRecord
from storage.catalog.connection import MIGRATIONS, NEWEST_REVISION
from storage.catalog.state_machine import ALLOWED
from storage.catalog.tables import Table
from storage.recordings.recording import Consent, Origin, RecordingFile, State, Video
from storage.tasks.task import Task

TASK = Task(name="pour", title="Pour", instructions="Pour water.", consent="I agree.")


@pytest.fixture(params=["sqlite", "postgresql"])
def catalog_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'catalog.sqlite'}"
    else:
        server = request.getfixturevalue("postgres_url")
        name = f"test_{new_recording_id().replace('-', '_')}"
        engine = create_engine(server.replace("postgresql://", "postgresql+psycopg://"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        engine.dispose()
        url = str(engine.url.set(drivername="postgresql", database=name).render_as_string(hide_password=False))
    return url


@pytest.fixture
def catalog(catalog_url: str) -> Iterator[Catalog]:
    opened = Catalog.open(catalog_url, create=True)
    yield opened
    opened.close()


def draft(catalog: Catalog, contributor: str = "c001") -> str:
    catalog.add_task(TASK)
    catalog.add_contributor(contributor)
    now = datetime.now(UTC)
    description = RecordingFile(
        recording=new_recording_id(),
        task="pour",
        task_version=1,
        contributor=contributor,
        created_at=now,
        consent=Consent(
            task="pour", task_version=1, text_sha256=TASK.consent_sha256, language="en", agreed_at=now, method="flag"
        ),
        video=Video(
            sha256="0" * 64, size_bytes=1, codec="h264", width=640, height=480, frames=300,
            duration_ns=10_000_000_000, frame_rate=30.0,
        ),
        origin=Origin(kind="import", source_sha256="1" * 64),
    )  # fmt: skip
    catalog.add_recording(description, who=contributor)
    return description.recording


def outcome(catalog: Catalog, recording: str, state: State) -> None:
    checks = [CheckRecord("brightness", 12.5, 40, 10, "doubt", "dark", ((0, 5_000_000_000),))]
    where = TrajectoryRecord(recording, "e" * 16, "f" * 32, 0, 300, "relative", 1.0, 0.5, 0.25)
    catalog.record_outcome(recording, state, checks=checks, trajectory=where, who="kinesphere", why="dark")


def test_a_recording_lives_its_life_and_every_change_is_an_event(catalog: Catalog) -> None:
    recording = draft(catalog)
    catalog.submit(recording, who="c001")
    outcome(catalog, recording, State.FLAGGED)
    Reviews(catalog).decide(recording, "accept", reviewer="r1", feedback="good enough")

    assert catalog.recording(recording).state is State.ACCEPTED
    events = catalog.events(recording)
    assert [event.to_state for event in events] == [State.DRAFT, State.SUBMITTED, State.FLAGGED, State.ACCEPTED]
    assert [event.from_state for event in events] == [None, *(event.to_state for event in events[:-1])]
    assert events[-1].who == "r1" and events[-1].why == "good enough"
    assert all(before.at <= after.at for before, after in pairwise(events))
    assert catalog.checks(recording)[0].ranges == ((0, 5_000_000_000),)
    (published,) = catalog.publishable().to_pylist()
    assert published["recording"] == recording and published["right_hand_share"] == 0.25


def test_another_trajectory_of_an_accepted_recording_is_the_newest_unless_an_older_one_is_wanted(
    catalog: Catalog,
) -> None:
    recording = draft(catalog)
    other = TrajectoryRecord(recording, "d" * 16, "c" * 32, 0, 300, "relative", 1.0, 0.5, 0.5)
    with pytest.raises(Conflict, match="is draft; no trajectory is entered"):
        catalog.add_trajectory(other)
    catalog.submit(recording, who="c001")
    outcome(catalog, recording, State.ACCEPTED)
    events = catalog.events(recording)
    catalog.add_trajectory(other)
    assert catalog.trajectory(recording) == other
    assert catalog.publishable()["shard"].to_pylist() == [other.shard]
    (published,) = catalog.publishable(lambda extractor, shard: extractor == "e" * 16).to_pylist()
    assert published["shard"] == "f" * 32
    assert catalog.events(recording) == events and catalog.recording(recording).state is State.ACCEPTED


def test_a_change_that_its_life_does_not_allow_is_refused_and_leaves_no_event(catalog: Catalog) -> None:
    recording = draft(catalog)
    with pytest.raises(Conflict, match="is draft; it cannot become accepted"):
        Reviews(catalog).decide(recording, "accept", reviewer="r1", feedback="")
    with pytest.raises(Conflict):
        outcome(catalog, recording, State.ACCEPTED)
    assert len(catalog.events(recording)) == 1
    assert catalog.checks(recording) == [] and catalog.trajectory(recording) is None


def test_of_two_who_submit_at_once_one_wins(catalog: Catalog) -> None:
    recording = draft(catalog)
    barrier, results = threading.Barrier(8), list[str]()

    def submit() -> None:
        barrier.wait()
        try:
            catalog.submit(recording, who="c001")
            results.append("won")
        except Conflict:
            results.append("lost")

    threads = [threading.Thread(target=submit) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == ["lost"] * 7 + ["won"]
    assert len(catalog.events(recording)) == 2


def test_nobody_reviews_their_own_recording(catalog: Catalog) -> None:
    recording = draft(catalog)
    catalog.submit(recording, who="c001")
    outcome(catalog, recording, State.FLAGGED)
    with pytest.raises(Conflict, match="nobody reviews their own"):
        Reviews(catalog).decide(recording, "accept", reviewer="c001", feedback="")


def test_a_changed_task_becomes_the_next_version_and_an_equal_one_does_not(catalog: Catalog) -> None:
    assert catalog.add_task(TASK)[1]
    assert not catalog.add_task(TASK)[1]
    changed, is_new = catalog.add_task(TASK.model_copy(update={"instructions": "Pour it all."}))
    assert is_new and changed.version == 2
    assert catalog.task("pour", 1).task == TASK
    assert catalog.task("pour").task.instructions == "Pour it all."
    assert [stored.version for stored in catalog.tasks()] == [2]


def test_names_that_do_not_exist_are_told_with_those_that_do(catalog: Catalog) -> None:
    catalog.add_contributor("c001")
    with pytest.raises(NotFound, match=r"no contributor named 'c002' \(there is: c001\).*contributor add c002"):
        catalog.require_contributor("c002")
    with pytest.raises(NotFound, match="there is no task yet"):
        catalog.task("pour")
    with pytest.raises(InvalidInput, match="cannot name a contributor"):
        catalog.add_contributor("../../etc")


def test_moments_come_back_in_utc(catalog: Catalog) -> None:
    recording = draft(catalog)
    created = catalog.recording(recording).created_at
    assert created.tzinfo is UTC
    assert abs((datetime.now(UTC) - created).total_seconds()) < 60


def test_the_migrations_make_the_tables_of_the_code(catalog: Catalog) -> None:
    with catalog.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Table.metadata) == []


def test_the_newest_revision_is_the_one_in_the_folder() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_current_head() == NEWEST_REVISION


def test_a_catalog_of_the_first_revision_is_upgraded_and_keeps_its_data(catalog_url: str) -> None:
    engine = create_engine(catalog_url.replace("postgresql://", "postgresql+psycopg://"))
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        now = "'2026-11-23 04:00:00'"
        connection.execute(text(f"INSERT INTO task VALUES ('pour', 1, '{{}}', '{'a' * 64}', {now})"))
        connection.execute(text(f"INSERT INTO contributor VALUES ('c001', {now})"))
        connection.execute(
            text(
                "INSERT INTO recording VALUES ('20261123-040000-00000001', 'pour', 1, 'c001', 'submitted', "
                f"{now}, 10, 3, 640, 480, 30.0, '{'0' * 64}', '', NULL)"
            )
        )
        connection.execute(
            text(
                "INSERT INTO recording VALUES ('20261123-040000-00000002', 'pour', 1, 'c001', 'flagged', "
                f"{now}, 10, 3, 640, 480, 30.0, '{'0' * 64}', '', NULL)"
            )
        )
        connection.execute(
            text(
                "INSERT INTO event (recording, at, who, from_state, to_state, why) VALUES "
                "('20261123-040000-00000002', '2026-11-23 05:00:00', 'kinesphere', 'submitted', 'flagged', 'dark')"
            )
        )
        connection.execute(
            text(
                "INSERT INTO review (recording, reviewer, decision, feedback, at) VALUES "
                f"('20261123-040000-00000001', 'r1', 'accept', 'fine', {now})"
            )
        )
    engine.dispose()

    for _ in range(2):  # the second opening finds nothing to do
        catalog = Catalog.open(catalog_url)
        (row,) = catalog.recordings(State.SUBMITTED)
        assert (row.recording, row.frames, row.sent_to) == ("20261123-040000-00000001", 3, None)
        assert (row.scopes, row.consent_expires_at) == (("train", "share_keypoints"), None)
        with catalog.engine.connect() as connection:
            assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar() == NEWEST_REVISION
            assert compare_metadata(MigrationContext.configure(connection), Table.metadata) == []
        (waiting,) = Reviews(catalog).queue()
        assert (waiting.recording.recording, waiting.reasons) == ("20261123-040000-00000002", ("doubt",))
        assert waiting.asked_at.replace(tzinfo=None) == datetime(2026, 11, 23, 5)
        (review,) = catalog.reviews("20261123-040000-00000001")
        assert (review.reason, review.round, list(review.named), review.ranges) == ("doubt", 1, [], ())
        catalog.close()


def test_a_recording_that_was_sent_says_where_to(catalog: Catalog) -> None:
    recording = draft(catalog)
    catalog.submit(recording, who="c001", sent_to="https://far.example")
    assert catalog.recording(recording).sent_to == "https://far.example"
    assert catalog.recording(recording).state is State.SUBMITTED
    assert catalog.events(recording)[-1].why == "sent to https://far.example"


def test_a_catalog_of_a_later_release_is_refused_by_name(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'catalog.sqlite'}"
    catalog = Catalog.open(url, create=True)
    with catalog.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    catalog.close()
    with pytest.raises(NewerFormat, match="newer kinesphere"):
        Catalog.open(url)


def test_a_damaged_catalog_is_an_error_that_names_it(tmp_path: Path) -> None:
    file = tmp_path / "catalog.sqlite"
    file.write_bytes(b"this is no database at all" * 100)
    with pytest.raises(CorruptObject, match=r"catalog\.sqlite is damaged"):
        Catalog.open(f"sqlite:///{file}")


def test_sqlite_runs_in_wal_mode_with_foreign_keys(tmp_path: Path) -> None:
    catalog = Catalog.open(f"sqlite:///{tmp_path / 'catalog.sqlite'}", create=True)
    with catalog.engine.connect() as connection:
        assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
        assert connection.execute(text("PRAGMA foreign_keys")).scalar() == 1
    catalog.close()


@pytest.mark.parametrize("url", ["mysql://host/x", "no url at all", "sqlitee:///x"])
def test_a_catalog_url_of_another_kind_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput, match="catalog URL"):
        Catalog.open(url, create=True)


@settings(max_examples=30)
@given(wishes=st.lists(st.sampled_from([state for state in State if state is not State.DRAFT]), max_size=6))
def test_whatever_is_asked_only_allowed_changes_happen(
    tmp_path_factory: pytest.TempPathFactory, wishes: list[State]
) -> None:
    """Model-based: the state follows `ALLOWED`, and the events tell exactly the changes that happened."""
    from storage.catalog.state_machine import move

    catalog = Catalog.open(f"sqlite:///{tmp_path_factory.mktemp('states') / 'catalog.sqlite'}", create=True)
    recording = draft(catalog)
    model = [State.DRAFT]
    for wish in wishes:
        try:
            with catalog.writing() as session:
                move(session, recording, wish, who="someone", why="")
        except KinesphereError:
            assert wish not in ALLOWED[model[-1]]
        else:
            assert wish in ALLOWED[model[-1]]
            model.append(wish)
    assert [event.to_state for event in catalog.events(recording)] == model
    assert catalog.recording(recording).state is model[-1]
    catalog.close()
