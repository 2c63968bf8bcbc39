"""Weights by an expression over the columns of `episodes`, such as `case when label = 'pour' then 2 else 1 end`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from kinesphere.errors import InvalidInput
from kinesphere.versions.table_parts import matching_rows
from kinesphere.where import where_expression

if TYPE_CHECKING:
    from sqlglot import exp

KNOWN = "numbers, columns of numbers, + - * /, parentheses, sqrt(), case when CONDITION then ... else ... end"
_LONGEST = 10_000


def weights_of(text: str, episodes: pa.Table) -> NDArray[np.float64]:
    """What an expression gives for each episode.

    Args:
        text: the expression; conditions in it are those of `kinesphere.where`.
        episodes: the episode table.

    Returns:
        float64, one number a row; NaN where a column has no value, or where it divides 0 by 0.

    Raises:
        InvalidInput: it cannot be read, or names a column that is not there or holds no numbers.
    """
    from sqlglot import parse_one
    from sqlglot.errors import SqlglotError

    if len(text) > _LONGEST:
        raise InvalidInput(f"a weight has at most {_LONGEST} characters, got {len(text)}; give an array of weights")
    try:
        node = parse_one(text)
        with np.errstate(divide="ignore", invalid="ignore"):
            values = _value(node, text, episodes)
    except (SqlglotError, RecursionError) as error:
        raise InvalidInput(f'weight "{text:.300}" cannot be read; it may hold {KNOWN}') from error
    return np.broadcast_to(np.asarray(values, np.float64), (len(episodes),)).copy()


def _value(node: exp.Expr, text: str, episodes: pa.Table) -> Any:
    from sqlglot import exp

    def of(part: Any) -> Any:
        return _value(part, text, episodes)

    match node:
        case exp.Paren():
            return of(node.this)
        case exp.Neg():
            return -of(node.this)
        case exp.Add():
            return of(node.this) + of(node.expression)
        case exp.Sub():
            return of(node.this) - of(node.expression)
        case exp.Mul():
            return of(node.this) * of(node.expression)
        case exp.Div():
            return np.float64(1) * of(node.this) / of(node.expression)
        case exp.Sqrt():
            return np.sqrt(of(node.this))
        case exp.Literal() if not node.is_string:
            return np.float64(node.name)
        case exp.Column():
            return _column(node.name, episodes)
        case exp.Case() if node.this is None:
            default = node.args.get("default")
            found = np.full(len(episodes), np.nan if default is None else of(default), np.float64)
            for branch in reversed(node.args["ifs"]):
                rows = matching_rows(episodes, where_expression(branch.this.sql()))
                found[rows] = np.broadcast_to(of(branch.args["true"]), (len(episodes),))[rows]
            return found
    raise InvalidInput(f'weight "{text:.300}": "{node.sql():.100}" is not understood; it may hold {KNOWN}')


def _column(name: str, episodes: pa.Table) -> NDArray[np.float64]:
    if name not in episodes.column_names:
        raise InvalidInput(f"cannot weight by '{name}'; the columns are {', '.join(episodes.column_names)}")
    column = episodes[name]
    if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        raise InvalidInput(f"cannot weight by '{name}', which holds {column.type}; give a column of numbers")
    return np.asarray(column.cast(pa.float64(), safe=False).to_numpy(), np.float64)
