"""Criteria: two thresholds a check, as a task's author wrote them; which checks there are, `annotate.checks` knows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    StringConstraints,
    model_serializer,
)

PluginName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,47}$")]


class Thresholds(BaseModel):
    """Where a check begins to doubt a recording, and where it rejects it; the check says in which direction."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    doubt: float
    fail: float


class Criteria(BaseModel):
    """Thresholds by the name of the check: `[criteria]` of a task file.

    Only checks that are named have thresholds here. The others have their defaults, which
    `annotate.checks.task_criteria.completed` fills in before a task is stored.
    """

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[str, Thresholds] = Field(init=False)

    plugins: dict[PluginName, Thresholds] = Field(default_factory=dict)
    """Those of a project's own checks, by the names of their entry points."""

    @classmethod
    def of(cls, checks: Mapping[str, Thresholds], plugins: Mapping[str, Thresholds] | None = None) -> Criteria:
        """Criteria from thresholds that are known.

        Args:
            checks: by the names of built-in checks.
            plugins: by the names of a project's own checks; None is none.

        Returns:
            The criteria, in the order of the names that were given.
        """
        return cls.model_validate({**checks, "plugins": dict(plugins or {})})

    @property
    def checks(self) -> Mapping[str, Thresholds]:
        """The thresholds of built-in checks, by name, in the order in which they were written."""
        return self.__pydantic_extra__

    def doubt(self, check: str, default: float = 0.0) -> float:
        """Where a check begins to doubt.

        Args:
            check: the name of a built-in check.
            default: for criteria that do not name it.

        Returns:
            The threshold, in the check's unit.
        """
        thresholds = self.checks.get(check)
        return default if thresholds is None else thresholds.doubt

    @model_serializer(mode="wrap")
    def _with_plugins_last(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """The hash of a task follows the order of its content, in which plugins have always been the last."""
        content: dict[str, Any] = serialize(self)
        return {key: value for key, value in content.items() if key != "plugins"} | {
            key: value for key, value in content.items() if key == "plugins"
        }


class Contradiction(Exception):
    """Criteria that nothing can meet, or that mean nothing."""

    def __init__(self, text: str, *places: tuple[str, ...]) -> None:
        super().__init__(text)
        self.places = places
        """Where they stand in the task, as keys, e.g. `("criteria", "brightness", "fail")`."""
