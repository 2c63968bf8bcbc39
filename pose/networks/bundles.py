"""MediaPipe `.task` bundles: an uncompressed zip of networks, read with their hashes or built from bare networks."""

from __future__ import annotations

import hashlib
import io
import struct
import zipfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from kinesphere.errors import InvalidInput, needs_extra

_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)
_LOCAL_HEADER_BYTES = 30
_ALIGNMENT_FIELD = 0xD935
"""Id of the zip extra field that carries padding (Android's zipalign uses the same)."""
_GRAPHS, _GRAPH_OUTPUTS, _GRAPH_OPERATORS, _OPERATOR_INPUTS, _OPERATOR_OUTPUTS = 8, 8, 10, 6, 8
"""Fields of the tables `Model`, `SubGraph` and `Operator` in TFLite's schema. Its generated classes would do, but
loading them takes a quarter of a second, and MediaPipe's, with all that comes along, a whole one."""


def read_bundle(path: Path, required: Sequence[str]) -> dict[str, str]:
    """Hash what a `.task` file holds.

    Args:
        path: the bundle.
        required: the members that it must hold.

    Returns:
        The sha256 of each member, by name.

    Raises:
        InvalidInput: there is no such file, it is no zip, it is damaged, or a member is missing.
    """
    try:
        with zipfile.ZipFile(path) as bundle:
            hashes = {name: hashlib.sha256(bundle.read(name)).hexdigest() for name in sorted(bundle.namelist())}
    except (zipfile.BadZipFile, EOFError, NotImplementedError) as error:
        raise InvalidInput(f"{path} is not a MediaPipe .task bundle, or it is damaged: {error}") from error
    except OSError as error:
        raise InvalidInput(f"cannot read the model {path}: {error.strerror or error}") from error
    missing = [name for name in required if name not in hashes]
    if missing:
        raise InvalidInput(
            f"{path} holds no {' and no '.join(missing)} (it holds: {', '.join(hashes) or 'nothing'}); "
            "give a .task bundle of the right kind"
        )
    return hashes


def build_bundle(members: Mapping[str, bytes]) -> bytes:
    """Pack networks into a `.task` file; equal members give equal bytes.

    Each member begins at a multiple of 64 bytes, so that TFLite uses the weights where they lie instead of
    copying them.
    """
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as bundle:
        for name, content in members.items():
            entry = zipfile.ZipInfo(name, _ZIP_EPOCH)
            entry.create_system = 3  # the same bytes on Windows, too
            padding = -(packed.tell() + _LOCAL_HEADER_BYTES + len(name) + 4) % 64
            entry.extra = struct.pack("<HH", _ALIGNMENT_FIELD, padding) + bytes(padding)
            bundle.writestr(entry, content)
    return packed.getvalue()


def with_normalization(network: bytes) -> bytes:
    """Add the metadata by which the Tasks API learns to feed pixels 0..255 as 0..1.

    The networks of MediaPipe's older wheels lack it, and the Tasks API refuses them: "it requires specifying
    NormalizationOptions metadata". The given bytes stay as they are, behind a new root table that points into
    them: weights keep their alignment, and the result is the same with every release of flatbuffers.

    Args:
        network: a TFLite file (FlatBuffers, identifier `TFL3`).
    """
    with needs_extra("pose"):
        import flatbuffers
        from mediapipe.tasks.metadata import schema_py_generated as schema

    model = schema.Model.GetRootAs(network)
    builder = flatbuffers.Builder(len(network) + 65_536)
    builder.Bytes[-len(network) :] = network  # FlatBuffers are built from the end towards the front
    builder.head = len(builder.Bytes) - len(network)
    builder.minalign = 16

    def existing(table: Any) -> int:
        return len(network) - int(table._tab.Pos)

    def existing_field(slot: int) -> int:
        return len(network) - int(model._tab.Indirect(model._tab.Pos + model._tab.Offset(4 + 2 * slot)))

    def vector(offsets: Sequence[int]) -> int:
        builder.StartVector(4, len(offsets), 4)
        for offset in reversed(offsets):
            builder.PrependUOffsetTRelative(offset)
        return int(builder.EndVector())

    content = builder.CreateByteVector(_normalization_metadata())
    schema.BufferStart(builder)
    schema.BufferAddData(builder, content)
    buffers = [*(existing(model.Buffers(i)) for i in range(model.BuffersLength())), schema.BufferEnd(builder)]
    name = builder.CreateString("TFLITE_METADATA")
    schema.MetadataStart(builder)
    schema.MetadataAddName(builder, name)
    schema.MetadataAddBuffer(builder, model.BuffersLength())
    entries = [*(existing(model.Metadata(i)) for i in range(model.MetadataLength())), schema.MetadataEnd(builder)]

    buffers_vector, entries_vector = vector(buffers), vector(entries)
    schema.ModelStart(builder)
    schema.ModelAddVersion(builder, model.Version())
    schema.ModelAddOperatorCodes(builder, existing_field(1))
    schema.ModelAddSubgraphs(builder, existing_field(2))
    schema.ModelAddDescription(builder, existing_field(3))
    schema.ModelAddBuffers(builder, buffers_vector)
    schema.ModelAddMetadata(builder, entries_vector)
    builder.Finish(schema.ModelEnd(builder), b"TFL3")
    return bytes(builder.Output())


def without_outputs(network: bytes, unread: Collection[int]) -> bytes:
    """The same network without some of its outputs, and without the operators that nothing else needs.

    LiteRT runs every operator of a network, read or not. Only lists in front of the weights become shorter; every
    byte stays in its place, and what is left computes the same.

    Args:
        network: a TFLite file.
        unread: positions of the outputs.

    Raises:
        InvalidInput: it is no such file, or has no such output.
    """
    if not unread:
        return network
    with needs_extra("pose"):
        from flatbuffers.table import Table

    if network[4:8] != b"TFL3":
        raise InvalidInput("it is not a TFLite file")
    root = Table(network, *_integers(network, 0, 1))
    graphs = root.Vector(root.Offset(_GRAPHS))
    graph = Table(network, graphs + _integers(network, graphs, 1)[0])
    outputs = _vector(graph, _GRAPH_OUTPUTS)
    if not set(unread) <= set(range(len(outputs))):
        raise InvalidInput(f"the network has {len(outputs)} outputs, no numbers {sorted(unread)}")
    outputs = [tensor for position, tensor in enumerate(outputs) if position not in unread]
    begin = graph.Vector(graph.Offset(_GRAPH_OPERATORS))
    places = [begin + 4 * row + offset for row, offset in enumerate(_vector(graph, _GRAPH_OPERATORS))]
    needed: set[int] = set(outputs)
    operators: list[int] = []
    for place in reversed(places):
        operator = Table(network, place)
        if needed.intersection(_vector(operator, _OPERATOR_OUTPUTS)):
            needed.update(_vector(operator, _OPERATOR_INPUTS))
            operators.insert(0, place)
    shorter = bytearray(network)
    for slot, values in ((_GRAPH_OUTPUTS, outputs), (_GRAPH_OPERATORS, operators)):
        begin = graph.Vector(graph.Offset(slot))
        if slot == _GRAPH_OPERATORS:  # stated as distances from where they are stated
            values = [place - (begin + 4 * row) for row, place in enumerate(values)]
        struct.pack_into(f"<{len(values) + 1}I", shorter, begin - 4, len(values), *values)
    return bytes(shorter)


def _vector(table: Any, slot: int) -> Sequence[int]:
    """The int32 numbers in a field of a FlatBuffers table; none where the field is left out."""
    offset = table.Offset(slot)
    return _integers(table.Bytes, table.Vector(offset), table.VectorLen(offset)) if offset else ()


def _integers(content: bytes, begin: int, count: int) -> Sequence[int]:
    return struct.unpack_from(f"<{count}i", content, begin)


def _normalization_metadata() -> bytes:
    """A `ModelMetadata` (identifier `M001`) with one input, scaled by mean 0 and standard deviation 255."""
    import flatbuffers
    from mediapipe.tasks.metadata import metadata_schema_py_generated as schema

    options = schema.NormalizationOptionsT()
    options.mean, options.std = [0.0], [255.0]
    unit = schema.ProcessUnitT()
    unit.optionsType = schema.ProcessUnitOptions.NormalizationOptions
    unit.options = options
    tensor = schema.TensorMetadataT()
    tensor.processUnits = [unit]
    graph = schema.SubGraphMetadataT()
    graph.inputTensorMetadata = [tensor]
    metadata = schema.ModelMetadataT()
    metadata.subgraphMetadata = [graph]
    builder = flatbuffers.Builder(0)
    builder.Finish(metadata.Pack(builder), b"M001")
    return bytes(builder.Output())
