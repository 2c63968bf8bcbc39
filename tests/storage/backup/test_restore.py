"""Restoring: an empty place becomes the same workspace, on either database; nobody who was erased comes back."""

from __future__ import annotations

import gzip
import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from annotate.labels.labelling import Labelling
from kinesphere.errors import Conflict, CorruptObject, NewerFormat, NotFound
from kinesphere.video.video_keys import video_key
from storage.backup import restore as restoring
from storage.backup.backup_place import BackupPlace
from storage.backup.backup_run import back_up
from storage.backup.catalog_dump import dump_catalog
from storage.backup.catalog_import import import_catalog
from storage.backup.restore import Destination, RestoreReport, restore
from storage.catalog import Annotator, Attributes, Catalog, Erasures, GoldRecordings, Reviews
from storage.catalog.tables import ExportTable, LabelPriorityTable, RecordingTable, ReviewLeaseTable
from storage.erasure.erasure import erase
from storage.erasure.erasure_check import find_traces
from storage.inspection.workspace_inspection import inspect
from storage.publishing.publish import publish
from storage.recordings.recording import State
from storage.workspace import RESTORING, Workspace, create_workspace, open_workspace
from tests.support.annotated_recordings import drawn
from tests.support.compared_workspaces import assert_same_batches, batches_of, bytes_of, rows_of
from tests.support.filled_studio import fill
from tests.support.interruptions import Killed, killed_at
from tests.support.populated_workspaces import add_recording, populate
from tests.support.submitted_takes import make_take

PEOPLE = {"anna": 2, "ben": 1}


@pytest.fixture
def kitchen(workspace: Workspace) -> Workspace:
    """Three recordings of two people, and a version of them."""
    populate(workspace, PEOPLE)
    publish(workspace, "kitchen", created_by="eve")
    return workspace


def fill_every_table(workspace: Workspace, folder: Path) -> None:
    """Put something into each table that a backup holds."""
    filled = fill(workspace, folder)
    populate(workspace, {**PEOPLE, "zoe": 1})
    Attributes(workspace.catalog).describe("ben", {"handedness": "left"})
    Reviews(workspace.catalog).decide(filled.flagged, "return", reviewer="rosa", feedback="Too dark.")
    GoldRecordings(workspace.catalog).mark(filled.flagged, who="otto", decision="return")
    replaced = add_recording(workspace, "c002", seed=70, accept=False)
    with workspace.catalog.writing() as session:
        now = datetime.now(UTC)
        row = session.get(RecordingTable, replaced.recording)
        assert row is not None
        row.replaces = filled.flagged
        session.add(LabelPriorityTable(task="move", recording=None, priority=3))
        lease = {"reviewer": "rosa", "reason": "doubt", "begun_at": now, "until": now + timedelta(hours=1)}
        session.add(ReviewLeaseTable(recording=replaced.recording, **lease))
        export = {"dataset": "kitchen", "version": 1, "format": "parquet", "location": "/far", "made_on": "elsewhere"}
        session.add(ExportTable(export="e1", made_by="olivia", made_at=now, state="made", **export))
    make_take(workspace, folder / "filling.mp4", "ben")
    labelling = Labelling(workspace)
    record, _ = labelling.annotations.begin(filled.accepted, Annotator("anna"))
    edges = labelling.frames.edges(filled.accepted)
    labelling.apply(record, [drawn(int(edges[2]), int(edges[20]), object="glass", note="é \U0001f600")], who="anna")
    labelling.annotations.done(record.annotation)
    erase(workspace, "zoe", who="olivia")
    publish(workspace, "kitchen", created_by="olivia")


@pytest.mark.parametrize("before", ["sqlite", "postgresql"])
@pytest.mark.parametrize("after", ["sqlite", "postgresql"])
def test_every_row_and_byte_is_the_same_on_either_database(
    before: str, after: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    urls = ["sqlite:///catalog.sqlite", "sqlite:///catalog.sqlite"]
    if before == "postgresql":
        urls[0] = request.getfixturevalue("postgres_url")
    if after == "postgresql":
        urls[1] = request.getfixturevalue("own_postgres_url")
    if before == "postgresql":
        _empty(urls[0])
    workspace = create_workspace(tmp_path / "before", name="kitchen", catalog=urls[0])
    fill_every_table(workspace, tmp_path)
    rows, content, batches = rows_of(workspace.catalog), bytes_of(workspace), batches_of(workspace, "kitchen")
    assert [name for name, held in rows.items() if not held] == []
    back_up(workspace, tmp_path / "backup")
    workspace.catalog.close()
    shutil.rmtree(tmp_path / "before")
    report = restore(tmp_path / "backup", Destination(tmp_path / "after", catalog=urls[1]))
    assert (report.lost, report.erased_again, report.objects) == ((), (), len(content))
    made = open_workspace(tmp_path / "after")
    assert made.name == "kitchen" and rows_of(made.catalog) == rows and bytes_of(made) == content
    assert_same_batches(batches_of(made, "kitchen"), batches)
    assert inspect(made, deep=True).problems == ()
    assert find_traces(made, "zoe") == []
    # New rows get new numbers, and life goes on.
    add_recording(made, "ben", seed=80)
    assert publish(made, "kitchen").is_new
    made.catalog.close()


def _empty(url: str) -> None:
    """Take the tables of another test away."""
    from sqlalchemy import create_engine, make_url, text

    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    engine.dispose()


def test_from_and_to_an_object_store(kitchen: Workspace, s3_url: str, tmp_path: Path) -> None:
    kitchen.objects.put("cameras/large.json", bytes(9 << 20))
    rows, content = rows_of(kitchen.catalog), bytes_of(kitchen)
    back_up(kitchen, f"{s3_url}/backup")
    assert back_up(kitchen, f"{s3_url}/backup").copied == 0
    restore(f"{s3_url}/backup", Destination(tmp_path / "restored", store=f"{s3_url}/restored"))
    made = open_workspace(tmp_path / "restored")
    assert rows_of(made.catalog) == rows and bytes_of(made) == content
    assert back_up(made, tmp_path / "backup-of-it").copied == len(content)
    assert back_up(made, tmp_path / "backup-of-it").copied == 0
    made.catalog.close()
    with pytest.raises(Conflict, match="already holds recordings, shards"):
        restore(f"{s3_url}/backup", Destination(tmp_path / "again", store=f"{s3_url}/restored"))
    assert not (tmp_path / "again").exists()


def test_nothing_that_is_there_is_overwritten(kitchen: Workspace, tmp_path: Path, own_postgres_url: str) -> None:
    back_up(kitchen, tmp_path / "backup")
    with pytest.raises(Conflict, match="is a workspace; restore to a folder that is empty"):
        restore(tmp_path / "backup", Destination(kitchen.folder))
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "notes.txt").write_text("mine")
    with pytest.raises(Conflict, match="is not empty"):
        restore(tmp_path / "backup", Destination(mine))
    assert [path.name for path in mine.iterdir()] == ["notes.txt"]
    other = Catalog.open(own_postgres_url)
    other.add_contributor("carla")
    with pytest.raises(Conflict, match=r"already holds rows \(1 in contributor"):
        restore(tmp_path / "backup", Destination(tmp_path / "new", catalog=own_postgres_url))
    assert other.contributors() == ["carla"] and not (tmp_path / "new").exists()
    other.close()
    with pytest.raises(NotFound, match="kinesphere backup DEST"):
        restore(tmp_path / "mine", Destination(tmp_path / "new"))
    with pytest.raises(NotFound, match="no snapshot named '000009'"):
        restore(tmp_path / "backup", Destination(tmp_path / "new"), snapshot="000009")


def test_interrupted_before_any_change_it_cannot_be_opened_and_goes_on_when_repeated(
    kitchen: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restoring, "_AT_ONCE", 1)
    back_up(kitchen, tmp_path / "before")
    shutil.copytree(tmp_path / "before", tmp_path / "backup")
    erase(kitchen, "anna", who="eve")
    back_up(kitchen, tmp_path / "after")
    shutil.copytree(tmp_path / "after/erasures", tmp_path / "backup/erasures")  # all that an interrupted one had done
    number, new = 0, tmp_path / "new"
    while True:
        shutil.rmtree(new, ignore_errors=True)
        try:
            with killed_at(monkeypatch, number):
                report = restore(tmp_path / "backup", Destination(new))
        except Killed:
            if (new / "workspace.toml").exists():
                with pytest.raises(Conflict, match="is being restored, or that was interrupted"):
                    open_workspace(new)
            _check(restore(tmp_path / "backup", Destination(new)), new)
            number += 17
            continue
        _check(report, new)
        assert number > 70
        return


def _check(report: RestoreReport, folder: Path) -> None:
    assert report.lost == () and len(report.erased_again) == 1
    made = open_workspace(folder)
    assert find_traces(made, "anna") == [] and inspect(made, deep=True).problems == ()
    assert {row.contributor for row in made.catalog.recordings(State.ACCEPTED)} == {"ben"}
    assert {path.name for path in folder.iterdir() if path.is_dir()} <= {
        "recordings", "shards", "datasets", "erasures", "drafts",
    }  # fmt: skip
    assert not (folder / RESTORING).exists()
    made.catalog.close()


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_killed_right_after_the_catalog_was_filled_it_goes_on(
    kitchen: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database: str, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue("own_postgres_url") if database == "postgresql" else "sqlite:///catalog.sqlite"
    back_up(kitchen, tmp_path / "backup")
    new = Destination(tmp_path / "new", catalog=url)

    def killed(url: str, dump: bytes) -> None:
        import_catalog(url, dump)
        raise Killed

    with monkeypatch.context() as context, pytest.raises(Killed):
        context.setattr(restoring, "import_catalog", killed)
        restore(tmp_path / "backup", new)
    restore(tmp_path / "backup", new)
    made = open_workspace(tmp_path / "new")
    assert rows_of(made.catalog) == rows_of(kitchen.catalog)
    made.catalog.close()


def test_goes_on_only_with_what_was_begun(kitchen: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = back_up(kitchen, tmp_path / "backup").snapshot
    back_up(kitchen, tmp_path / "backup")
    with killed_at(monkeypatch, 20), pytest.raises(Killed):
        restore(tmp_path / "backup", Destination(tmp_path / "new"))
    with pytest.raises(Conflict, match="was being restored with another snapshot"):
        restore(tmp_path / "backup", Destination(tmp_path / "new"), snapshot=first.name)
    restore(tmp_path / "backup", Destination(tmp_path / "new"))


def test_what_the_backup_has_lost_is_named_and_the_rest_restored(kitchen: Workspace, tmp_path: Path) -> None:
    back_up(kitchen, tmp_path / "backup")
    place = BackupPlace.open(tmp_path / "backup")
    rows = kitchen.catalog.recordings()
    entries = place.entries(place.snapshots()[-1])
    place.objects.delete(entries[video_key(rows[0].recording)].place)
    damaged = entries[video_key(rows[1].recording)]
    place.objects.put(damaged.place, b"!" * damaged.size_bytes)
    report = restore(tmp_path / "backup", Destination(tmp_path / "new"))
    assert report.lost == tuple(sorted(video_key(row.recording) for row in rows[:2]))
    made = open_workspace(tmp_path / "new")
    assert {problem.what for problem in inspect(made, deep=True).problems} == {
        f"recording {row.recording}" for row in rows[:2]
    }
    made.catalog.close()


@pytest.mark.parametrize("part", ["catalog.jsonl.gz", "objects.jsonl.gz", "manifest.json"])
def test_a_damaged_snapshot_is_not_restored_by_half(kitchen: Workspace, tmp_path: Path, part: str) -> None:
    name = back_up(kitchen, tmp_path / "backup").snapshot.name
    file = tmp_path / "backup/snapshots" / name / part
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(CorruptObject, match="damaged"):
        restore(tmp_path / "backup", Destination(tmp_path / "new"))
    assert not (tmp_path / "new/workspace.toml").exists() or (tmp_path / "new" / RESTORING).exists()


def test_who_was_erased_after_the_snapshot_does_not_come_back(kitchen: Workspace, tmp_path: Path) -> None:
    add_recording(kitchen, "carla", seed=50) if kitchen.catalog.add_contributor("carla") else None
    back_up(kitchen, tmp_path / "backup")
    (ben,) = kitchen.catalog.recordings(contributor="ben")
    kitchen.catalog.withdraw(ben.recording, who="ben", why="changed his mind")
    erase(kitchen, None, who="server")
    erase(kitchen, "anna", who="eve")
    kitchen.catalog.add_contributor("dora")
    erase(kitchen, "dora", who="eve")
    for record in Erasures(kitchen.catalog).done():  # all that the next backup did before it was interrupted
        file = tmp_path / f"backup/erasures/{record.receipt}.json"
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(record.tombstone))
    report = restore(tmp_path / "backup", Destination(tmp_path / "new"))
    assert len(report.erased_again) == 2, "dora is in no snapshot"
    made = open_workspace(tmp_path / "new")
    assert find_traces(made, "anna") == []
    assert made.catalog.contributors() == ["ben", "carla"]
    assert not made.objects.keys(f"recordings/{ben.recording}")
    assert {row.contributor for row in made.catalog.recordings(State.ACCEPTED)} == {"carla"}
    assert inspect(made, deep=True).problems == ()
    made.catalog.close()


def test_the_next_backup_takes_whom_an_erasure_took_and_the_snapshots_that_name_them(
    kitchen: Workspace, tmp_path: Path
) -> None:
    first = back_up(kitchen, tmp_path / "backup").snapshot
    kitchen.catalog.add_contributor("carla")
    add_recording(kitchen, "carla", seed=50)
    second = back_up(kitchen, tmp_path / "backup").snapshot
    erase(kitchen, "carla", who="eve")
    third = back_up(kitchen, tmp_path / "backup")
    assert third.removed.erased == (second.name,), "the first does not name her"
    assert [found.name for found in BackupPlace.open(tmp_path / "backup").snapshots()] == [
        first.name, third.snapshot.name,
    ]  # fmt: skip
    erase(kitchen, "anna", who="eve")
    fourth = back_up(kitchen, tmp_path / "backup")
    assert fourth.removed.erased == (first.name, third.snapshot.name)
    for path in (tmp_path / "backup").rglob("*"):
        if path.is_file():
            content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
            assert b"anna" not in content and b"carla" not in content, path
    assert not [path for path in (tmp_path / "backup").rglob("*") if path.is_dir() and not any(path.iterdir())]


def test_a_backup_of_an_earlier_release_is_upgraded(kitchen: Workspace, tmp_path: Path) -> None:
    dump, _ = dump_catalog(kitchen.catalog.engine)
    lines, table = [], ""
    for line in gzip.decompress(dump).splitlines():
        value = json.loads(line)
        if isinstance(value, dict):
            table = value.get("table", table)
            value |= {"revision": "0008"} if "revision" in value else {}
            if table == "trajectory" and "columns" in value:
                value["columns"] = [pair for pair in value["columns"] if pair[0] != "core_seconds"]
        elif table == "trajectory":
            del value[-2]
        lines.append(json.dumps(value))
    dump = gzip.compress("\n".join(lines).encode())
    url = f"sqlite:///{tmp_path / 'catalog.sqlite'}"
    import_catalog(url, dump)
    made = Catalog.open(url)
    assert rows_of(made) == rows_of(kitchen.catalog)
    made.close()
    (tmp_path / "catalog.sqlite").unlink()
    newer = gzip.compress(gzip.decompress(dump).replace(b'"0008"', b'"9999"'))
    with pytest.raises(NewerFormat, match="upgrade kinesphere"):
        import_catalog(url, newer)


def test_a_dump_that_was_cut_short_enters_nothing(kitchen: Workspace, tmp_path: Path) -> None:
    dump, _ = dump_catalog(kitchen.catalog.engine)
    lines = gzip.decompress(dump).splitlines()
    for content in (gzip.compress(b"\n".join(lines[:-3])), dump[:-200]):
        (tmp_path / "catalog.sqlite").unlink(missing_ok=True)
        url = f"sqlite:///{tmp_path / 'catalog.sqlite'}"
        with pytest.raises(CorruptObject, match="earlier snapshot"):
            import_catalog(url, content)
        made = Catalog.open(url)
        assert not any(rows_of(made).values())
        made.close()
