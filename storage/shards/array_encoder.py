"""Encodes one array of a shard as its frames come: chunks, codecs, checksums and attributes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import google_crc32c
import numpy as np
from numcodecs.blosc import Blosc
from numpy.typing import NDArray

from kinesphere.shards.array_layout import CHUNK_FRAMES, FILL_VALUES, NOT_STORED, chunk_key
from kinesphere.trajectory import MISSING, ArraySpec, Valid

if TYPE_CHECKING:
    from zarr.core.buffer import Buffer


class ArrayEncoder:
    """Encodes one array as its frames come, chunk by chunk: it holds the encoded chunks and at most one that is not.

    The bytes are those that zarr-python writes for the whole array, in which chunks follow each other without space.
    """

    def __init__(self, spec: ArraySpec) -> None:
        self._spec = spec
        self._codec = Blosc(cname="lz4hc", clevel=9, shuffle=Blosc.SHUFFLE)
        self._chunk = np.empty((CHUNK_FRAMES, *spec.shape), np.dtype(spec.dtype).newbyteorder("<"))
        self._frames = 0
        self._encoded = bytearray()
        self._index: list[tuple[int, int]] = []

    def add(self, stored: NDArray[Any]) -> None:
        """Append frames as they are stored; see `to_stored`."""
        done = 0
        while done < len(stored):
            place = self._frames % CHUNK_FRAMES
            taken = min(CHUNK_FRAMES - place, len(stored) - done)
            self._chunk[place : place + taken] = stored[done : done + taken]
            self._frames, done = self._frames + taken, done + taken
            if place + taken == CHUNK_FRAMES:
                self._encode_chunk()

    def finish(self) -> dict[str, bytes]:
        """The objects of the array, by key in the shard; gives up what was encoded.

        A chunk in which everything is missing is not stored, and an array of such chunks has no object but its
        metadata.
        """
        place = self._frames % CHUNK_FRAMES
        if place:
            self._chunk[place:] = FILL_VALUES[self._spec.dtype]
            self._encode_chunk()
        objects = {f"{self._spec.name}/zarr.json": array_metadata(self._spec, self._frames)}
        if self._encoded:
            self._append(np.array(self._index, "<u8").tobytes())
            objects[chunk_key(self._spec)] = bytes(self._encoded)
        self._encoded = bytearray()
        return objects

    def _encode_chunk(self) -> None:
        if self._is_missing():
            self._index.append((NOT_STORED, NOT_STORED))
            return
        begin = len(self._encoded)
        self._append(self._codec.encode(self._chunk))
        self._index.append((begin, len(self._encoded) - begin))

    def _is_missing(self) -> bool:
        fill = FILL_VALUES[self._spec.dtype]
        return bool(np.isnan(self._chunk).all() if np.isnan(fill) else (self._chunk == fill).all())

    def _append(self, data: bytes) -> None:
        self._encoded += data
        self._encoded += google_crc32c.value(data).to_bytes(4, "little")


def array_metadata(spec: ArraySpec, frames: int) -> bytes:
    """The `zarr.json` of an array, as zarr-python writes it."""
    import zarr
    from zarr.codecs import BloscCodec, BytesCodec, Crc32cCodec
    from zarr.storage import MemoryStore

    objects: dict[str, Buffer] = {}
    itemsize = np.dtype(spec.dtype).itemsize
    zarr.create_array(
        MemoryStore(objects),
        name=spec.name,
        shape=(frames, *spec.shape),
        dtype=spec.dtype,
        chunks=(CHUNK_FRAMES, *spec.shape),
        shards=(-(-frames // CHUNK_FRAMES) * CHUNK_FRAMES, *spec.shape),
        serializer=BytesCodec(endian="little") if itemsize > 1 else BytesCodec(endian=None),
        compressors=[BloscCodec(typesize=itemsize, cname="lz4hc", clevel=9, shuffle="shuffle"), Crc32cCodec()],
        fill_value=FILL_VALUES[spec.dtype],
        dimension_names=spec.dimensions,
        attributes=_array_attributes(spec),
        zarr_format=3,
    )
    return objects[f"{spec.name}/zarr.json"].to_bytes()


def _array_attributes(spec: ArraySpec) -> dict[str, Any]:
    """Attributes by the CF conventions where those have a word for it."""
    attributes: dict[str, Any] = {"units": spec.units, "long_name": spec.description}
    if spec.scale_factor is not None:
        attributes["scale_factor"] = spec.scale_factor
    if spec.log_scale is not None:
        # For readers that know nothing of it, as those of earlier releases, it is an array of codes without a unit.
        attributes |= {"units": "1", "value_units": spec.units, "_FillValue": 0}
        attributes |= {"log_smallest": spec.log_scale.smallest, "log_ratio": spec.log_scale.ratio}
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
