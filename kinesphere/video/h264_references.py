"""Finds pictures of H.264 that are made from pictures that are missing: FFmpeg decodes those without a word.

Reference pictures are counted in the header of every slice (`frame_num`; ITU-T H.264, 7.4.3). A count that skips says
that packets are missing before it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

_SLICE, _IDR_SLICE, _SPS, _PPS = 1, 5, 7, 8
_WITH_CHROMA_FORMAT = (100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135)
"""Profiles whose sequence parameters state the format of chroma."""
_START_CODE = b"\0\0\1"
_HEADER_BYTES = 24
"""Enough of a slice for what is read of its header."""
_PARAMETER_BYTES = 512


@dataclass(frozen=True)
class _Sequence:
    """What sequence parameters say of the count."""

    bits: int
    may_skip: bool
    has_planes: bool


class ReferenceCount:
    """Follows the count of reference pictures through the packets of a stream."""

    def __init__(self, extradata: bytes | None) -> None:
        head = extradata or b""
        is_configuration = len(head) > 6 and head[0] == 1
        self._length_bytes = 1 + (head[4] & 3) if is_configuration else 0
        self._sequences: dict[int, _Sequence] = {}
        self._sequence_of_picture: dict[int, int] = {}
        self._latest: int | None = None
        for unit in _listed_units(head) if is_configuration else _units(memoryview(head), 0):
            self._note_parameters(unit)

    def is_skipped_by(self, packet: memoryview) -> bool:
        """Whether reference pictures are missing between the packet before and this one.

        Args:
            packet: its bytes, of one picture.

        Returns:
            True where they are; False where nothing can be told.
        """
        try:
            for unit in _units(packet, self._length_bytes):
                if unit[0] & 31 in (_SLICE, _IDR_SLICE):
                    return self._is_skipped_at(unit)
                self._note_parameters(unit)
        except (IndexError, KeyError):
            self._latest = None
        return False

    def _is_skipped_at(self, unit: memoryview) -> bool:
        is_reference = bool(unit[0] & 0x60)
        bits = _Bits(unit[1:_HEADER_BYTES])
        bits.exponential(), bits.exponential()
        sequence = self._sequences[self._sequence_of_picture[bits.exponential()]]
        if sequence.has_planes:
            bits.read(2)
        count = bits.read(sequence.bits)
        latest, most = self._latest, 1 << sequence.bits
        self._latest = count if is_reference else (count - 1) % most
        if unit[0] & 31 == _IDR_SLICE or latest is None or sequence.may_skip:
            return False
        if not is_reference and count == latest:
            self._latest = latest
        return count not in (latest, (latest + 1) % most)

    def _note_parameters(self, unit: memoryview) -> None:
        """Keep what sequence and picture parameters say; other units say nothing."""
        kind = unit[0] & 31
        if kind == _SPS:
            number, sequence = _sequence(_Bits(unit[1:_PARAMETER_BYTES]))
            self._sequences[number] = sequence
        elif kind == _PPS:
            bits = _Bits(unit[1:_HEADER_BYTES])
            self._sequence_of_picture[bits.exponential()] = bits.exponential()


def _sequence(bits: _Bits) -> tuple[int, _Sequence]:
    """Number and content of sequence parameters (7.3.2.1.1), as far as the count needs it."""
    profile = bits.read(8)
    bits.read(16)
    number = bits.exponential()
    has_planes = False
    if profile in _WITH_CHROMA_FORMAT:
        chroma = bits.exponential()
        has_planes = chroma == 3 and bool(bits.read(1))
        bits.exponential(), bits.exponential(), bits.read(1)
        if bits.read(1):
            for matrix in range(12 if chroma == 3 else 8):
                if bits.read(1):
                    _skip_scaling(bits, 16 if matrix < 6 else 64)
    count_bits = bits.exponential() + 4
    order = bits.exponential()
    if order == 0:
        bits.exponential()
    elif order == 1:
        bits.read(1), bits.exponential(), bits.exponential()
        for _ in range(bits.exponential()):
            bits.exponential()
    bits.exponential()
    return number, _Sequence(count_bits, bool(bits.read(1)), has_planes)


def _skip_scaling(bits: _Bits, values: int) -> None:
    latest = following = 8
    for _ in range(values):
        if following:
            code = bits.exponential()
            following = (latest + (code + 1 >> 1 if code & 1 else -(code >> 1))) % 256
        latest = following or latest


def _units(content: memoryview, length_bytes: int) -> Iterator[memoryview]:
    """The units of a packet: each after its length, or after a start code where `length_bytes` is 0."""
    if length_bytes:
        position = 0
        while position + length_bytes < len(content):
            start = position + length_bytes
            position = start + int.from_bytes(content[position:start], "big")
            if position > start:
                yield content[start:position]
        return
    # Only the units before the first slice are asked for: what follows is not searched through.
    raw = bytes(content)
    start = raw.find(_START_CODE)
    while 0 <= start < len(raw) - 3:
        start += 3
        yield content[start:]
        start = raw.find(_START_CODE, start)


def _listed_units(configuration: bytes) -> Iterator[memoryview]:
    """The parameters in an MP4's `avcC` (ISO/IEC 14496-15, 5.3.3.1)."""
    content, position = memoryview(configuration), 5
    for mask in (31, 255):
        if position >= len(content):
            return
        units = content[position] & mask
        position += 1
        for _ in range(units):
            length = int.from_bytes(content[position : position + 2], "big")
            if length:
                yield content[position + 2 : position + 2 + length]
            position += 2 + length


class _Bits:
    """Reads bits of a unit, without the bytes that keep start codes out of it."""

    def __init__(self, content: memoryview) -> None:
        data = bytes(content).replace(b"\0\0\3", b"\0\0")
        self._left = 8 * len(data)
        self._value = int.from_bytes(data, "big")

    def read(self, bits: int) -> int:
        """The next bits as a number.

        Raises:
            IndexError: there are no more.
        """
        if bits > self._left:
            raise IndexError("the unit ends")
        self._left -= bits
        return self._value >> self._left & (1 << bits) - 1

    def exponential(self) -> int:
        """The next number in Exp-Golomb code (9.1)."""
        zeros = 0
        while not self.read(1):
            zeros += 1
        return (1 << zeros) - 1 + self.read(zeros)
