"""The task: what a contributor is asked to do, read from a TOML file.

A task needs only its first four lines (name, title, instructions, consent); criteria and labels have defaults.
"""

from __future__ import annotations

import difflib
import hashlib
import re
import tomllib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from kinesphere.errors import InvalidInput, InvalidTask
from kinesphere.names import checked_name
from storage.recordings.consent import IMPLIED, SCOPES, Scope
from storage.tasks.criteria import Contradiction, Criteria, Thresholds

__all__ = ["Criteria", "Labels", "Task", "Thresholds", "read_task"]

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=20_000)]
Label = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]


_HEADER, _KEY = re.compile(r"\s*\[([^\[\]]+)\]"), re.compile(r"""\s*([\w."' \t-]+?)\s*=""")


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Labels(_Model):
    """The taxonomy that segments of this task are labelled with."""

    verbs: tuple[Label, ...] = ()
    objects: tuple[Label, ...] = ()
    outcomes: tuple[Label, ...] = ("success", "failure")
    hotkeys: dict[str, Label] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _hotkeys_exist(self) -> Labels:
        known = {*self.verbs, *self.objects, *self.outcomes}
        for key, label in self.hotkeys.items():
            if label not in known:
                raise ValueError(f"hotkey '{key}' names the label '{label}', which is in no list")
        return self


class ConsentScopes(_Model):
    """What a contributor may consent to, and without which of it nothing is recorded; see `consent_scopes`."""

    offered: tuple[Scope, ...] = IMPLIED
    required: tuple[Scope, ...] = IMPLIED
    expires_after_days: Annotated[int, Field(ge=1, le=36_500)] | None = None
    """How long a consent to this task holds; None is without an end."""

    @model_validator(mode="after")
    def _required_is_offered(self) -> ConsentScopes:
        extra = [scope for scope in self.required if scope not in self.offered]
        if extra:
            raise ValueError(f"'{extra[0]}' is required but not offered; name it in both, or offer no less")
        return self

    def refusal(self, scopes: Iterable[Scope]) -> str | None:
        """Why a recording with a consent to these scopes cannot be of this task; None if it can.

        Args:
            scopes: that a contributor consented to.

        Returns:
            Words that go on after "task 'x'".
        """
        given = set(scopes)
        for scope in SCOPES:
            if scope in given and scope not in self.offered:
                return f"does not offer consent to '{scope}'; it offers {', '.join(self.offered) or 'none'}"
            if scope in self.required and scope not in given:
                return f"needs consent to '{scope}': {SCOPES[scope]}"
        return None


class ReviewRules(_Model):
    """How much of a task people look at."""

    opinions: Annotated[int, Field(ge=1, le=2)] = 1
    """How many reviewers judge a recording that is doubted; where two disagree, a third is asked."""
    spot_check_share: Annotated[float, Field(ge=0, le=1)] = 0.05
    """Share of the recordings that pass all checks which a reviewer looks at too."""
    gold_share: Annotated[float, Field(ge=0, le=1)] = 0.05
    """Share of what a reviewer is given whose answer is known, to measure the reviewer."""


class LabellingRules(_Model):
    """How the recordings of a task are labelled."""

    double_share: Annotated[float, Field(ge=0, le=1)] = 0
    """Share of the recordings that two people label, neither of whom sees what the other does."""


class Task(_Model):
    """A task as its author wrote it; its content decides its version."""

    name: Annotated[str, StringConstraints(max_length=64)]
    title: Text
    instructions: Text
    consent: Text
    language: Annotated[str, StringConstraints(pattern=r"^[a-zA-Z]{2,3}(-[a-zA-Z0-9]{2,8})*$")] = "en"
    consent_signed: bool = False
    """Whether consent is complete only with the name or initials that the contributor typed."""
    criteria: Criteria = Criteria()
    labels: Labels = Labels()
    consent_scopes: ConsentScopes = ConsentScopes()
    review: ReviewRules = ReviewRules()
    labelling: LabellingRules = LabellingRules()
    feedback: dict[str, Text] = Field(default_factory=dict)
    """What to tell contributors, in the task's language: by check, or by a name that reviewers know."""

    @model_validator(mode="after")
    def _feedback_is_named(self) -> Task:
        for name in self.feedback:
            checked_name("feedback text", name)
        return self

    @property
    def consent_sha256(self) -> str:
        """Hash of the consent text, kept with every consent record."""
        return hashlib.sha256(self.consent.encode()).hexdigest()

    @property
    def content_sha256(self) -> str:
        """Hash of everything in the task: two tasks with equal hashes are the same version."""
        # without what later releases added, where it is not used: else every task would become a new version
        added = {"consent_scopes": ConsentScopes(), "labelling": LabellingRules()}
        later = {name for name, unused in added.items() if getattr(self, name) == unused}
        return hashlib.sha256(self.model_dump_json(exclude=later).encode()).hexdigest()


def read_task(path: Path, *, complete: Callable[[Task], Task] | None = None) -> Task:
    """Read and validate a task file.

    Args:
        path: of the TOML file.
        complete: gives the task with what is known only above, such as the defaults of the checks; it may raise a
            `Contradiction`. None leaves it as it was written.

    Returns:
        The task.

    Raises:
        InvalidTask: the file is not TOML, misses a line, has one that is not known, or criteria that mean nothing;
            the message names the lines and, for a typo, what was probably meant.
        InvalidInput: there is no such file.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        raise InvalidInput(f"cannot read the task file {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InvalidTask(f"{path} is not valid TOML: {error}") from error
    return parse_task(text, str(path), complete=complete)


def parse_task(text: str, path: str = "the task", *, complete: Callable[[Task], Task] | None = None) -> Task:
    """Validate the text of a task file.

    Args:
        text: TOML.
        path: what messages call the file.
        complete: as in `read_task`.

    Returns:
        The task.

    Raises:
        InvalidTask: as `read_task` does.
    """
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidTask(f"{path} is not valid TOML: {error}") from error
    try:
        task = Task.model_validate(content)
        checked_name("task", task.name)
        if complete is not None:
            task = complete(task)
    except ValidationError as error:
        raise InvalidTask(f"{path}: {_first_problem(error, text)}") from error
    except Contradiction as error:
        raise InvalidTask(f"{path}: {error}{_lines(text, *error.places)}") from error
    except InvalidInput as error:
        raise InvalidTask(f"{path}: {error}") from error
    return task


def _first_problem(error: ValidationError, text: str) -> str:
    """The most useful of pydantic's findings, in words: an unknown key first, as it may explain a missing one."""
    problems = error.errors(include_url=False)
    problem = next((p for p in problems if p["type"] == "extra_forbidden"), problems[0])
    where = ".".join(str(part) for part in problem["loc"]) or "the file"
    if problem["type"] == "missing":
        return f"'{where}' is missing; a task needs name, title, instructions and consent"
    if problem["type"] == "extra_forbidden":
        known = _keys_at(problem["loc"][:-1])
        close = difflib.get_close_matches(str(problem["loc"][-1]), known, n=1)
        meant = f"did you mean '{close[0]}'?" if close else f"known here: {', '.join(known)}"
        return f"'{where}' is not known; {meant}"
    place = tuple(str(part) for part in problem["loc"])
    both = ((*place, "doubt"), (*place, "fail")) if problem["type"] == "value_error" else (place,)
    return f"'{where}': {problem['msg'].removeprefix('Value error, ')}{_lines(text, *both)}"


def _lines(text: str, *places: tuple[str, ...]) -> str:
    """Which lines of a task file set these keys, in brackets; one that no line sets has its default."""
    found = [_line_of(text, place) for place in places]
    if not any(found):
        return ""
    named = dict.fromkeys("the default" if line is None else f"line {line}" for line in found)
    return f" ({' and '.join(named)})"


def _line_of(text: str, place: tuple[str, ...]) -> int | None:
    """The line that sets a key, or the inline table that holds it; None where there is none."""
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), 1):
        header, key = _HEADER.match(line), _KEY.match(line)
        if header is not None:
            table = _keys(header[1])
        elif key is not None and (*table, *_keys(key[1])) in (place, place[:-1]):
            return number
    return None


def _keys(dotted: str) -> tuple[str, ...]:
    return tuple(key.strip(" \t\"'") for key in dotted.split("."))


def _keys_at(location: tuple[Any, ...]) -> list[str]:
    """The keys that a table of the task file may hold."""
    if location[:1] == ("criteria",):
        return list(Thresholds.model_fields)
    model: type[BaseModel] = Task
    for part in location:
        annotation = model.model_fields[str(part)].annotation
        assert isinstance(annotation, type) and issubclass(annotation, BaseModel)
        model = annotation
    return list(model.model_fields)
