"""Workspaces: made, opened, refused, and never left half made."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kinesphere.errors import Conflict, CorruptObject, InvalidInput, KinesphereError, NewerFormat, NotFound
from storage.workspace import Workspace, create_workspace, open_workspace


def test_a_workspace_opens_as_it_was_made(tmp_path: Path) -> None:
    made = create_workspace(tmp_path / "home" / "kitchen")
    made.catalog.add_contributor("c001")
    made.objects.put("a/b", b"content")
    made.catalog.close()
    opened = open_workspace(tmp_path / "home" / "kitchen")
    assert opened.name == "kitchen"
    assert opened.catalog.contributors() == ["c001"]
    assert opened.objects.get("a/b") == b"content"
    opened.catalog.close()


def _open_to_others(folder: Path) -> list[str]:
    """What of a folder has a permission for anybody but its owner, without what a folder above shuts off."""
    return [str(path.relative_to(folder)) for path in folder.rglob("*") if path.stat().st_mode & 0o077]


def test_a_new_workspace_is_for_its_owner_only_whatever_the_umask(tmp_path: Path) -> None:
    umask = os.umask(0)
    try:
        for inside, store in ((None, "."), (None, "elsewhere"), ("notes.txt", ".")):
            folder = tmp_path / f"{inside}-{store}"
            folder.mkdir()
            if inside is not None:
                (folder / inside).touch()
            create_workspace(folder, name="w", store=store).catalog.close()
            # Of a folder with other things in it we take nothing from those who use them.
            assert folder.stat().st_mode & 0o777 == (0o700 if inside is None else 0o777)
            assert [name for name in _open_to_others(folder) if name != inside] == []
        assert os.umask(0) == 0
    finally:
        os.umask(umask)


def test_a_workspace_is_not_made_twice(workspace: Workspace) -> None:
    with pytest.raises(Conflict, match="is a workspace already"):
        create_workspace(workspace.folder)


def test_a_workspace_of_a_newer_release_is_refused(workspace: Workspace) -> None:
    file = workspace.folder / "workspace.toml"
    file.write_text(file.read_text().replace("format_version = 1", "format_version = 2"))
    with pytest.raises(NewerFormat, match=r"format 2; this release reads up to 1\); upgrade"):
        open_workspace(workspace.folder)


@pytest.mark.parametrize("content", ["", "format_version = 'x'", "\x00", "format_version = 1\nname = 'x'"])
def test_a_damaged_workspace_file_is_told(workspace: Workspace, content: str) -> None:
    (workspace.folder / "workspace.toml").write_text(content)
    with pytest.raises(CorruptObject, match=r"workspace\.toml cannot be read"):
        open_workspace(workspace.folder)


def test_a_folder_without_workspace_is_told_with_the_next_step(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="kinesphere init"):
        open_workspace(tmp_path)


def test_a_workspace_whose_catalog_is_gone_is_told(workspace: Workspace) -> None:
    workspace.catalog.close()
    (workspace.folder / "catalog.sqlite").unlink()
    with pytest.raises(NotFound, match="no catalog named"):
        open_workspace(workspace.folder)


@pytest.mark.parametrize(
    "wrong",
    [{"catalog": "mysql://x/y"}, {"store": "nowhere://x"}, {"name": "a/b"}, {"catalog": "postgresql://127.0.0.1:1/x"}],
)
def test_a_failed_attempt_leaves_nothing(tmp_path: Path, wrong: dict[str, str]) -> None:
    with pytest.raises(KinesphereError):
        create_workspace(tmp_path / "new", **wrong)
    assert list(tmp_path.iterdir()) == []

    existing = tmp_path / "existing"
    existing.mkdir()
    (existing / "mine.txt").write_text("mine")
    with pytest.raises(KinesphereError):
        create_workspace(existing, **wrong)
    assert [entry.name for entry in existing.iterdir()] == ["mine.txt"]


def test_a_name_that_could_leave_the_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="cannot name a workspace"):
        create_workspace(tmp_path / "new", name="../x")


def test_two_who_open_an_empty_catalog_at_once_both_can_use_it(tmp_path: Path) -> None:
    """Migrations of the same database run one after the other."""
    from concurrent.futures import ThreadPoolExecutor

    from storage.catalog import Catalog

    url = f"sqlite:///{tmp_path / 'catalog.sqlite'}"
    with ThreadPoolExecutor(4) as pool:
        catalogs = list(pool.map(lambda _: Catalog.open(url, create=True), range(4)))
    assert [catalog.add_contributor("c001") for catalog in catalogs].count(True) == 1
    for catalog in catalogs:
        catalog.close()
