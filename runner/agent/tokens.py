"""How many tokens a text is, without anybody's tokenizer: estimated from its characters, and rather too many."""

from __future__ import annotations

import re

LETTERS, DIGITS = 6, 2
"""Letters of a word, digits of a number, that make one token."""

_TOKEN = re.compile(
    f"[A-Za-z]{{1,{LETTERS}}}|[0-9]{{1,{DIGITS}}}|\n+|[ \t]{{2,}}|[ \t](?=[0-9]|[^\x00-\x7f])|[!-/:-@\\[-`{{-~]"
)


def tokens(text: str) -> int:
    """Tokens of a text, estimated: hardly ever fewer than the tokenizers of large models make of it.

    A word is one for six letters, a number one for two digits, a sign one, a character outside ASCII one less than its
    bytes in UTF-8. They add up: a text has as many as its lines, and one for the end of each.
    """
    beyond_ascii = 0 if text.isascii() else len(text.encode("utf-8", "replace")) - len(text)
    return len(_TOKEN.findall(text)) + beyond_ascii
