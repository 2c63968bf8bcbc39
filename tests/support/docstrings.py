"""Finds what the docstrings of public functions do not say. `python -m tests.support.docstrings [ROOM]` lists it.

A function or method is public if it is in the reader, or if another room imports it or its class; a class that such a
one is built on is public with it. What such a docstring
says is in Google style, because API pages are built from it: `Args:` names every parameter, `Returns:` or `Yields:`
stands where something comes back, and `Raises:` names what the function itself raises.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROOMS = ("kinesphere", "storage", "capture", "pose", "annotate", "studio")
Function = ast.FunctionDef | ast.AsyncFunctionDef


def lacking(rooms: tuple[str, ...] = ROOMS) -> list[str]:
    """What is missing, a line a function: where it is, its name, and what its docstring does not say."""
    trees = {
        file: ast.parse(file.read_text())
        for room in ROOMS
        for file in sorted((ROOT / room).rglob("*.py"))
        if "migrations" not in file.parts
    }
    used = _used_elsewhere(trees)
    used |= _bases_of({name for _, name in used}, trees)
    found = []
    for file, tree in trees.items():
        place = file.relative_to(ROOT)
        if place.parts[0] in rooms:
            module = ".".join(place.with_suffix("").parts).removesuffix(".__init__")
            for name, function in _public_functions(tree, module, used):
                found += [f"{place}:{function.lineno} {name}: {fault}" for fault in _faults(function)]
    return found


def _used_elsewhere(trees: dict[Path, ast.Module]) -> set[tuple[str, str]]:
    """Names that a room imports from another one, as (module, name)."""
    used = set()
    for file, tree in trees.items():
        room = file.relative_to(ROOT).parts[0]
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in {*ROOMS} - {room}:
                used |= {(node.module, alias.name) for alias in node.names}
    return used


def _bases_of(names: set[str], trees: dict[Path, ast.Module]) -> set[tuple[str, str]]:
    """The classes that those named are built on, directly or not, as (module, name)."""
    defined = {
        node.name: (".".join(file.relative_to(ROOT).with_suffix("").parts), [ast.unparse(base) for base in node.bases])
        for file, tree in trees.items()
        for node in tree.body
        if isinstance(node, ast.ClassDef)
    }
    found, waiting = set[tuple[str, str]](), [*names]
    while waiting:
        for base in defined.get(waiting.pop(), ("", []))[1]:
            if base in defined and (defined[base][0], base) not in found:
                found.add((defined[base][0], base))
                waiting.append(base)
    return found


def _public_functions(tree: ast.Module, module: str, used: set[tuple[str, str]]) -> Iterator[tuple[str, Function]]:
    for node in tree.body:
        if not isinstance(node, ast.ClassDef | Function) or node.name.startswith("_"):
            continue
        is_public = module.split(".")[0] == "kinesphere" or any(
            name == node.name and (module == source or module.startswith(f"{source}.")) for source, name in used
        )
        if not is_public:
            continue
        if isinstance(node, Function):
            yield node.name, node
        else:
            for member in node.body:
                if isinstance(member, Function) and not member.name.startswith("_"):
                    yield f"{node.name}.{member.name}", member


def _faults(function: Function) -> Iterator[str]:
    text = ast.get_docstring(function)
    decorators = {ast.unparse(decorator).split("(")[0].split(".")[-1] for decorator in function.decorator_list}
    if decorators & {"overload", "setter", "override"}:
        return
    if text is None:
        yield "no docstring"
        return
    named = function.args.posonlyargs + function.args.args + function.args.kwonlyargs
    parameters = [one.arg for one in named if one.arg not in ("self", "cls") and not one.arg.startswith("_")]
    unnamed = [
        name
        for name in parameters
        if not re.search(rf"^\s*{name}(, \w+)*( \(.*\))?:", text, re.MULTILINE)
        and not re.search(rf"^\s*(\w+, )*{name}(, \w+)*:", text, re.MULTILINE)
    ]
    if unnamed:
        yield f"Args does not name {', '.join(unnamed)}"
    returned = ast.unparse(function.returns) if function.returns else "None"
    is_property = bool(decorators & {"property", "cached_property"})
    if (
        returned not in ("None", "Self", "NoReturn")
        and not is_property
        and not re.search("^(Returns|Yields):", text, re.M)
    ):
        yield "no Returns or Yields"
    raised = sorted(
        {
            node.exc.func.id
            for node in ast.walk(function)
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and isinstance(node.exc.func, ast.Name)
        }
    )
    unnamed_errors = [name for name in raised if name[0].isupper() and name not in text]
    if unnamed_errors:
        yield f"Raises does not name {', '.join(unnamed_errors)}"


if __name__ == "__main__":
    print("\n".join(lacking(tuple(sys.argv[1:]) or ROOMS)))
