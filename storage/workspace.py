"""The workspace: a local folder that names a catalog and an object store, and holds takes not yet submitted."""

from __future__ import annotations

import json
import os
import shutil
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from kinesphere.errors import (
    Conflict,
    CorruptObject,
    InvalidInput,
    KinesphereError,
    NewerFormat,
    NotFound,
    StorageFailed,
)
from kinesphere.names import checked_name
from kinesphere.objects.local_files import write_whole
from kinesphere.objects.store import Objects, open_objects
from storage.catalog import Catalog

FORMAT_VERSION = 1
FILE_NAME = "workspace.toml"
RESTORING = "restoring.json"
"""Name of the note that lies in the folder of a workspace until all of it is restored from a backup."""
_OWNER_ONLY = 0o700


@dataclass(frozen=True)
class Workspace:
    """An open workspace. Opened with `open_workspace`, made with `create_workspace`."""

    folder: Path
    name: str
    catalog: Catalog
    objects: Objects

    @property
    def drafts(self) -> Path:
        """The local folder of takes that are not submitted yet, one folder a recording."""
        return self.folder / "drafts"

    @property
    def uploads(self) -> Path:
        """The local folder of what a server of this workspace is being sent."""
        return self.folder / "uploads"

    @property
    def temporary(self) -> Path:
        """The local folder of what is being made of recordings, each under a name that begins with the recording's."""
        return self.folder / "temporary"

    def dataset_location(self, dataset: str) -> str:
        """What to give `open_dataset` for a dataset of this workspace.

        Args:
            dataset: its name.

        Returns:
            A folder, or a URL of a prefix.
        """
        return f"{self.objects.url}/datasets/{dataset}"


@contextmanager
def private_files() -> Iterator[None]:
    """Let what this process writes within the block be readable by its owner only: files 0600, folders 0700.

    It holds for the whole process, so it is for commands, not for libraries.

    Yields:
        Nothing: the block does the work.
    """
    before = os.umask(0o777 & ~_OWNER_ONLY)
    try:
        yield
    finally:
        os.umask(before)


def create_workspace(
    folder: Path, *, name: str | None = None, catalog: str = "sqlite:///catalog.sqlite", store: str = "."
) -> Workspace:
    """Make a workspace in `folder`, which may exist.

    A relative SQLite file and a relative store are taken from the folder. What is made is for its owner only to read,
    the folder too unless it holds other things already.

    Args:
        folder: made if it is not there.
        name: of the workspace; by default the folder's.
        catalog: SQLAlchemy URL; by default a SQLite file in the folder.
        store: URL of a prefix in an object store; by default the folder.

    Returns:
        The workspace, open.

    Raises:
        Conflict: there is a workspace already.
        StorageFailed: the folder cannot be written; nothing is left of the attempt.
    """
    lay_out_workspace(folder, name=name, catalog=catalog, store=store)
    return open_workspace(folder)


def lay_out_workspace(folder: Path, *, name: str | None, catalog: str, store: str) -> None:
    """Do what `create_workspace` does, and do not open it: a workspace that is being restored is opened otherwise.

    Args:
        folder: made if it is not there.
        name: of the workspace; by default the folder's.
        catalog: SQLAlchemy URL.
        store: URL of a prefix in an object store, or a folder.

    Raises:
        Conflict: there is a workspace already.
        StorageFailed: the folder cannot be written; nothing is left of the attempt.
    """
    folder = folder.absolute()
    file = folder / FILE_NAME
    if file.exists():
        raise Conflict(f"{folder} is a workspace already; use it with --workspace {folder}, or choose another folder")
    name = checked_name("workspace", name or folder.name)
    before = set(folder.iterdir()) if folder.is_dir() else None
    try:
        with private_files():
            _make_folder(folder)
            if "://" not in store:
                _make_folder(Path(resolved_store(folder, store)))
            Catalog.open(resolved_catalog(folder, catalog), create=True).close()
            open_objects(resolved_store(folder, store), create=True)
            _write_description(folder, name, catalog, store)
    except (KinesphereError, OSError) as error:
        _remove_new(folder, before)
        if isinstance(error, KinesphereError):
            raise
        raise StorageFailed(f"cannot make a workspace in {folder}: {os.strerror(error.errno or 0).lower()}") from error


def _make_folder(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if not any(folder.iterdir()):
        folder.chmod(_OWNER_ONLY)


def _write_description(folder: Path, name: str, catalog: str, store: str) -> None:
    # A JSON string is a TOML basic string.
    values = (("name", name), ("catalog", catalog), ("store", store))
    lines = [f"format_version = {FORMAT_VERSION}", *(f"{key} = {json.dumps(value)}" for key, value in values)]
    write_whole(folder / FILE_NAME, ("\n".join(lines) + "\n").encode(), root=Path(folder.anchor))


def open_workspace(folder: Path, *, create_catalog: bool = False, restoring: bool = False) -> Workspace:
    """Open the workspace in `folder`.

    Args:
        folder: that `create_workspace` has made.
        create_catalog: make the SQLite file of the catalog where it is lost.
        restoring: open it though it is not yet restored as a whole.

    Returns:
        The workspace, open.

    Raises:
        NotFound: there is none.
        Conflict: it is not yet restored as a whole.
        NewerFormat: it was made by a later release.
        CorruptObject: its `workspace.toml` cannot be read.
    """
    folder = folder.absolute()
    name, catalog, store = _settings(folder)
    if not restoring and (folder / RESTORING).exists():
        raise Conflict(f"{folder} is being restored, or that was interrupted; go on with: kinesphere restore SOURCE")
    return Workspace(
        folder,
        name,
        Catalog.open(resolved_catalog(folder, catalog), create=create_catalog),
        open_objects(resolved_store(folder, store)),
    )


def open_store(folder: Path) -> Objects:
    """Open only the objects of a workspace, where its catalog cannot be opened.

    Args:
        folder: that `create_workspace` has made.

    Returns:
        Its objects.

    Raises:
        NotFound: there is none.
        NewerFormat: it was made by a later release.
        CorruptObject: its `workspace.toml` cannot be read.
    """
    folder = folder.absolute()
    return open_objects(resolved_store(folder, _settings(folder)[2]))


def catalog_url(folder: Path) -> str:
    """Where the catalog of a workspace is, whether it can be opened or not.

    Args:
        folder: of the workspace.

    Returns:
        A SQLAlchemy URL; a SQLite file is absolute.

    Raises:
        NotFound: there is no workspace.
        NewerFormat: it was made by a later release.
        CorruptObject: its `workspace.toml` cannot be read.
    """
    return resolved_catalog(folder.absolute(), _settings(folder.absolute())[1])


def _settings(folder: Path) -> tuple[str, str, str]:
    """What `workspace.toml` says: the name, the catalog's URL and the store; errors as in `open_workspace`."""
    file = folder / FILE_NAME
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
        version, name = int(content["format_version"]), str(content["name"])
        if version > FORMAT_VERSION:
            raise NewerFormat(f"the workspace {folder}", version, FORMAT_VERSION)
        catalog, store = str(content["catalog"]), str(content["store"])
    except (FileNotFoundError, NotADirectoryError) as error:
        hint = f"make one with: kinesphere init {folder}, or name another with --workspace"
        raise NotFound("workspace", str(folder), hint=hint) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, KeyError, ValueError) as error:
        if isinstance(error, KinesphereError):
            raise
        raise CorruptObject(
            f"{file} cannot be read ({error}); it needs format_version, name, catalog, store"
        ) from error
    return name, catalog, store


def resolved_catalog(folder: Path, url: str) -> str:
    """The URL of a catalog, a SQLite file taken from the workspace's folder.

    Args:
        folder: of the workspace, absolute.
        url: as `workspace.toml` says it.

    Returns:
        A SQLAlchemy URL.

    Raises:
        InvalidInput: it cannot be read.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise InvalidInput(
            f"catalog URL '{url}' cannot be read; use sqlite:///FILE or postgresql://HOST/DATABASE"
        ) from error
    if parsed.get_backend_name() == "sqlite" and parsed.database:
        parsed = parsed.set(database=str(folder / parsed.database))
    return parsed.render_as_string(hide_password=False)


def resolved_store(folder: Path, store: str) -> str:
    """Where the objects are, a folder taken from the workspace's.

    Args:
        folder: of the workspace, absolute.
        store: as `workspace.toml` says it.

    Returns:
        A folder, or a URL.
    """
    return store if "://" in store else str((folder / store).resolve())


def _remove_new(folder: Path, before: set[Path] | None) -> None:
    """Take back what a failed `create_workspace` wrote, and nothing that was there before."""
    if not folder.is_dir():
        return
    if before is None:
        shutil.rmtree(folder, ignore_errors=True)
        return
    for entry in set(folder.iterdir()) - before:
        if entry.is_dir():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            entry.unlink(missing_ok=True)
