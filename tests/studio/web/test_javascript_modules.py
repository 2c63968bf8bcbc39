"""The scripts of the pages: wings that import only downwards, no circles, nothing that no page uses."""

from __future__ import annotations

import graphlib
import re
from pathlib import Path

import pytest

import studio.web

WEB = Path(studio.web.__file__).parent
SCRIPTS = WEB / "static/js"
MODULES = {path.relative_to(SCRIPTS).as_posix(): path.read_text("utf-8") for path in sorted(SCRIPTS.rglob("*.js"))}

LOWER_WINGS = ("shared", "player", "segments")
"""From below: each may import those before it. All others are wings of pages, which import these, not one another."""

LONGEST = 400
"""Lines of a file."""

_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_IMPORT = re.compile(r"""(?:\bfrom\s*|^\s*import\s*|\bimport\(\s*)["']([^"']+)["']""", re.MULTILINE)
_SCRIPT = re.compile(r'<script[^>]* src="\{\{ static \}\}/js/([\w/]+\.js)"')
_STYLE = re.compile(r'<link[^>]* href="\{\{ static \}\}/css/([\w/]+\.css)"')


def imports(module: str, *, types: bool = True) -> set[str]:
    """The modules that a module imports; by default also those that only its type comments name."""
    text = MODULES[module]
    if not types:
        text = _COMMENT.sub("", text)
    found = set()
    for address in _IMPORT.findall(text):
        assert address.startswith("."), f"{module} imports {address}, which is no file of ours"
        target = (SCRIPTS / module).parent.joinpath(address).resolve()
        assert target.is_file(), f"{module} imports {address}, which does not exist"
        found.add(target.relative_to(SCRIPTS.resolve()).as_posix())
    return found


def wing(module: str) -> str:
    """The folder of a module."""
    return module.split("/")[0]


def named_by_templates(pattern: re.Pattern[str]) -> set[str]:
    """The static files that templates name."""
    return {name for path in (WEB / "templates").rglob("*.html") for name in pattern.findall(path.read_text("utf-8"))}


def test_modules_are_found() -> None:
    assert len(MODULES) > 30
    assert "shared/api.js" in imports("shared/page.js", types=False)
    assert "player/player.js" in imports("label/label_editor.js") - imports("label/label_editor.js", types=False)


def test_no_module_imports_in_a_circle() -> None:
    graph = {module: imports(module) for module in MODULES}
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


@pytest.mark.parametrize("module", MODULES)
def test_wings_import_only_what_lies_below(module: str) -> None:
    own = wing(module)
    below = LOWER_WINGS[: LOWER_WINGS.index(own)] if own in LOWER_WINGS else LOWER_WINGS
    assert {wing(other) for other in imports(module)} <= {own, *below}


def test_every_module_is_reached_from_a_template() -> None:
    reached: set[str] = set()
    waiting = named_by_templates(_SCRIPT)
    while waiting:
        module = waiting.pop()
        reached.add(module)
        waiting |= imports(module, types=False) - reached
    assert reached == set(MODULES)


def test_every_style_sheet_is_used_by_a_template() -> None:
    styles = WEB / "static/css"
    assert named_by_templates(_STYLE) == {path.relative_to(styles).as_posix() for path in styles.rglob("*.css")}


@pytest.mark.parametrize("module", MODULES)
def test_modules_say_what_they_are_for(module: str) -> None:
    lines = MODULES[module].splitlines()
    assert re.match(r"// \S.{20,}", lines[0]), "the first line says what the file is for"
    assert len(lines) <= LONGEST


def test_stems_are_unique() -> None:
    assert len({Path(module).stem for module in MODULES}) == len(MODULES)
