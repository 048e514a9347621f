"""What an ELF file says of itself, and what the string variables of a Go program hold before it runs.

Formats: System V ABI, chapters 4 and 5 (header, sections, symbols, segments); machine numbers from its registry.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import mmap
    from collections.abc import Iterable, Mapping

MAGIC = b"\x7fELF"
IDENTIFICATION = 16
PROGRAM_TYPES = frozenset({2, 3})
SYMBOL_TABLE = 2
LOADED = 1
INTERPRETER = 3
STRING_LIMIT = 64 * 1024
"""Bytes of a string variable that are read at most."""


class Machine(NamedTuple):
    """What a program runs on, as the header says it: word size in bits, byte order, machine number."""

    bits: int
    order: str
    number: int


MACHINES: Mapping[str, Machine] = {
    "386": Machine(32, "<", 3),
    "amd64": Machine(64, "<", 62),
    "arm": Machine(32, "<", 40),
    "arm64": Machine(64, "<", 183),
    "loong64": Machine(64, "<", 258),
    "mips": Machine(32, ">", 8),
    "mips64": Machine(64, ">", 8),
    "mips64le": Machine(64, "<", 8),
    "mipsle": Machine(32, "<", 8),
    "ppc64": Machine(64, ">", 21),
    "ppc64le": Machine(64, "<", 21),
    "riscv64": Machine(64, "<", 243),
    "s390x": Machine(64, ">", 22),
}
"""By Go's words for architectures."""


class _Shape:
    """How a structure is stored: format characters of ``struct``, and what each field is."""

    def __init__(self, layout: str, fields: str) -> None:
        self.layout = layout
        self.fields = fields.split()


_HEADER_FIELDS = (
    "type machine version entry segments sections flags size"
    " segment_size segment_count section_size section_count section_names"
)
_SECTION_FIELDS = "name type flags address offset size link info align entry_size"
_STRING_FIELDS = "start length"


class _Shapes(NamedTuple):
    header: _Shape
    section: _Shape
    segment: _Shape
    symbol: _Shape
    string: _Shape


_SHAPES: Mapping[int, _Shapes] = {
    32: _Shapes(
        header=_Shape("HHIIIIIHHHHHH", _HEADER_FIELDS),
        section=_Shape("IIIIIIIIII", _SECTION_FIELDS),
        segment=_Shape("IIIIIIII", "type offset address physical stored length flags align"),
        symbol=_Shape("IIIBBH", "name address size info other section"),
        string=_Shape("II", _STRING_FIELDS),
    ),
    64: _Shapes(
        header=_Shape("HHIQQQIHHHHHH", _HEADER_FIELDS),
        section=_Shape("IIQQQQIIQQ", _SECTION_FIELDS),
        segment=_Shape("IIQQQQQQ", "type flags offset address physical stored length align"),
        symbol=_Shape("IBBHQQ", "name info other section address size"),
        string=_Shape("QQ", _STRING_FIELDS),
    ),
}


class Elf:
    """An executable of which only the requested parts are read.

    Args:
        content: the whole file.

    Raises:
        ValueError: it is no ELF executable of a known class and byte order.
    """

    def __init__(self, content: bytes | mmap.mmap) -> None:
        if len(content) < IDENTIFICATION or content[:4] != MAGIC:
            raise ValueError("it is not an ELF file")
        bits, order = {1: 32, 2: 64}.get(content[4]), {1: "<", 2: ">"}.get(content[5])
        if bits is None or order is None:
            raise ValueError(f"it says class {content[4]} and byte order {content[5]}, which ELF does not have")
        self._content = content
        self._order = order
        self._shapes = _SHAPES[bits]
        self._header = self._record(self._shapes.header, IDENTIFICATION)
        if self._header["type"] not in PROGRAM_TYPES:
            raise ValueError(f"its type is {self._header['type']}, so it is no executable")
        self.machine = Machine(bits, order, self._header["machine"])

    @property
    def architecture(self) -> str:
        """What it runs on in Go's words, or in numbers where Go has no word for it."""
        known = (name for name, machine in MACHINES.items() if machine == self.machine)
        return next(known, f"machine {self.machine.number} ({self.machine.bits} bits, {self.machine.order})")

    @property
    def is_static(self) -> bool:
        """Whether it runs without a loader of the system: it names none; ValueError when it is cut short."""
        return all(segment["type"] != INTERPRETER for segment in self._table(self._shapes.segment, "segment"))

    def string_variables(self, names: Iterable[str]) -> dict[str, str]:
        """Return what package-level string variables hold before the program runs.

        The linker drops a variable that nothing reads, and its symbol with it: such a one is not in the result.

        Args:
            names: symbols, as ``IMPORT/PATH.Variable``.

        Raises:
            ValueError: the symbol table or a variable points outside of the file.
        """
        return {name: self._string(address) for name, address in self._addresses(names).items()}

    def _addresses(self, names: Iterable[str]) -> dict[str, int]:
        sections = self._table(self._shapes.section, "section")
        table = next((section for section in sections if section["type"] == SYMBOL_TABLE), None)
        if table is None:
            return {}
        if table["link"] >= len(sections):
            raise ValueError("its symbols have no names")
        strings = sections[table["link"]]
        stored = self._read(strings["offset"], strings["size"])
        wanted = {found + 1: name for name in names if (found := stored.find(b"\0%s\0" % name.encode())) >= 0}
        shape = self._shapes.symbol
        name_at, address_at = shape.fields.index("name"), shape.fields.index("address")
        packed = struct.Struct(self._order + shape.layout)
        symbols = self._read(table["offset"], table["size"] - table["size"] % packed.size)
        return {
            wanted[symbol[name_at]]: symbol[address_at]
            for symbol in packed.iter_unpack(symbols)
            if symbol[name_at] in wanted
        }

    def _string(self, address: int) -> str:
        shape = self._shapes.string
        place = self._place(address, struct.calcsize(self._order + shape.layout))
        if place is None:
            return ""
        string = self._record(shape, place)
        if string["length"] > STRING_LIMIT:
            raise ValueError(f"the string at {address:#x} has {string['length']} bytes")
        place = self._place(string["start"], string["length"]) if string["length"] else None
        return "" if place is None else self._read(place, string["length"]).decode("utf-8", "replace")

    def _place(self, address: int, size: int) -> int | None:
        """Where in the file the memory at this address comes from; None where it starts as zeros."""
        for segment in self._table(self._shapes.segment, "segment"):
            offset = address - segment["address"]
            if segment["type"] == LOADED and offset >= 0 and offset + size <= segment["length"]:
                return segment["offset"] + offset if offset + size <= segment["stored"] else None
        raise ValueError(f"nothing is loaded at {address:#x}")

    def _table(self, shape: _Shape, name: str) -> list[dict[str, int]]:
        begin, size, count = (self._header[f"{name}{part}"] for part in ("s", "_size", "_count"))
        return [self._record(shape, begin + i * size) for i in range(count)]

    def _record(self, shape: _Shape, offset: int) -> dict[str, int]:
        packed = struct.Struct(self._order + shape.layout)
        return dict(zip(shape.fields, packed.unpack(self._read(offset, packed.size)), strict=True))

    def _read(self, offset: int, size: int) -> bytes:
        if offset + size > len(self._content):
            raise ValueError(f"it is cut short: it has {len(self._content)} bytes where {offset + size} are spoken of")
        return self._content[offset : offset + size]
