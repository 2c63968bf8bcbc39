"""What the metadata of a shard says of its arrays: the inverse of `storage.shards.array_encoder.array_metadata`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kinesphere.log_scale import LogScale
from kinesphere.trajectory import ARRAYS, ArraySpec, check_specs, in_order


def specs_of(metadata: Mapping[str, Any]) -> dict[str, ArraySpec]:
    """The arrays that a group lists.

    Args:
        metadata: of each array by its name, as in the group's `consolidated_metadata`.

    Returns:
        The arrays by name, the standard ones first.

    Raises:
        InvalidInput: there is no `timestamp` or `valid`, or an array is none that a shard can have.
        KeyError: the metadata of an array lacks an entry.
    """
    found = in_order(_spec_of(name, array) for name, array in metadata.items())
    check_specs(found)
    return found


def _spec_of(name: str, array: Mapping[str, Any]) -> ArraySpec:
    attributes = array["attributes"]
    log_scale = None
    if "log_smallest" in attributes:
        log_scale = LogScale(attributes["log_smallest"], attributes["log_ratio"])
    spec = ArraySpec(
        name=name,
        dtype=array["data_type"],
        shape=tuple(array["shape"][1:]),
        dimensions=tuple(array["dimension_names"]),
        # the stored codes of a log scale have no unit; their values have
        units=attributes["units"] if log_scale is None else attributes["value_units"],
        description=attributes["long_name"],
        frame=attributes.get("coordinate_frame", ""),
        scale_factor=attributes.get("scale_factor"),
        landmarks=tuple(attributes.get("landmarks", ())),
        log_scale=log_scale,
    )
    standard = ARRAYS.get(name)
    # the words of an array may have changed since the shard was written: `valid` names the bits that there were
    return standard if standard is not None and spec.means_the_same(standard) else spec
