"""Text of an answer while its tokens come: whole characters only, and always the beginning of the whole text."""

from __future__ import annotations

from tokenizers import Tokenizer
from tokenizers.decoders import DecodeStream


class Pieces:
    """What is certain of a text, token by token.

    An answer's text has no white space at its ends, so white space is held back until something follows it; and bytes
    are held back until they are a character.
    """

    def __init__(self, tokenizer: Tokenizer | None) -> None:
        """Begin an answer.

        Args:
            tokenizer: What turns tokens into text; None (a tokenizer written in Python) is certain of nothing before
                the end.
        """
        self._tokenizer = tokenizer
        self._decoding = DecodeStream(skip_special_tokens=True)
        self._text = self._held = ""

    def add(self, token: int) -> str:
        """Take the next token.

        Returns:
            The text that is certain by now, from its beginning.
        """
        if self._tokenizer is None:
            return self._text
        try:
            self._held += self._decoding.step(self._tokenizer, token) or ""
        except Exception:  # A decoder that takes back what it said, of which the whole text must tell.
            self._tokenizer = None
            return self._text
        if not self._text:
            self._held = self._held.lstrip()
        certain = self._held.rstrip()
        self._text, self._held = self._text + certain, self._held[len(certain) :]
        return self._text
