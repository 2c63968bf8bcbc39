"""A lower room never imports a higher one, and what the light reader promises about imports holds."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

import kinesphere

ROOT = Path(__file__).parent.parent
MAY_IMPORT = {
    "kinesphere": set[str](),
    "storage": {"kinesphere"},
    "capture": {"kinesphere", "storage"},
    "pose": {"kinesphere", "storage"},
    "annotate": {"kinesphere", "storage", "pose", "capture"},
    "studio": {"kinesphere", "storage", "pose", "capture", "annotate"},
}


def imported_modules(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_a_room_imports_only_the_rooms_below_it(room: str) -> None:
    files = sorted((ROOT / room).rglob("*.py"))
    assert files
    for file in files:
        for module in imported_modules(file):
            top = module.split(".")[0]
            if top in MAY_IMPORT:
                assert top in MAY_IMPORT[room] | {room}, f"{file.relative_to(ROOT)} imports {module}"


def test_annotate_uses_nothing_of_capture_but_its_image_measurements() -> None:
    for file in (ROOT / "annotate").rglob("*.py"):
        from_capture = {module for module in imported_modules(file) if module.split(".")[0] == "capture"}
        assert from_capture <= {"capture.image_measurements"}, file


@pytest.mark.parametrize(
    ("wing", "never"),
    [("pipeline", ("typer", "rich", "studio.commands", "studio.web")), ("web", ("typer", "rich", "studio.commands"))],
)
def test_the_pipeline_and_the_pages_know_nothing_of_the_commands(wing: str, never: tuple[str, ...]) -> None:
    files = sorted((ROOT / "studio" / wing).rglob("*.py"))
    assert files
    for file in files:
        for module in imported_modules(file):
            assert not any(f"{module}.".startswith(f"{one}.") for one in never), f"{file} imports {module}"


def test_importing_the_reader_loads_none_of_the_heavy_libraries() -> None:
    code = (
        "import kinesphere, sys; kinesphere.open_dataset; "
        "print(sorted({'sqlalchemy', 'cv2', 'mediapipe', 'fastapi', 'av', 'torch', 'pydantic'} & set(sys.modules)))"
    )
    shown = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


def test_every_name_that_the_reader_offers_is_there() -> None:
    assert all(getattr(kinesphere, name) is not None for name in kinesphere.__all__)


def test_the_command_starts_without_the_heavy_libraries() -> None:
    code = (
        "import studio.app, sys; "
        "heavy = {'cv2', 'mediapipe', 'av', 'numpy', 'pyarrow', 'zarr', 'alembic', 'sqlalchemy', 'fastapi'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    shown = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


def test_every_public_room_says_what_it_is_for() -> None:
    for file in ROOT.glob("[!.]*/**/*.py"):
        if file.parts[len(ROOT.parts)] in MAY_IMPORT and file.stat().st_size:
            assert ast.get_docstring(ast.parse(file.read_text())), f"{file.relative_to(ROOT)} has no opening lines"


def test_no_two_files_share_a_name() -> None:
    """So a name means one thing; `__init__` is a folder's, and migrations have numbers."""
    files = [file for room in MAY_IMPORT for file in (ROOT / room).rglob("*.py") if file.name != "__init__.py"]
    names = Counter(file.stem for file in files)
    assert not {name for name, count in names.items() if count > 1} - {"app", "blur"}


def test_no_folder_holds_more_files_than_one_takes_in_at_a_glance() -> None:
    folders = Counter(file.parent for room in MAY_IMPORT for file in (ROOT / room).rglob("*.py"))
    assert not {folder: count for folder, count in folders.items() if count > 20}
