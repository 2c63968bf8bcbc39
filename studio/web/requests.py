"""What comes with a request, read with a limit."""

from __future__ import annotations

import json
from typing import TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError

from storage.errors import InvalidInput

from .uploads import TooLarge

M = TypeVar("M", bound=BaseModel)

BODY_LIMIT = 1 << 20
"""Bytes of a JSON body: far more than anything but a video has."""


async def json_object(request: Request, limit: int = BODY_LIMIT) -> dict[str, object]:
    """The JSON object that a request holds.

    Raises:
        TooLarge: it has more than `limit` bytes.
        InvalidInput: it is no JSON object, or holds a number that is none (NaN, Infinity).
    """
    content = b""
    async for chunk in request.stream():
        content += chunk
        if len(content) > limit:
            raise TooLarge(f"a request has at most {limit} bytes")
    try:
        found = json.loads(content, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise InvalidInput("the request holds no JSON") from error
    if not isinstance(found, dict):
        raise InvalidInput("the request holds no JSON object")
    return found


def _no_constant(name: str) -> float:
    raise ValueError(name)


async def parsed(request: Request, model: type[M], limit: int = BODY_LIMIT) -> M:
    """The JSON object that a request holds, as a model; errors as in `json_object`, also where it does not fit."""
    content = await json_object(request, limit)
    try:
        return model.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InvalidInput(f"{where}: {first['msg']}" if where else str(first["msg"])) from error
