"""What comes with a request, read with limits, and how the API's description tells of it."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError

from kinesphere.errors import InvalidInput
from studio.web.http.refusals import TooLarge

M = TypeVar("M", bound=BaseModel)

BODY_LIMIT = 1 << 20
"""Bytes of a JSON body: far more than anything but a video has."""
DEEPEST = 32
"""Levels of nesting: nothing that we take has ten."""
_ESCAPED = re.compile(r"\\u(0000|d[89a-f])", re.IGNORECASE)
"""By which a NUL or half a character (a lone surrogate) may come in: not as text, which must be UTF-8."""


async def json_object(request: Request, limit: int = BODY_LIMIT) -> dict[str, object]:
    """The JSON object that a request holds.

    Raises:
        TooLarge: it has more than `limit` bytes.
        InvalidInput: it is no JSON object in UTF-8; names something twice; is nested too deep; or holds a number that
            is none (NaN, Infinity, 1e400), a NUL or half a character, which no database keeps.
    """
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > limit:
            raise TooLarge(f"a request has at most {limit} bytes")
    try:
        text = content.decode()
        found = json.loads(text, parse_constant=_no_constant, parse_float=_finite, object_pairs_hook=_without_doubles)
    except (ValueError, RecursionError) as error:
        raise InvalidInput("the request holds no JSON") from error
    if not isinstance(found, dict):
        raise InvalidInput("the request holds no JSON object")
    _check_content(found, texts=_ESCAPED.search(text) is not None)
    return found


def _no_constant(name: str) -> float:
    raise ValueError(name)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text[:40])
    return number


def _without_doubles(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Of two values under one name, readers differ in which they take (RFC 8259, 4)."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise InvalidInput("the request names something twice in one object")
    return found


def _check_content(found: object, *, texts: bool) -> None:
    level = [found]
    for _ in range(DEEPEST):
        inner: list[Any] = []
        for value in level:
            if isinstance(value, dict):
                inner += value.values()
                if texts:
                    inner += value
            elif isinstance(value, list):
                inner += value
        if texts and not all(is_text(value) for value in inner if isinstance(value, str)):
            raise InvalidInput("a text holds a NUL or half a character")
        level = inner
        if not level:
            return
    raise InvalidInput(f"the request is nested deeper than {DEEPEST} levels")


def is_text(value: str) -> bool:
    """Whether every database keeps these characters: none is NUL or half of one."""
    return "\0" not in value and not any("\ud800" <= character <= "\udfff" for character in value)


async def parsed(request: Request, model: type[M], limit: int = BODY_LIMIT) -> M:
    """The JSON object that a request holds, as a model; errors as in `json_object`, also where it does not fit."""
    content = await json_object(request, limit)
    try:
        return model.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part)[:40] for part in first["loc"])
        raise InvalidInput(f"{where}: {first['msg']}" if where else str(first["msg"])) from error


def body_of(model: type[BaseModel], *, required: bool = True) -> dict[str, Any]:
    """What a route adds to the API's description (`openapi_extra`): the body that it reads by itself."""
    schema = model.model_json_schema()
    content = {"application/json": {"schema": _resolved(schema, schema.pop("$defs", {}))}}
    return {"requestBody": {"required": required, "content": content}}


def _resolved(schema: Any, definitions: Mapping[str, Any]) -> Any:
    """The schema with all it refers to in place: OpenAPI looks for that elsewhere. Ours refer to nothing recursive."""
    if isinstance(schema, list):
        return [_resolved(part, definitions) for part in schema]
    if not isinstance(schema, dict):
        return schema
    named = schema.get("$ref")
    if isinstance(named, str):
        return _resolved(definitions[named.rpartition("/")[2]], definitions)
    return {key: _resolved(value, definitions) for key, value in schema.items()}
