"""Documents lead where they say: relative links, and the files and modules that they name, exist."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.support.preloaded_command import ROOT

PAGES = (
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "kinesphere/README.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
)
ROOMS = ("kinesphere", "storage", "capture", "pose", "annotate", "studio")
FOLDERS = (*ROOMS, "tests", "benchmarks", "docs", "requirements", ".ci", ".github")
WINGS = sorted(file for room in ROOMS for file in (ROOT / room).rglob("__init__.py"))

LINK = re.compile(r"\]\(([^)\s]+)\)")
NAME = re.compile(r"`(?:python -m )?([\w./-]+)`")
BARE_PATH = re.compile(rf"(?<![\w./`-])((?:{'|'.join(ROOMS)}|tests|benchmarks)/[\w./-]*\w)")
MODULE = re.compile(rf"(?:{'|'.join(ROOMS)}|tests|benchmarks)(?:\.\w+)+")
GROUP = re.compile(r"kinesphere\.(?:checks|sources|extractors|engines|exporters|label_formats|pages)")
EXAMPLES = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_and_names_of_a_page_lead_somewhere(page: Path) -> None:
    text = EXAMPLES.sub("", page.read_text(encoding="utf-8"))
    broken = [f"link {link}" for link in LINK.findall(text) if not _leads_somewhere(page, link)]
    broken += [f"name {name}" for name in NAME.findall(text) if not _exists(name, page.parent)]
    broken += [f"path {name}" for name in BARE_PATH.findall(LINK.sub("", text)) if not (ROOT / name).exists()]
    assert not broken, f"{page.relative_to(ROOT)} names what is not there: {', '.join(broken)}"


@pytest.mark.parametrize("wing", WINGS, ids=lambda wing: str(wing.parent.relative_to(ROOT)))
def test_the_files_that_a_wing_tells_of_exist(wing: Path) -> None:
    text = ast.get_docstring(ast.parse(wing.read_text(encoding="utf-8"))) or ""
    broken = [name for name in NAME.findall(text) if not _exists(name, wing.parent)]
    assert not broken, f"{wing.relative_to(ROOT)} names what is not there: {', '.join(broken)}"


@pytest.mark.parametrize(
    "name", ["storage/shard_reader.py", "shard_reader.py", "kinesphere.shard_reader", "studio/wab/"]
)
def test_a_name_of_nothing_is_found(name: str) -> None:
    assert not _exists(name, ROOT)


def _leads_somewhere(page: Path, link: str) -> bool:
    if "://" in link:
        return True
    path, _, heading = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    return target.exists() and (not heading or heading in _headings(target))


def _headings(page: Path) -> Iterator[str]:
    """The anchors of a page, as GitHub makes them."""
    for title in re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE):
        yield re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def _exists(name: str, folder: Path) -> bool:
    """Whether what a name in backticks stands for is there; names of other things, such as arrays, always are."""
    if GROUP.fullmatch(name):
        return True
    if MODULE.fullmatch(name):
        return _is_module_or_in_one(name)
    if name.split("/")[0] in FOLDERS and "/" in name:
        return (ROOT / name).exists()
    if name.endswith((".py", ".js")):
        return (folder / name).exists() or any(path.endswith(f"/{name}") for path in _files())
    return True


@cache
def _files() -> frozenset[str]:
    """The code of the rooms and of the tests, as paths from the root with a slash before."""
    found = (file for folder in (*ROOMS, "tests", "benchmarks") for file in (ROOT / folder).rglob("*.[pj][ys]"))
    return frozenset(f"/{file.relative_to(ROOT)}" for file in found)


def _is_module_or_in_one(name: str) -> bool:
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        file = ROOT.joinpath(*parts[:length])
        if file.with_suffix(".py").exists() or (file / "__init__.py").exists():
            found = importlib.import_module(".".join(parts[:length]))
            return not parts[length:] or hasattr(found, parts[length])
    return False
