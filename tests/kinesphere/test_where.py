"""`where` expressions mean what SQL says they mean, checked against SQLite, and nothing else is understood."""

import sqlite3
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinesphere.errors import InvalidInput
from kinesphere.versions.episode_table import EPISODE_SCHEMA
from kinesphere.where import LONGEST, where_expression
from tests.support.generated_trajectories import make_table

ROWS: list[dict[str, Any]] = [
    {
        "episode": f"e{place}",
        "recording": "r",
        "contributor": contributor,
        "task": "pour-water",
        "task_version": place % 3,
        "shard": "0" * 32,
        "first_frame": 0,
        "length": 30 * place + 1,
        "start_ns": 0,
        "end_ns": 10**9 * place,
        "frame_rate": 30.0,
        "label": label,
        "object": label and f"{label}-thing",
        "scale": "relative",
        "extractor": "x",
        "body_share": 0.125 * place,
        "left_hand_share": 0.5,
        "right_hand_share": 0.5,
        "image_width": 1280,
        "image_height": 720,
    }
    for place, (contributor, label) in enumerate(
        (contributor, label) for contributor in ("anna", "ben") for label in ("pour", "it's", None, "reach")
    )
]
TABLE = make_table(ROWS)
TEXTS = st.sampled_from(["'pour'", "'it''s'", "'anna'", "''", "'reach'"])
NUMBERS = st.sampled_from(["0", "1", "-2", "31", "0.5", "1e1", "121"])
PATTERNS = st.sampled_from(["'p%'", "'%r%'", "'____'", "'%'"])
SIGNS = st.sampled_from(["=", "!=", "<>", "<", "<=", ">", ">="])
NOT = st.sampled_from(["", "not "])


def _comparisons() -> st.SearchStrategy[str]:
    text, number = st.sampled_from(["label", "object", "contributor"]), st.sampled_from(["length", "body_share"])
    return st.one_of(
        st.builds("{} {} {}".format, text, SIGNS, TEXTS),
        st.builds("{} {} {}".format, number, SIGNS, NUMBERS),
        st.builds("{} {} {}".format, number, SIGNS, number),
        st.builds("{} {}in ({}, {})".format, text, NOT, TEXTS, TEXTS),
        st.builds("{} {}in ({}, {})".format, number, NOT, NUMBERS, NUMBERS),
        st.builds("{} {}between {} and {}".format, number, NOT, NUMBERS, NUMBERS),
        st.builds("{} {}like {}".format, text, NOT, PATTERNS),
        st.builds("{} is {}null".format, text, NOT),
    )


EXPRESSIONS = st.recursive(
    _comparisons(),
    lambda inner: st.one_of(
        st.builds("({}) and {}".format, inner, inner),
        st.builds("{} or ({})".format, inner, inner),
        st.builds("not ({})".format, inner),
    ),
    max_leaves=5,
)


@settings(max_examples=150)
@given(text=EXPRESSIONS)
def test_an_expression_chooses_the_rows_that_sqlite_chooses(text: str) -> None:
    chosen = TABLE.filter(where_expression(text))["episode"].to_pylist()
    with sqlite3.connect(":memory:") as database:
        database.execute("pragma case_sensitive_like = on")
        database.execute(f"create table episodes ({', '.join(EPISODE_SCHEMA.names)})")
        marks = ", ".join("?" * len(EPISODE_SCHEMA.names))
        rows = [tuple(row[name] for name in EPISODE_SCHEMA.names) for row in TABLE.to_pylist()]
        database.executemany(f"insert into episodes values ({marks})", rows)
        expected = [row[0] for row in database.execute(f"select episode from episodes where {text} order by rowid")]
    database.close()
    assert chosen == expected


@pytest.mark.parametrize("name", EPISODE_SCHEMA.names)
@pytest.mark.parametrize("sign", ["=", "!=", "<", "<=", ">", ">="])
def test_every_column_can_be_compared(name: str, sign: str) -> None:
    value = "'object'" if EPISODE_SCHEMA.field(name).type == pa.string() else "3"
    TABLE.filter(where_expression(f"{name} {sign} {value}"))


def test_a_missing_label_is_neither_equal_nor_unequal() -> None:
    labels = TABLE.filter(where_expression("label != 'pour'"))["label"].to_pylist()
    assert set(labels) == {"it's", "reach"}
    assert TABLE.filter(where_expression("label not in ('pour')"))["label"].to_pylist() == labels


def test_a_share_is_compared_as_it_is_stored() -> None:
    table = make_table([ROWS[0] | {"body_share": 0.9}])
    for text in ("body_share >= 0.9", "body_share = 0.9", "body_share in (0.9)", "body_share between 0.9 and 0.9"):
        assert table.filter(where_expression(text)).num_rows == 1, text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lable = 'pour'", "no column 'lable' .there is: episode, recording, contributor, task"),
        ('label = "pour"', "no column 'pour'.*text goes in single quotes"),
        ("label = 3", "compares text with number"),
        ("length > 'long'", "compares number with text"),
        ("length like '3%'", "'like' compares a text column"),
        ("label", "is no condition"),
        ("label = 'a' and length", "'length' is no condition"),
        ("", "should be one condition"),
        ("label =", "cannot be read"),
        ("label = 'pour", "cannot be read"),
        ("(label = 'pour'", "cannot be read"),
        ("label in ()", "not understood"),
        ("label in (select label)", "not understood"),
        ("label = 'a'; drop table episodes", "should be one condition"),
        ("lower(label) = 'a'", "not understood"),
        ("length + 1 > 3", "not understood"),
        ("label = null", "not understood"),
        ("label like 'p!%' escape '!'", "not understood"),
        ("length between symmetric 9 and 1", "not understood"),
        ("e.label = 'a'", "not understood"),
        ("label::int = 3", "not understood"),
        ("__import__('os').system('true')", "not understood"),
        ("length > 99999999999999999999", "fits in 64 bits"),
        ("(" * 3000 + "length > 3" + ")" * 3000, "nested too deeply"),
    ],
)
def test_what_is_not_understood_is_refused_with_what_would_be(text: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        where_expression(text)


MANY = 20_000


@pytest.mark.parametrize(
    ("column", "ids"),
    [
        ("episode", [f"'x{n}'" for n in range(MANY)] + ["'e3'", "'e5'"]),
        ("length", [str(1000 + n) for n in range(MANY)] + ["91", "151.0", "91.5"]),
        ("body_share", [f"{2 + n}.1" for n in range(MANY)] + ["0.375", "0.625"]),
    ],
)
def test_twenty_thousand_choices_are_looked_up(column: str, ids: list[str]) -> None:
    chosen = f"{column} in ({', '.join(ids)})"
    assert TABLE.filter(where_expression(chosen))["episode"].to_pylist() == ["e3", "e5"]
    assert TABLE.filter(where_expression(f"not {chosen}")).num_rows == len(ROWS) - 2


def test_a_missing_label_is_in_no_choices_and_out_of_none() -> None:
    choices = ", ".join(["'pour'", *(f"'x{number}'" for number in range(200))])
    assert set(TABLE.filter(where_expression(f"label in ({choices})"))["label"].to_pylist()) == {"pour"}
    assert set(TABLE.filter(where_expression(f"label not in ({choices})"))["label"].to_pylist()) == {"it's", "reach"}


@pytest.mark.parametrize(
    ("word", "sign", "chosen"), [("or", "=", ["e3", "e5"]), ("and", "!=", [f"e{n}" for n in (0, 1, 2, 4, 6, 7)])]
)
def test_thousands_of_conditions_in_a_row_nest_no_deeper_than_a_few(word: str, sign: str, chosen: list[str]) -> None:
    ids = [f"x{number}" for number in range(3_000)] + ["e3", "e5"]
    text = f" {word} ".join(f"episode {sign} '{id_}'" for id_ in ids)
    assert TABLE.filter(where_expression(text))["episode"].to_pylist() == chosen


@pytest.mark.parametrize("text", ["label = '\ud800'", "\udc80 = 3", "label in ('a', '\udfff')", "length > 3\udc9f"])
def test_half_a_character_is_refused_in_words_that_can_be_printed(text: str) -> None:
    with pytest.raises(InvalidInput, match="half a character") as refused:
        where_expression(text)
    str(refused.value).encode()


def test_what_is_too_long_is_refused_and_not_repeated() -> None:
    for text in ("label = '" + "x" * LONGEST + "'", "length in (" + "3, " * 1000 + "'a')"):
        with pytest.raises(InvalidInput, match=r"at most 4194304 characters|compares number with text") as refused:
            where_expression(text)
        assert len(str(refused.value)) < 1000


@settings(max_examples=150)
@given(text=st.text(max_size=30) | st.text(alphabet="label lengthinotadr'\"()<>=!%;-/*.,:[]{}0123456789", max_size=40))
def test_any_text_is_an_expression_or_an_invalid_input(text: str) -> None:
    try:
        expression = where_expression(text)
    except InvalidInput:
        return
    assert isinstance(TABLE.filter(expression), pa.Table)
