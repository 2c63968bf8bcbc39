"""How one array of a shard is stored: its chunks, codecs and attributes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .trajectory import MISSING, ArraySpec, Valid

if TYPE_CHECKING:
    from zarr.core.buffer import Buffer

CHUNK_FRAMES = 256
"""Frames in an inner chunk, the smallest unit that is read and decoded, on one grid for all arrays."""

FILL_VALUES: Mapping[str, Any] = {"int16": MISSING, "float32": np.nan, "uint8": 0, "int64": 0}
"""What a chunk that is not stored holds, by stored type."""


def encode_array(spec: ArraySpec, stored: NDArray[Any]) -> dict[str, bytes]:
    """The objects of one array, by key in the shard. A chunk in which everything is missing is not stored."""
    import zarr
    from zarr.codecs import BloscCodec, BytesCodec, Crc32cCodec
    from zarr.storage import MemoryStore

    chunks = -(-len(stored) // CHUNK_FRAMES)
    objects: dict[str, Buffer] = {}
    array = zarr.create_array(
        MemoryStore(objects),
        name=spec.name,
        shape=stored.shape,
        dtype=stored.dtype,
        chunks=(CHUNK_FRAMES, *spec.shape),
        shards=(chunks * CHUNK_FRAMES, *spec.shape),
        serializer=BytesCodec(endian="little") if stored.dtype.itemsize > 1 else BytesCodec(endian=None),
        compressors=[
            BloscCodec(typesize=stored.dtype.itemsize, cname="lz4hc", clevel=9, shuffle="shuffle"),
            Crc32cCodec(),
        ],
        fill_value=FILL_VALUES[spec.dtype],
        dimension_names=spec.dimensions,
        attributes=_array_attributes(spec),
        zarr_format=3,
    )
    array[:] = stored
    return {key: data.to_bytes() for key, data in objects.items() if key.startswith(f"{spec.name}/")}


def _array_attributes(spec: ArraySpec) -> dict[str, Any]:
    """Attributes by the CF conventions where those have a word for it."""
    attributes: dict[str, Any] = {"units": spec.units, "long_name": spec.description}
    if spec.scale_factor is not None:
        attributes["scale_factor"] = spec.scale_factor
    if spec.is_fixed_point:
        attributes["_FillValue"] = MISSING
    if spec.frame:
        attributes["coordinate_frame"] = spec.frame
    if spec.landmarks:
        attributes["landmarks"] = list(spec.landmarks)
    if spec.name == "valid":
        attributes["flag_masks"] = [flag.value for flag in Valid]
        attributes["flag_meanings"] = " ".join(str(flag.name).lower() for flag in Valid)
    return attributes


def chunk_key(spec: ArraySpec) -> str:
    """Key, in the shard, of the one object that holds an array's values."""
    return "/".join([spec.name, "c", "0", *("0" for _ in spec.shape)])
