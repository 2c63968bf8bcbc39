"""`where` expressions: SQL conditions over the episode columns, as PyArrow expressions. Nothing is evaluated."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NoReturn

import pyarrow as pa
import pyarrow.compute as pc

from kinesphere.errors import InvalidInput
from kinesphere.versions.episode_table import EPISODE_SCHEMA

if TYPE_CHECKING:
    from sqlglot import exp

KNOWN = "= != < <= > >=, and, or, not, in, between, like, is null, parentheses, 'text', numbers and columns"

LONGEST = 1 << 22
"""Characters of an expression: some 100,000 ids fit in."""
_SHOWN = 300
"""Characters of an expression that a message repeats."""
_EQUALITIES = 64
"""So many choices of `in` are compared one by one, by which whole row groups may be left unread; more are looked up."""

_BINARY = ("expression",)
_ARGUMENTS = {
    **dict.fromkeys(("eq", "neq", "lt", "lte", "gt", "gte", "and", "or", "is"), _BINARY),
    "like": ("expression", "negate"),
    "between": ("low", "high"),
    "in": ("expressions",),
    "literal": ("is_string",),
}
"""What a node of each kind may carry besides `this`."""

_Kind = Literal["text", "number", "condition"]


@dataclass(frozen=True)
class _Term:
    """A part of an expression: what it compares as and, where it is a column or a literal, what it is."""

    kind: _Kind
    expression: pc.Expression
    type: pa.DataType | None = None
    literal: str | int | float | None = None


def where_expression(text: str) -> pc.Expression:
    """Turn e.g. `label = 'pour' and body_share > 0.9` into an expression to filter an episode table with.

    As in SQL, a comparison with a missing value is neither true nor false, so `label != 'pour'` leaves out the
    episodes without a label. Text is written in single quotes.

    Args:
        text: the condition.

    Returns:
        What filters a table with the columns of `EPISODE_SCHEMA`.

    Raises:
        InvalidInput: the text cannot be read, is too long, names an unknown column, or compares text with a number.
    """
    from sqlglot.errors import SqlglotError

    _check_characters(text)
    try:
        term = _Reader(text).term(_parsed(text))
    except SqlglotError as error:
        reason = _shortened(str(error).split(". Line")[0].splitlines()[0])
        raise InvalidInput(
            f'where expression "{_shortened(text)}" cannot be read: {reason}; it may hold {KNOWN}'
        ) from error
    except RecursionError as error:
        raise InvalidInput("the where expression is nested too deeply; shorten it, e.g. with `in (...)`") from error
    if term.kind != "condition":
        raise InvalidInput(f"where expression \"{_shortened(text)}\" is no condition; write e.g. label = 'pour'")
    return term.expression


def where_columns(text: str) -> list[str]:
    """The columns that an expression names, which `where_expression` has accepted.

    Args:
        text: the condition.

    Returns:
        Names, sorted.
    """
    from sqlglot import exp

    return sorted({column.name for column in _parsed(text).find_all(exp.Column)})


def _check_characters(text: str) -> None:
    if len(text) > LONGEST:
        raise InvalidInput(
            f"a where expression has at most {LONGEST} characters, not {len(text)}; filter the table instead"
        )
    try:
        text.encode()
    except UnicodeEncodeError as error:
        shown = text[error.start].encode(errors="backslashreplace").decode()
        raise InvalidInput(f"the where expression holds half a character ({shown}), which no text has") from error


def _shortened(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _parsed(text: str) -> exp.Expr:
    from sqlglot import Dialect, TokenType

    dialect = Dialect.get_or_raise(None)
    tokens = dialect.tokenize(text)
    for token in tokens:
        # `object` is a type to sqlglot, and `object < ...` the beginning of another.
        if token.text in EPISODE_SCHEMA.names and token.token_type != TokenType.STRING:
            token.token_type = TokenType.VAR
    statements = dialect.parser().parse(tokens, text)
    if len(statements) != 1 or statements[0] is None:
        raise InvalidInput(f'where expression "{_shortened(text)}" should be one condition; it may hold {KNOWN}')
    return statements[0]


class _Reader:
    """Translates the nodes that it knows and refuses all others."""

    def __init__(self, text: str) -> None:
        from sqlglot import exp

        self._text = text
        self._compare: dict[type[exp.Expr], Callable[[Any, Any], pc.Expression]] = {
            exp.EQ: lambda left, right: left == right,
            exp.NEQ: lambda left, right: left != right,
            exp.LT: lambda left, right: left < right,
            exp.LTE: lambda left, right: left <= right,
            exp.GT: lambda left, right: left > right,
            exp.GTE: lambda left, right: left >= right,
        }

    def term(self, node: exp.Expr) -> _Term:
        from sqlglot import exp

        self._check_arguments(node)
        compare = self._compare.get(type(node))
        if compare is not None:
            left, right = self._comparable(self.term(node.this), self.term(node.expression))
            return _Term("condition", compare(left, right))
        match node:
            case exp.Paren():
                return self.term(node.this)
            case exp.And():
                return _Term(
                    "condition", _balanced([self._condition(part) for part in self._chain(node)], operator.and_)
                )
            case exp.Or():
                return _Term(
                    "condition", _balanced([self._condition(part) for part in self._chain(node)], operator.or_)
                )
            case exp.Not():
                return _Term("condition", ~self._condition(node.this))
            case exp.Column():
                return self._column(node.name)
            case exp.Literal() | exp.Neg():
                return self._literal(node)
            case exp.In() if node.expressions:
                return self._in(self.term(node.this), [self._literal(value) for value in node.expressions])
            case exp.Between():
                value = self.term(node.this)
                low, high = self.term(node.args["low"]), self.term(node.args["high"])
                above, below = self._comparable(value, low), self._comparable(value, high)
                return _Term("condition", (above[0] >= above[1]) & (below[0] <= below[1]))
            case exp.Like():
                value, pattern = self.term(node.this), self._literal(node.expression)
                if value.kind != "text" or pattern.kind != "text":
                    self._refuse("'like' compares a text column with a 'pattern'")
                like = pc.match_like(value.expression, pattern.literal)
                return _Term("condition", ~like if node.args.get("negate") else like)
            case exp.Is() if isinstance(node.expression, exp.Null):
                return _Term("condition", self.term(node.this).expression.is_null())
        return self._refuse(f"'{_shortened(node.sql())}' is not understood; it may hold {KNOWN}")

    def _check_arguments(self, node: exp.Expr) -> None:
        """sqlglot keeps `not` of `not like` and other modifiers as arguments: none may pass unseen."""
        odd = {name for name, value in node.args.items() if value} - {"this", *_ARGUMENTS.get(node.key, ())}
        if odd:
            self._refuse(f"'{_shortened(node.sql())}' is not understood; it may hold {KNOWN}")

    def _chain(self, node: exp.Expr) -> list[exp.Expr]:
        """The parts of `a and b and c`, which sqlglot nests as deep as there are parts."""
        parts, waiting = [], [node]
        while waiting:
            part = waiting.pop()
            if type(part) is type(node):
                self._check_arguments(part)
                waiting += [part.expression, part.this]
            else:
                parts.append(part)
        return parts

    def _condition(self, node: exp.Expr) -> pc.Expression:
        term = self.term(node)
        if term.kind != "condition":
            self._refuse(f"'{_shortened(node.sql())}' is no condition")
        return term.expression

    def _column(self, name: str) -> _Term:
        if name not in EPISODE_SCHEMA.names:
            known = ", ".join(EPISODE_SCHEMA.names)
            self._refuse(f"there is no column '{name}' (there is: {known}); text goes in single quotes")
        type_ = EPISODE_SCHEMA.field(name).type
        return _Term("text" if pa.types.is_string(type_) else "number", pc.field(name), type_)

    def _literal(self, node: exp.Expr) -> _Term:
        from sqlglot import exp

        sign, inner = (-1, node.this) if isinstance(node, exp.Neg) else (1, node)
        if not isinstance(inner, exp.Literal) or (sign < 0 and inner.is_string):
            return self._refuse(f"'{_shortened(node.sql())}' should be a 'text' or a number")
        if inner.is_string:
            return _Term("text", pc.scalar(inner.name), literal=inner.name)
        try:
            value = sign * (int(inner.name) if inner.name.isdecimal() else float(inner.name))
            if not -(2**63) <= value < 2**63:
                raise ValueError(value)
        except ValueError:
            return self._refuse(f"'{_shortened(node.sql())}' is no number that fits in 64 bits")
        return _Term("number", pc.scalar(value), literal=value)

    def _comparable(self, left: _Term, right: _Term) -> tuple[pc.Expression, pc.Expression]:
        if left.kind != right.kind or left.kind == "condition":
            self._refuse(f"it compares {left.kind} with {right.kind}; text goes in single quotes, numbers do not")
        return self._fitted(left, right), self._fitted(right, left)

    def _fitted(self, term: _Term, other: _Term) -> pc.Expression:
        # 0.9 as stored in a float32 column is not the float64 0.9: compare in the column's own precision.
        if term.literal is not None and other.type == pa.float32():
            return pc.scalar(pa.scalar(float(term.literal), pa.float32()))
        return term.expression

    def _in(self, value: _Term, choices: list[_Term]) -> _Term:
        pairs = [self._comparable(value, choice) for choice in choices]
        if value.type is None or len(choices) <= _EQUALITIES:
            return _Term("condition", _balanced([left == right for left, right in pairs], operator.or_))
        return _Term("condition", _looked_up(value.expression, value.type, [choice.literal for choice in choices]))

    def _refuse(self, reason: str) -> NoReturn:
        raise InvalidInput(f'where expression "{_shortened(self._text)}": {reason}')


def _balanced(
    parts: Sequence[pc.Expression], join: Callable[[pc.Expression, pc.Expression], pc.Expression]
) -> pc.Expression:
    """All parts joined, nested as little as can be: Arrow walks through expressions on the stack."""
    level = list(parts)
    while len(level) > 1:
        pairs = [join(*level[place : place + 2]) for place in range(0, len(level) - 1, 2)]
        level = pairs + level[2 * len(pairs) :]
    return level[0]


def _looked_up(column: pc.Expression, type_: pa.DataType, choices: Sequence[str | float | None]) -> pc.Expression:
    """Whether a column holds one of many values, by hash; where it holds none, SQL's "unknown"."""
    values = pa.array(sorted(_representable(choices, type_)), type_)
    # `isin` calls a missing value false, and its negation true.
    found = pc.if_else(column.is_valid(), column.isin(values), pa.scalar(None, pa.bool_()))
    if not values:
        return found
    # Of ranges Arrow knows which row groups cannot hold them.
    return (column >= pc.scalar(values[0])) & (column <= pc.scalar(values[-1])) & found


def _representable(choices: Sequence[Any], type_: pa.DataType) -> set[Any]:
    """Of the choices, those that a column of this type can hold."""
    if pa.types.is_integer(type_):
        most = 2 ** (type_.bit_width - 1)
        return {int(choice) for choice in choices if choice == int(choice) and -most <= choice < most}
    return set(choices)
