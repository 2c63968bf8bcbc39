"""The log of what happens: one event a line, as text or as JSON, on stderr, with the id of the request that caused it.

An event has a short fixed name, and fields that say to what it happened: ids of recordings, uploads and tasks, numbers,
kinds of errors. Names of people, passwords, tokens, invitations and query strings are in none. What others write, e.g.
in the message of an error, is cleaned of secrets as far as they can be told, and of what commands a terminal.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from enum import StrEnum
from types import TracebackType
from typing import Any

from studio.printable_text import printable

REQUEST: ContextVar[str | None] = ContextVar("kinesphere_request", default=None)
"""The id of the request that is being answered, also in threads that it uses."""
LONGEST = 1000
"""Characters that are kept of a text; a traceback keeps its end, which says most."""
_LONGEST_TRACEBACK = 20_000
_OWN = logging.getLogger("kinesphere")
_OWN.addHandler(logging.NullHandler())  # without `begin_log` nothing is written
_FIELDS = "kinesphere_fields"
_SECRETS = (
    (
        re.compile(r"(?i)\b(code|link|token|password|secret|signature|credential)(\s*[=:]\s*)(['\"]?)[^\s&'\",;)]+"),
        r"\1\2\3…",
    ),
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{8,}"), r"\1 …"),
    (re.compile(r"(?<=://)[^/\s@]*:[^/\s@]*@"), "…@"),
    (re.compile(r"(kinesphere_session=)[^\s;]+"), r"\1…"),
)
"""What a secret looks like in texts that are not ours: a query string, a header, a URL, a cookie."""


class LogForm(StrEnum):
    """How events are written."""

    text = "text"
    """For people: warnings and errors."""
    json = "json"
    """For machines: one JSON object a line, every event."""


def note(event: str, /, *, level: int = logging.INFO, error: BaseException | None = None, **fields: Any) -> None:
    """Write an event into the log.

    Args:
        event: what happened, in two or three fixed words.
        level: of `logging`.
        error: whose traceback is written too.
        fields: to what it happened; those that are None are left out.
    """
    told = {name: value for name, value in fields.items() if value is not None}
    _OWN.log(level, event, exc_info=error, extra={_FIELDS: told})


def begin_log(form: LogForm) -> None:
    """Write what this process logs to stderr from now on, whichever library logs it.

    Args:
        form: text writes warnings and errors only; JSON every event of ours, Python's warnings, and errors that end
            the process.
    """
    handler = _ToStderr()
    handler.setFormatter(JsonLines() if form is LogForm.json else TextLines())
    root = logging.getLogger()
    for earlier in [one for one in root.handlers if isinstance(one, _ToStderr)]:
        root.removeHandler(earlier)
    root.addHandler(handler)
    _OWN.setLevel(logging.INFO if form is LogForm.json else logging.WARNING)
    if form is LogForm.json:
        logging.captureWarnings(True)
        sys.excepthook = _note_end


def writes_json() -> bool:
    """Whether this process logs JSON, so that nothing else should stand on stderr."""
    return any(isinstance(one, _ToStderr) and isinstance(one.formatter, JsonLines) for one in logging.root.handlers)


class JsonLines(logging.Formatter):
    """A record as one JSON object, in ASCII: time, level, event, request, fields, message, traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """The line.

        Args:
            record: an event of ours, or what a library logs; then its logger is the event.
        """
        return json.dumps(_told(record), default=str)


class TextLines(logging.Formatter):
    """A record as one line for people, and a traceback below it."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, and the traceback if there is one.

        Args:
            record: an event of ours, or what a library logs; then its logger is the event.
        """
        told = _told(record)
        time, level, event, message, traceback = (
            told.pop(name, "") for name in ("time", "level", "event", "message", "traceback")
        )
        fields = "  ".join(f"{name}={' '.join(str(value).split())}" for name, value in told.items())
        line = "  ".join(filter(None, (time, level, event, " ".join(message.split()), fields)))
        return f"{line}\n{traceback}" if traceback else line


class _ToStderr(logging.Handler):
    """Writes to what stderr is at the moment: `process` moves it away from what native libraries write."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            sys.stderr.write(self.format(record) + "\n")
            sys.stderr.flush()
        except (OSError, ValueError):  # nobody reads it any more, or the disk that it goes to is full
            return


def _told(record: logging.LogRecord) -> dict[str, Any]:
    """What a record tells, cleaned."""
    fields = getattr(record, _FIELDS, None)
    told: dict[str, Any] = {
        "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
        "level": record.levelname.lower(),
        "event": record.getMessage() if fields is not None else record.name,
    }
    if (request := REQUEST.get()) is not None:
        told["request"] = request
    if fields is None:
        told["message"] = cleaned(record.getMessage())[:LONGEST]
    for name, value in (fields or {}).items():
        told[name] = value if isinstance(value, bool | int | float) else cleaned(str(value))[:LONGEST]
    if record.exc_info:
        told["traceback"] = cleaned(logging.Formatter().formatException(record.exc_info))[-_LONGEST_TRACEBACK:]
    return told


def cleaned(text: str) -> str:
    """A text without secrets as far as they can be told, and without what commands a terminal.

    Args:
        text: any.

    Returns:
        Printable text; lines stay.
    """
    for looks, replacement in _SECRETS:
        text = looks.sub(replacement, text)
    return printable(text)


def _note_end(kind: type[BaseException], error: BaseException, _traceback: TracebackType | None) -> None:
    if not issubclass(kind, KeyboardInterrupt):
        note("ended by an error", level=logging.CRITICAL, error=error, kind=kind.__name__)
