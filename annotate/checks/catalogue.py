"""The table of the checks in docs/checks.md; `python -m annotate.checks.catalogue docs/checks.md` renews it."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from annotate.checks.built_in_checks import BUILT_IN
from annotate.checks.findings import Check

_TABLE = re.compile(r"(?<=<!-- checks: begin -->\n).*?(?=<!-- checks: end -->\n)", re.DOTALL)
_HEAD = (
    "| check | definition | unit | default: doubt / fail | what the contributor is told to do |\n"
    "| --- | --- | --- | --- | --- |\n"
)


def with_table(page: str) -> str:
    """A page with the table as the checks have it now.

    Args:
        page: Markdown that holds the lines `<!-- checks: begin -->` and `<!-- checks: end -->`.

    Returns:
        The page, with the table between these lines and all else as it was.

    Raises:
        ValueError: it does not hold them.
    """
    table = _HEAD + "".join(_row(check) for check in BUILT_IN.values())
    renewed, count = _TABLE.subn(lambda _: table, page)
    if count != 1:
        raise ValueError("the page does not hold '<!-- checks: begin -->' and '<!-- checks: end -->' once")
    return renewed


def _row(check: Check) -> str:
    limit = check.default
    default = f"{limit.direction} {limit.doubt:g} / {limit.fail:g}"
    return f"| `{check.name}` | {check.meaning} | {check.unit} | {default} | {check.advice} |\n"


if __name__ == "__main__":
    _file = Path(sys.argv[1])
    _file.write_text(with_table(_file.read_text(encoding="utf-8")), encoding="utf-8")
