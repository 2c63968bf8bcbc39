"""The task: what a contributor is asked to do, read from a TOML file.

A task needs only its first four lines (name, title, instructions, consent); criteria and labels have defaults.
"""

from __future__ import annotations

import difflib
import hashlib
import tomllib
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from .errors import InvalidInput, InvalidTask
from .names import checked_name

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=20_000)]
Label = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class AtLeast(_Model):
    """A measured value should be at least `doubt`; below `fail` the recording is rejected."""

    doubt: float
    fail: float

    @model_validator(mode="after")
    def _ordered(self) -> AtLeast:
        if self.fail > self.doubt:
            raise ValueError(f"fail ({self.fail}) must not be above doubt ({self.doubt}) for a lower limit")
        return self


class AtMost(_Model):
    """A measured value should be at most `doubt`; above `fail` the recording is rejected."""

    doubt: float
    fail: float

    @model_validator(mode="after")
    def _ordered(self) -> AtMost:
        if self.fail < self.doubt:
            raise ValueError(f"fail ({self.fail}) must not be below doubt ({self.doubt}) for an upper limit")
        return self


class Criteria(_Model):
    """Thresholds of the automated checks; the names are the names of the checks."""

    duration_seconds: AtLeast = AtLeast(doubt=3, fail=1)
    frame_rate: AtLeast = AtLeast(doubt=20, fail=8)
    shorter_side_pixels: AtLeast = AtLeast(doubt=480, fail=96)
    longest_gap_seconds: AtMost = AtMost(doubt=0.5, fail=5)
    damaged_frames: AtMost = AtMost(doubt=0, fail=100)
    brightness: AtLeast = AtLeast(doubt=40, fail=10)
    clipped_share: AtMost = AtMost(doubt=0.4, fail=0.9)
    sharpness: AtLeast = AtLeast(doubt=15, fail=0)
    blur: AtMost = AtMost(doubt=0.5, fail=1)
    frozen_share: AtMost = AtMost(doubt=0.1, fail=0.9)
    camera_shake: AtMost = AtMost(doubt=0.01, fail=0.1)
    person_visible_share: AtLeast = AtLeast(doubt=0.8, fail=0.05)
    hands_visible_share: AtLeast = AtLeast(doubt=0.3, fail=0)


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


class ReviewRules(_Model):
    """How much of a task people look at."""

    opinions: Annotated[int, Field(ge=1, le=2)] = 1
    """How many reviewers judge a recording that is doubted; where two disagree, a third is asked."""
    spot_check_share: Annotated[float, Field(ge=0, le=1)] = 0.05
    """Share of the recordings that pass all checks which a reviewer looks at too."""
    gold_share: Annotated[float, Field(ge=0, le=1)] = 0.05
    """Share of what a reviewer is given whose answer is known, to measure the reviewer."""


class Task(_Model):
    """A task as its author wrote it; its content decides its version."""

    name: Annotated[str, StringConstraints(max_length=64)]
    title: Text
    instructions: Text
    consent: Text
    language: Annotated[str, StringConstraints(pattern=r"^[a-zA-Z]{2,3}(-[a-zA-Z0-9]{2,8})*$")] = "en"
    criteria: Criteria = Criteria()
    labels: Labels = Labels()
    review: ReviewRules = ReviewRules()
    feedback: dict[str, Text] = Field(default_factory=dict)
    """What to tell contributors, in the task's language: by check, or by a name that reviewers know."""

    @model_validator(mode="after")
    def _feedback_is_named(self) -> Task:
        for name in self.feedback:
            checked_name("feedback text", name)
            close = difflib.get_close_matches(name, Criteria.model_fields, n=1, cutoff=0.85)
            if close and name not in Criteria.model_fields:
                raise ValueError(f"feedback '{name}' is for no check; did you mean '{close[0]}'?")
        return self

    @property
    def consent_sha256(self) -> str:
        """Hash of the consent text, kept with every consent record."""
        return hashlib.sha256(self.consent.encode()).hexdigest()

    @property
    def content_sha256(self) -> str:
        """Hash of everything in the task: two tasks with equal hashes are the same version."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


def read_task(path: Path) -> Task:
    """Read and validate a task file.

    Raises:
        InvalidTask: the file is not TOML, misses a line, or has one that is not known; the message names the line
            and, for a typo, what was probably meant.
        InvalidInput: there is no such file.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        raise InvalidInput(f"cannot read the task file {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidTask(f"{path} is not valid TOML: {error}") from error
    try:
        task = Task.model_validate(content)
        checked_name("task", task.name)
    except ValidationError as error:
        raise InvalidTask(f"{path}: {_first_problem(error)}") from error
    except InvalidInput as error:
        raise InvalidTask(f"{path}: {error}") from error
    return task


def _first_problem(error: ValidationError) -> str:
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
    return f"'{where}': {problem['msg'].removeprefix('Value error, ')}"


def _keys_at(location: tuple[Any, ...]) -> list[str]:
    """The keys that a table of the task file may hold."""
    model: type[BaseModel] = Task
    for part in location:
        annotation = model.model_fields[str(part)].annotation
        assert isinstance(annotation, type) and issubclass(annotation, BaseModel)
        model = annotation
    return list(model.model_fields)
