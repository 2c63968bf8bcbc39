"""What `cp` of a catalog loses that is in use, as `docs/operations.md` says, and that a backup has all of it."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

from storage.backup.backup_run import back_up
from storage.backup.restore import Destination, restore
from storage.workspace import Workspace, open_workspace
from tests.support.populated_workspaces import add_recording, populate


def test_a_copy_of_the_file_alone_lacks_what_is_in_the_write_ahead_log(workspace: Workspace, tmp_path: Path) -> None:
    populate(workspace, {"anna": 12}, frames=8)
    assert len(workspace.catalog.recordings()) == 12
    shutil.copyfile(workspace.folder / "catalog.sqlite", tmp_path / "copy.sqlite")
    copy = sqlite3.connect(tmp_path / "copy.sqlite")
    (whole,) = copy.execute("PRAGMA integrity_check").fetchone()
    tables = {name for (name,) in copy.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    held = copy.execute("SELECT count(*) FROM recording").fetchone()[0] if "recording" in tables else 0
    copy.close()
    assert whole == "ok", "it does not even look damaged"
    assert held < 12, "what was confirmed last is not in it"
    made = back_up(workspace, tmp_path / "backup")
    assert made.snapshot.manifest["catalog"]["rows"]["recording"] == 12


def test_file_and_log_that_were_copied_one_after_the_other_do_not_fit(workspace: Workspace, tmp_path: Path) -> None:
    """A checkpoint between the two copies: the file is of before, the log of after, what lies between is lost."""
    populate(workspace, {"anna": 12}, frames=8)
    checkpoint(workspace)
    file, copy = workspace.folder / "catalog.sqlite", tmp_path / "catalog.sqlite"
    shutil.copyfile(file, copy)
    populate(workspace, {"ben": 30}, frames=8)
    checkpoint(workspace)
    add_recording(workspace, "ben", seed=200, frames=8)
    shutil.copyfile(f"{file}-wal", f"{copy}-wal")
    try:
        opened = sqlite3.connect(copy)
        said = opened.execute("PRAGMA integrity_check").fetchall()
        held = opened.execute("SELECT count(*) FROM recording").fetchone()[0]
        opened.close()
    except sqlite3.DatabaseError as error:
        said, held = [(str(error),)], 0
    assert said != [("ok",)] or held < 43
    assert len(workspace.catalog.recordings()) == 43


def checkpoint(workspace: Workspace) -> None:
    with workspace.catalog.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def test_a_backup_has_what_was_committed_and_nothing_of_what_is_not(workspace: Workspace, tmp_path: Path) -> None:
    populate(workspace, {"anna": 3}, frames=8)
    with workspace.catalog.writing() as session:  # somebody else's transaction, not ended yet
        session.connection().exec_driver_sql("UPDATE recording SET frames = 0")
        assert back_up(workspace, tmp_path / "backup").losses == ()
        session.rollback()
    restore(tmp_path / "backup", Destination(tmp_path / "restored"))
    made = open_workspace(tmp_path / "restored")
    assert [row.frames for row in made.catalog.recordings()] == [8, 8, 8]
    made.catalog.close()
