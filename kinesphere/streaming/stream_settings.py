"""What can be said about a stream, once for all who take it: `Dataset.stream`, `Dataset.torch` and the measurement."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from functools import cached_property, wraps
from typing import Any, Concatenate, Literal, ParamSpec, TypeVar

from numpy.typing import NDArray

from kinesphere.errors import InvalidInput
from kinesphere.streaming.frame_weights import WEIGHT, FrameWeight, WeightBy
from kinesphere.streaming.pool_layout import FRAME_TIME, FRAME_TIME_SPEC, PoolLayout
from kinesphere.streaming.sampling import SAMPLINGS, Sampling
from kinesphere.streaming.window_shape import Length, WindowShape, checked_rate
from kinesphere.trajectory import ADDITIONAL_ARRAYS, ARRAYS, ArraySpec
from kinesphere.transforms.transform import Transform, checked_transforms
from kinesphere.video.video_keys import VIDEO

DType = Literal["float32", "int16"]

BLOCK_FRAMES = 4096
"""The most frames of an episode that are read and drawn from as a unit; a sixteenth of the pool if that is less."""
POOL_FRAMES = 32 * BLOCK_FRAMES

_Options = ParamSpec("_Options")
_Settings = TypeVar("_Settings")
_Owner = TypeVar("_Owner")
_Result = TypeVar("_Result")


@dataclass(frozen=True, eq=False)
class StreamSettings:
    """What to stream; see `Dataset.stream`.

    Raises:
        InvalidInput: an option is out of range, or two do not go together.
    """

    window: Length
    """Frames of a window; with a rate also seconds."""
    batch_size: int
    """Windows in a batch."""
    keys: Sequence[str] | None = None
    """Names of arrays, and "video"; all arrays but the additional ones by default."""
    _: KW_ONLY
    stride: Length = 1
    """Between the beginnings of successive windows of an episode."""
    history: Length = 0
    """What comes along before each window."""
    future: Length = 0
    """What comes along after each window."""
    rate: float | None = None
    """Frames per second to resample to."""
    shuffle: bool = False
    """Whether windows come in a random order."""
    seed: int = 0
    """Decides, with the epoch's number, the random order."""
    epoch: int = 0
    """Number of the first epoch."""
    rank: int = 0
    """Which of the training processes this is."""
    world_size: int = 1
    """How many training processes share the batches of an epoch."""
    drop_last: bool = False
    """Whether what does not fill a batch for every rank is left out of an epoch."""
    even_ranks: bool = False
    """Whether the first batches come once more where some ranks would have one less."""
    sampling: Sampling = "pool"
    """Whether the random order mixes what is decoded at a time, or the whole epoch."""
    balance: str | None = None
    """A column of the episodes whose values get equal shares of an epoch."""
    weight: str | NDArray[Any] | None = None
    """How often windows of each episode are drawn: an expression over their columns, or a number for each."""
    weight_by: WeightBy | None = None
    """The array whose standard deviations give batches their "weight"."""
    text: Sequence[str] = ()
    """Texts of their episodes that batches have."""
    where: str | None = None
    """A condition on the columns of the episodes."""
    split: str | None = None
    """The split whose episodes are streamed."""
    dtype: DType = "float32"
    """Whether numbers come in units or as stored."""
    pool_frames: int = POOL_FRAMES
    """How many decoded frames are in memory at once, besides history and future."""
    video_size: tuple[int, int] | None = None
    """Height and width to scale the video to."""
    transform: Transform | Sequence[Transform] | None = None
    """What is done to each batch when all else is done."""

    def __post_init__(self) -> None:
        window, _ = self.shape.window, (self.frame_weight, self.transforms)  # all check what they are made of
        for name, least in (("batch_size", 1), ("seed", 0), ("pool_frames", window)):
            value = getattr(self, name)
            if not isinstance(value, int) or value < least:
                raise InvalidInput(f"{name} should be a whole number, at least {least}, got {value!r}")
        if self.dtype not in ("float32", "int16"):
            raise InvalidInput(f"dtype should be 'float32' or 'int16', got {self.dtype!r}")
        if self.video_size is not None and not self.has_video:
            raise InvalidInput('video_size is for keys=[..., "video"]')
        if self.balance is not None and not self.shuffle:
            raise InvalidInput("balance draws at random, so it needs shuffle=True")
        if self.rate is not None and self.dtype != "float32":
            raise InvalidInput('values between frames are no stored numbers: rate needs dtype="float32"')
        if self.weight is not None and not self.shuffle:
            raise InvalidInput("weight draws at random, so it needs shuffle=True")
        if self.weight is not None and self.balance is not None:
            raise InvalidInput("balance and weight both say how often windows are drawn; give one of them")
        if self.drop_last and self.even_ranks:
            raise InvalidInput("drop_last leaves out what even_ranks repeats; give one of them")
        if self.sampling not in SAMPLINGS:
            raise InvalidInput(f"sampling should be 'pool' or 'random', got {self.sampling!r}")
        if self.sampling == "random" and not self.shuffle:
            raise InvalidInput("sampling='random' needs shuffle=True")
        if self.epoch < 0 or not 0 <= self.rank < self.world_size:
            raise InvalidInput(
                f"epoch should be at least 0 and rank from 0 to world_size - 1; got epoch {self.epoch}, "
                f"rank {self.rank} and world_size {self.world_size}"
            )

    @cached_property
    def names(self) -> tuple[str, ...] | None:
        """The keys that batches have besides "mask", "episode" and "frame"; None for the default."""
        return None if self.keys is None else checked_keys(self.keys)

    @property
    def has_video(self) -> bool:
        """Whether the video is among the keys."""
        return self.names is not None and VIDEO in self.names

    @property
    def needs_specs(self) -> bool:
        """Whether a shard has to be asked what the arrays are: not where all of them are standard ones."""
        return self.names is None or self.weight_by is not None or not {*self.names} <= {*ARRAYS, VIDEO}

    @cached_property
    def frame_weight(self) -> FrameWeight | None:
        """How frames are weighed, if they are."""
        return None if self.weight_by is None else FrameWeight.of(self.weight_by)

    @cached_property
    def frame_rate(self) -> float | None:
        """`rate` as a float."""
        return checked_rate(self.rate)

    @cached_property
    def shape(self) -> WindowShape:
        """Window, stride, history and future in frames."""
        _ = self.names
        return WindowShape.of(self.window, self.stride, self.history, self.future, self.frame_rate)

    @cached_property
    def transforms(self) -> tuple[Transform, ...]:
        """The transforms in the order in which they are applied."""
        return checked_transforms(self.transform, None if self.names is None else self.also_handed(self.names))

    def also_handed(self, names: Sequence[str]) -> tuple[str, ...]:
        """What transforms get.

        Args:
            names: the arrays and the video.

        Returns:
            These, texts, and the weights if there are any.
        """
        return (*names, *self.text, *(() if self.weight_by is None else (WEIGHT,)))

    @property
    def content(self) -> dict[str, Any]:
        """What decides what windows hold, besides their places, as plain JSON values."""
        return {
            "keys": None if self.names is None else list(self.names),
            "history": self.shape.history,
            "future": self.shape.future,
            "dtype": self.dtype,
            "text": list(self.text),
            "video_size": None if self.video_size is None else list(self.video_size),
            "weight_by": None if self.frame_weight is None else [self.frame_weight.key, self.frame_weight.floor],
        }

    def layout(self, specs: Mapping[str, ArraySpec]) -> PoolLayout:
        """What pools hold: the arrays among the keys, and what frames of the video and weights are found by.

        Args:
            specs: the arrays of the episodes.

        Returns:
            The layout of those that are streamed.

        Raises:
            InvalidInput: a key is no array of the episodes, or an array has the name of what is added.
        """
        keys = default_keys(specs) if self.keys is None else checked_keys(self.keys, specs)
        handed_over = names = tuple(name for name in keys if name != VIDEO)
        if self.has_video and self.video_times not in names:
            names = (*names, self.video_times)
        if self.frame_weight is not None:
            if WEIGHT in names:
                raise InvalidInput(f"weight_by adds '{WEIGHT}', and an array has this name; leave it out of keys")
            if self.frame_weight.array not in names:
                names = (*names, self.frame_weight.array)
        hidden = sorted({*names} & {*self.text})
        if hidden:
            raise InvalidInput(f"text adds '{hidden[0]}', and an array has this name; leave one of them out")
        known = {**specs, FRAME_TIME: FRAME_TIME_SPEC}
        return PoolLayout.of([known[name] for name in names], in_units=self.dtype == "float32", handed_over=handed_over)

    @property
    def video_times(self) -> str:
        """Which of these arrays holds those times."""
        return "timestamp" if self.rate is None else FRAME_TIME

    @property
    def batch_frames(self) -> int:
        """Frames of a full batch."""
        return self.batch_size * self.shape.frames

    @property
    def block_frames(self) -> int:
        """The most frames of a block, unless a window is longer."""
        if self.sampling == "random":
            return BLOCK_FRAMES  # whatever the pool: the order does not depend on it
        return min(BLOCK_FRAMES, max(self.shape.window, self.pool_frames // 16))

    @property
    def run_frames(self) -> int:
        """The most frames of several blocks that are read at once."""
        return self.block_frames + self.shape.history + self.shape.future


def takes_settings(
    settings: Callable[_Options, _Settings],
) -> Callable[[Callable[[_Owner, _Settings], _Result]], Callable[Concatenate[_Owner, _Options], _Result]]:
    """Let a method that takes settings be called with the options that make them, as `StreamSettings(...)` is.

    So the options, their types and defaults are written down once, in the class of the settings, and whoever calls the
    method has them checked and completed as if they stood in its signature.

    Args:
        settings: the class of the settings.

    Returns:
        A decorator for methods that take nothing but the settings.
    """

    def decorated(method: Callable[[_Owner, _Settings], _Result]) -> Callable[Concatenate[_Owner, _Options], _Result]:
        @wraps(method)
        def with_options(owner: _Owner, /, *args: _Options.args, **options: _Options.kwargs) -> _Result:
            return method(owner, settings(*args, **options))

        own = inspect.signature(method)  # what `help` and notebooks show
        parameters = [next(iter(own.parameters.values())), *inspect.signature(settings).parameters.values()]
        with_options.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
        return with_options

    return decorated


def default_keys(arrays: Collection[str]) -> tuple[str, ...]:
    """What is streamed where nothing else is said.

    Args:
        arrays: the names that there are.

    Returns:
        All but the additional ones, which have to be named: they would double what a batch takes, and a version may
        hold trajectories of earlier releases, which have none of them.
    """
    return tuple(name for name in arrays if name not in ADDITIONAL_ARRAYS)


def checked_keys(keys: Sequence[str], arrays: Collection[str] | None = None) -> tuple[str, ...]:
    """Return the names of arrays as a tuple.

    Args:
        keys: names of arrays, and "video".
        arrays: the names that there are; None where that is not known yet.

    Returns:
        The names in their order.

    Raises:
        InvalidInput: one of them is unknown, occurs twice, or a text was given in place of a list.
    """
    is_list = not isinstance(keys, str) and len(keys) > 0 and len({*keys}) == len(keys)
    if (
        not is_list
        or not all(isinstance(key, str) for key in keys)
        or (arrays is not None and not {*keys} <= {*arrays, VIDEO})
    ):
        known = ", ".join(ARRAYS if arrays is None else arrays)
        raise InvalidInput(f"keys should be a list of some of {known}, {VIDEO}, each once; got {keys!r}")
    return tuple(keys)
