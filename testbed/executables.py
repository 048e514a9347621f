"""Executables as small as they can be, for every architecture of Go's."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from runner.builders.elf import MACHINES, Machine

if TYPE_CHECKING:
    from collections.abc import Mapping

ADDRESS = 0x10000
AMD64 = MACHINES["amd64"]


def program(
    machine: Machine = AMD64,
    variables: Mapping[str, str] | None = None,
    *,
    kind: int = 2,
    symbols: bool = True,
    length: int | None = None,
    start: int | None = None,
    segment_type: int = 1,
) -> bytes:
    """An executable of one segment, with string variables as Go's linker writes them.

    A variable without text lies behind what is stored, where memory starts as zeros. ``length`` and ``start`` replace
    what the variables say of their text. A ``segment_type`` of 3 says that the segment names a loader.
    """
    wide = machine.bits == 64
    word = "Q" if wide else "I"
    order = machine.order

    def pack(layout: str, *values: int) -> bytes:
        return struct.pack(order + layout, *values)

    header_size, segment_size, section_size = (64, 56, 64) if wide else (52, 32, 40)
    body = bytearray(header_size + segment_size)
    addresses: dict[str, int] = {}
    for name, text in (variables or {}).items():
        if text:
            stored = text.encode()
            place = ADDRESS + len(body)
            body += stored
            addresses[name] = ADDRESS + len(body)
            said = place if start is None else start
            body += pack(word * 2, said, len(stored) if length is None else length)
    loaded = len(body)
    zeros = loaded
    for name, text in (variables or {}).items():
        if not text:
            addresses[name] = ADDRESS + zeros
            zeros += 16
    names, entries = b"\0", pack("IBBHQQ" if wide else "IIIBBH", *(0,) * 6)
    for name, address in addresses.items():
        symbol = (len(names), 0, 0, 1, address, 16) if wide else (len(names), address, 8, 0, 0, 1)
        entries += pack("IBBHQQ" if wide else "IIIBBH", *symbol)
        names += name.encode() + b"\0"
    names_at = len(body)
    body += names
    entries_at = len(body)
    body += entries
    sections_at = len(body)
    layout = "IIQQQQIIQQ" if wide else "10I"
    body += pack(layout, *(0,) * 10)
    body += pack(layout, 0, 3, 0, 0, names_at, len(names), 0, 0, 1, 0)
    body += pack(layout, 0, 2 if symbols else 1, 0, 0, entries_at, len(entries), 1, 0, 8, 24 if wide else 16)
    identification = b"\x7fELF" + bytes([2 if wide else 1, 1 if order == "<" else 2, 1]) + bytes(9)
    fields = (kind, machine.number, 1, ADDRESS, header_size, sections_at, 0, header_size)
    counts = (segment_size, 1, section_size, 3, 1)
    body[:header_size] = identification + pack("HHIQQQIHHHHHH" if wide else "HHIIIIIHHHHHH", *fields, *counts)
    segment = (
        (segment_type, 5, 0, ADDRESS, ADDRESS, loaded, zeros, 4096)
        if wide
        else (segment_type, 0, ADDRESS, ADDRESS, loaded, zeros, 5, 4)
    )
    body[header_size : header_size + segment_size] = pack("IIQQQQQQ" if wide else "8I", *segment)
    return bytes(body)
