"""What happens in a life, drawn from its seed: the steps, and the fault that strikes at each of them."""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

PlaceKind = Literal["folder", "disk", "cloud"]
"""SQLite and a folder in memory; the same on a real disk, whose power may be cut; PostgreSQL and an object store."""

CONTRIBUTORS = ("anna", "ben", "carla")
PLACES: tuple[PlaceKind, ...] = ("folder", "disk", "cloud")
_OFTEN = {"folder": 2, "disk": 2, "cloud": 1}
"""How often a life takes place there; in the cloud it takes three times as long."""

FAULTS = ("kill", "late-kill", "full-disk", "clock-jump", "two-at-once", "cut-line", "server-kill", "store-errors",
          "database-cut", "power-cut")  # fmt: skip
"""What can go wrong at a step. `kill` strikes before a change to the disk, the store or the catalog; `late-kill` at any
moment; the power is cut before a change, or as soon as the step has ended."""

_STEPS = (
    # weight, name
    (5, "record near"), (3, "record far"), (4, "send"), (4, "submit"), (4, "process"), (2, "review"), (3, "publish"),
    (1, "export"), (2, "withdraw"), (1, "withdraw sent"), (2, "erase"), (1, "doctor"), (1, "read"),
)  # fmt: skip
_BEGINNING = ("record near", "record far", "record near", "send", "submit", "process", "publish")
"""Of every life, so that the rest has something to work on."""
_CAN_STRIKE: dict[str, tuple[str, ...]] = {
    "cut-line": ("send", "withdraw sent"),
    "server-kill": ("send", "withdraw sent"),
    "full-disk": ("record near", "record far", "send", "submit", "process", "publish", "export", "erase"),
    "power-cut": (
        "record near",
        "record far",
        "send",
        "submit",
        "process",
        "review",
        "publish",
        "export",
        "withdraw",
        "erase",
    ),
    "two-at-once": ("send", "submit", "process", "publish", "withdraw", "erase", "export"),
}
"""The steps at which a fault makes sense; those that are not here strike anywhere."""
_ONLY_IN: dict[str, PlaceKind] = {"store-errors": "cloud", "database-cut": "cloud", "power-cut": "disk"}
_BESIDE: dict[str, tuple[str, ...]] = {
    "send": ("send", "withdraw", "erase", "process", "publish", "serve"),
    "submit": ("submit", "withdraw", "erase", "process"),
    "process": ("process", "withdraw", "erase", "publish", "submit"),
    "publish": ("publish", "erase", "withdraw", "process"),
    "withdraw": ("withdraw", "erase", "submit", "process"),
    "erase": ("erase", "record far", "process", "publish", "submit"),
    "export": ("erase", "publish", "withdraw"),
}


@dataclass(frozen=True)
class Step:
    """One thing that somebody does."""

    name: str
    contributor: str
    fault: str | None
    """Of `FAULTS`; None where nothing goes wrong."""
    seed: int
    """Of what is drawn within the step."""
    beside: str = ""
    """What is done at the same moment, where the fault is that two things are."""
    is_repeated: bool = False
    """Whether it is done again at once, without a fault, as people do."""


@dataclass(frozen=True)
class LifePlan:
    """A life, of which everything is known before it begins but for the moments of processes."""

    seed: int
    place: PlaceKind
    steps: tuple[Step, ...]


def plan_life(seed: int, *, places: Sequence[PlaceKind], only: Collection[str] = ()) -> LifePlan:
    """Draw a life from a seed.

    Args:
        seed: gives the same plan always.
        places: of which one is drawn.
        only: the faults that may strike; by default all.

    Returns:
        The plan.
    """
    drawn = random.Random(seed)
    place = drawn.choices(PLACES, [_OFTEN[one] if one in places else 0 for one in PLACES])[0]
    faults = [fault for fault in FAULTS if (not only or fault in only) and _ONLY_IN.get(fault, place) == place]
    weights, names = zip(*_STEPS, strict=True)
    chosen = [*_BEGINNING, *drawn.choices(names, weights, k=drawn.randint(6, 11))]
    return LifePlan(seed, place, tuple(_step(drawn, name, faults) for name in chosen))


def _step(drawn: random.Random, name: str, faults: Sequence[str]) -> Step:
    striking = [fault for fault in faults if name in _CAN_STRIKE.get(fault, (name,))]
    fault = drawn.choice(striking) if striking and drawn.random() < 0.6 else None
    beside = drawn.choice(_BESIDE[name]) if fault == "two-at-once" else ""
    contributor = drawn.choice(CONTRIBUTORS)
    return Step(name, contributor, fault, drawn.getrandbits(32), beside, drawn.random() < 0.5)
