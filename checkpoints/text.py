"""Text from outside made safe to keep and to draw: no terminal controls, no bidirectional ones, nothing half."""

from __future__ import annotations

_KEPT = "\n\t"

_BIDIRECTIONAL = (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))

_HALVES = range(0xD800, 0xE000)
"""Halves of characters, as JSON may have them alone; neither a file nor a terminal takes them."""

_REPLACED = dict.fromkeys(
    [code for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in _KEPT] + list(_BIDIRECTIONAL)
) | dict.fromkeys(_HALVES, "\ufffd")


def clean(text: str) -> str:
    """Drop C0 and C1 controls (newline and tab stay), DEL, and the bidirectional controls.

    Half a character becomes U+FFFD.
    What remains of an escape sequence without its introducer is plain letters: visible, and harmless to a terminal.
    """
    # Most text is printable as it is, and a look is cheaper than a translation.
    return text if text.isprintable() else text.translate(_REPLACED)
