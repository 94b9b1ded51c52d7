"""How many tokens a text is, without anybody's tokenizer: estimated from its characters, and rather too many."""

from __future__ import annotations

import re
from functools import lru_cache

LETTERS, DIGITS = 6, 2
"""Letters of a word, digits of a number, that make one token."""

_LINE = 500
"""Characters up to which a text's tokens are kept in mind."""

_TOKEN = re.compile(
    f"[A-Za-z]{{1,{LETTERS}}}|[0-9]{{1,{DIGITS}}}|\n+|[ \t]{{2,}}|[ \t](?=[0-9]|[^\x00-\x7f])|[!-/:-@\\[-`{{-~]"
)


def tokens(text: str) -> int:
    """Tokens of a text, estimated: hardly ever fewer than the tokenizers of large models make of it.

    A word is one for six letters, a number one for two digits, a sign one, a character outside ASCII one less than its
    bytes in UTF-8. They add up: a text has as many as its lines, and one for the end of each.
    """
    return _of_a_line(text) if len(text) <= _LINE else _counted(text)


def _counted(text: str) -> int:
    beyond_ascii = 0 if text.isascii() else len(text.encode("utf-8", "replace")) - len(text)
    return len(_TOKEN.findall(text)) + beyond_ascii


_of_a_line = lru_cache(1 << 13)(_counted)
"""Most lines of a memory are those of the one before it."""
