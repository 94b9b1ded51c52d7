"""How many tokens a text is, without anybody's tokenizer: estimated from its characters, and rather too many."""

from __future__ import annotations

import re

_PIECES = re.compile(r"[A-Za-z]+|[0-9]+|\n+|[ \t]{2,}|[ \t](?=[0-9]|[^\x00-\x7f])|[!-/:-@\[-`{-~]|[^\x00-\x7f]")

LETTERS, DIGITS = 6, 2
"""Letters of a word, digits of a number, that make one token."""


def tokens(text: str) -> int:
    """Tokens of a text, estimated: hardly ever fewer than the tokenizers of large models make of it.

    A word is one for six letters, a number one for two digits, a sign one, a character outside ASCII one to three by
    its length in UTF-8. They add up: a text has as many as its lines, and one for the end of each.
    """
    return sum(_count(piece) for piece in _PIECES.findall(text))


def _count(piece: str) -> int:
    first = piece[0]
    if first.isascii():
        if first.isalpha():
            return -(-len(piece) // LETTERS)
        return -(-len(piece) // DIGITS) if first.isdigit() else 1
    return max(len(piece.encode("utf-8", "replace")) - 1, 1)
