"""Shows what strangers wrote: whatever is in it, a terminal displays it and obeys none of it."""

from __future__ import annotations

from collections.abc import Iterator

_ROW = 16
_PRINTABLE = range(0x20, 0x7F)


def one_line(text: str) -> str:
    """Return the text with every character escaped that isn't visible: controls, newlines, overrides."""
    return "".join(
        character if character.isprintable() else ascii(character)[1:-1] for character in text
    )


def lines(data: bytes) -> Iterator[str]:
    """Return lines that show the bytes: their text, each line escaped, or a hexadecimal dump."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        yield from hex_dump(data)
    else:
        for line in text.split("\n"):
            yield "\t".join(one_line(part) for part in line.split("\t"))


def inline(data: bytes | None) -> str:
    """Return the bytes in one line: their text, or their hexadecimal digits."""
    if data is None:
        return "(none)"
    try:
        return one_line(data.decode())
    except UnicodeDecodeError:
        return f"0x{data.hex()}"


def hex_dump(data: bytes) -> Iterator[str]:
    """Return rows of offset, hexadecimal digits and ASCII, as hexdump -C does."""
    for start in range(0, len(data), _ROW):
        row = data[start : start + _ROW]
        text = "".join(chr(byte) if byte in _PRINTABLE else "." for byte in row)
        yield f"{start:08x}  {row.hex(' '):<{3 * _ROW - 1}}  |{text}|"
