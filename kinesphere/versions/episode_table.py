"""The episode table of a version: its columns, and what every table must satisfy."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from kinesphere.errors import InvalidInput

EPISODE_SCHEMA = pa.schema(
    [
        pa.field("episode", pa.string(), nullable=False),  # "<recording>", or "<recording>/<segment>"
        pa.field("recording", pa.string(), nullable=False),
        pa.field("contributor", pa.string(), nullable=False),
        pa.field("task", pa.string(), nullable=False),
        pa.field("task_version", pa.int32(), nullable=False),
        pa.field("shard", pa.string(), nullable=False),
        pa.field("first_frame", pa.int64(), nullable=False),  # in the shard
        pa.field("length", pa.int64(), nullable=False),  # in frames
        pa.field("start_ns", pa.int64(), nullable=False),  # since the recording began
        pa.field("end_ns", pa.int64(), nullable=False),
        pa.field("frame_rate", pa.float32(), nullable=False),  # mean of the true frame times, per second
        pa.field("track", pa.string()),  # the four columns of the label are null where there is none
        pa.field("label", pa.string()),
        pa.field("object", pa.string()),
        pa.field("outcome", pa.string()),
        pa.field("scale", pa.string(), nullable=False),  # "relative" or "metric"
        pa.field("extractor", pa.string(), nullable=False),
        pa.field("body_share", pa.float32(), nullable=False),  # share of the recording's frames, 0 to 1
        pa.field("left_hand_share", pa.float32(), nullable=False),
        pa.field("right_hand_share", pa.float32(), nullable=False),
        pa.field("image_width", pa.int32(), nullable=False),  # pixels of the upright picture
        pa.field("image_height", pa.int32(), nullable=False),
    ]
)


def checked_episodes(episodes: pa.Table) -> pa.Table:
    """Return the table in the order and types of `EPISODE_SCHEMA`.

    Args:
        episodes: a table that has these columns, perhaps among others.

    Returns:
        The table.

    Raises:
        InvalidInput: a column is missing or of another type, an id occurs twice, or an episode has no frames.
    """
    try:
        table = episodes.select(EPISODE_SCHEMA.names).cast(EPISODE_SCHEMA).combine_chunks()
    except (KeyError, pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError) as error:
        raise InvalidInput(f"the episode table does not fit its schema: {error}") from error
    if table.num_rows and pc.min(table["length"]).as_py() < 1:
        raise InvalidInput("every episode has at least one frame; the table holds one of none")
    if pc.count_distinct(table["episode"]).as_py() < table.num_rows:
        counts = pc.value_counts(table["episode"]).to_pylist()
        twice = next(count["values"] for count in counts if count["counts"] > 1)
        raise InvalidInput(f"episode '{twice}' occurs more than once")
    return table
