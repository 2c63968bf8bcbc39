"""Text that others wrote, made safe to show: no character of it commands a terminal, or turns what stands beside it.

Titles, names and file names come from strangers. Raw, an escape in one of them could rewrite what stands on the screen,
set the window's title, or on some terminals type for whoever looks (https://www.cve.org/CVERecord?id=CVE-2003-0063).
"""

from __future__ import annotations

_SHOWN_AS_IT_IS = "\n\t"
_CONTROLS = {
    **{chr(code): chr(0x2400 + code) for code in range(32) if chr(code) not in _SHOWN_AS_IT_IS},  # ESC becomes ␛
    "\x7f": "␡",
    **{chr(code): "\ufffd" for code in range(0x80, 0xA0)},  # 0x9B begins a command as ESC [ does
}
_TURNING = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
"""Characters that change the direction of what follows: `gpj.exe` would be read as `exe.jpg`."""
_PICTURES = str.maketrans(
    {**_CONTROLS, **dict.fromkeys(_TURNING, "\ufffd"), "\u2028": " ", "\u2029": " "}
    | {chr(code): "\ufffd" for code in range(0xD800, 0xE000)}  # halves of characters, of which UTF-8 knows none
)
_ESCAPES = str.maketrans({character: f"\\u{ord(character):04x}" for character in map(chr, _PICTURES)})


def printable(text: str) -> str:
    """The text with what a terminal would obey shown as a character of one cell; lines and tabs stay.

    Args:
        text: any, also with undecodable bytes as Python keeps them in file names (lone surrogates).

    Returns:
        Text that can be encoded, and that is itself where there was nothing to replace.
    """
    return text if text.isprintable() else text.translate(_PICTURES)


def printable_json(document: str) -> str:
    """The same JSON document, with such characters inside of texts written as JSON escapes.

    Args:
        document: JSON, of which the characters below 32 are escaped already, as `json.dumps` does.

    Returns:
        A document with the same content.
    """
    return document.translate(_ESCAPES)
