"""No file imports in a circle, not even for types or inside a function: whoever reads one may stop at its imports."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("kinesphere", "storage", "capture", "pose", "annotate", "studio")


def modules_of(root: Path, rooms: tuple[str, ...]) -> dict[str, Path]:
    """All files of some rooms by the name of their module; a package's is that of its `__init__`."""
    files = (file for room in rooms for file in sorted((root / room).rglob("*.py")))
    return {".".join(file.relative_to(root).with_suffix("").parts).removesuffix(".__init__"): file for file in files}


def imports_of(module: str, modules: Mapping[str, Path]) -> Iterator[str]:
    """The modules that a file imports anywhere in it. A name that is a module counts as that, not as its package."""
    for node in ast.walk(ast.parse(modules[module].read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in modules)
        elif isinstance(node, ast.ImportFrom):
            package = module if modules[module].name == "__init__.py" else module.rpartition(".")[0]
            base = package.rsplit(".", node.level - 1)[0] if node.level else ""
            source = ".".join(part for part in (base, node.module) if part)
            named = {f"{source}.{alias.name}" for alias in node.names}
            yield from named & modules.keys()
            if source in modules and named - modules.keys():
                yield source


def circles_in(imports: Mapping[str, set[str]]) -> list[list[str]]:
    """The groups of modules that reach each other: strongly connected components, by Tarjan's algorithm (1972)."""
    number: dict[str, int] = {}
    lowest: dict[str, int] = {}
    path: list[str] = []
    found = []

    def visit(module: str) -> None:
        number[module] = lowest[module] = len(number)
        path.append(module)
        for imported in sorted(imports[module]):
            if imported not in number:
                visit(imported)
            if imported in path:
                lowest[module] = min(lowest[module], lowest[imported])
        if lowest[module] == number[module]:
            place = path.index(module)
            group, path[place:] = path[place:], []
            if len(group) > 1 or module in imports[module]:
                found.append(sorted(group))

    for module in sorted(imports):
        if module not in number:
            visit(module)
    return found


def test_no_file_imports_in_a_circle() -> None:
    modules = modules_of(ROOT, ROOMS)
    circles = circles_in({module: set(imports_of(module, modules)) for module in modules})
    assert not circles, "these files import each other, directly or by way of others (types count too):\n" + "\n".join(
        f"  {' <-> '.join(circle)}" for circle in circles
    )


@pytest.mark.parametrize(
    "line",
    [
        "from room.b import name",
        "from room import b",
        "import room.b",
        "from . import b",
        "def late():\n    from .b import name",
        "if TYPE_CHECKING:\n    from room.b import name",
    ],
)
def test_a_circle_is_found_however_it_is_tied(tmp_path: Path, line: str) -> None:
    folder = tmp_path / "room"
    folder.mkdir()
    for name, content in {"__init__": "", "a": line, "b": "from room.a import late", "c": "import room.a"}.items():
        (folder / f"{name}.py").write_text(content)
    modules = modules_of(tmp_path, ("room",))
    assert circles_in({module: set(imports_of(module, modules)) for module in modules}) == [["room.a", "room.b"]]
