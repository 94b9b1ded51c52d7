# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
"""Answers that grow together, a row each: every token is said on as it is drawn, and a row ends by itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from transformers import StoppingCriteria

from lanes.workers.chat import Ask, Said
from lanes.workers.draw import Draw, chances
from lanes.workers.failures import NotFiniteError
from lanes.workers.pieces import Pieces
from lanes.workers.reply import Reply

PAUSE = 4
"""To go on after a pause, a batch reads again all that it has said: so it takes a fifth of the time at most."""


class Row:
    """One answer as far as it has come; it can be gone on with in any batch."""

    def __init__(self, reply: Reply, prompt: list[int], tokenizer: Any, ends: frozenset[int]) -> None:
        """Begin an answer.

        Args:
            reply: Who is told.
            prompt: Token ids.
            tokenizer: Of the model.
            ends: Tokens that end an answer.
        """
        self._reply, self._prompt, self._tokenizer, self._ends = reply, prompt, tokenizer, ends
        self._pieces = Pieces(getattr(tokenizer, "backend_tokenizer", None)) if reply.is_heard else None
        self._chances = chances(reply.ask)
        self._tokens: list[int] = []
        self.over = False
        """Whether nothing more is drawn for it."""

    @property
    def ask(self) -> Ask:
        """What was asked."""
        return self._reply.ask

    @property
    def ids(self) -> list[int]:
        """Token ids of the prompt and of the answer so far."""
        return self._prompt + self._tokens

    @property
    def left(self) -> int:
        """Most tokens that may still come."""
        return self.ask.max_tokens - len(self._tokens)

    @property
    def chances(self) -> torch.Tensor:
        """The random numbers of the tokens that may still come."""
        return self._chances[len(self._tokens) :]

    def take(self, token: int) -> None:
        """Take the next token."""
        if self.over:
            return
        if self._reply.left:
            self.fail(ConnectionError("who asked went away"))
        elif token in self._ends:
            self._finish("stop")
        else:
            self._tokens.append(token)
            if self._pieces:
                self._reply.tell(self._pieces.add(token))
            if not self.left:
                self._finish("length")

    def fail(self, error: Exception) -> None:
        """End without an answer, where it has not ended yet."""
        if not self.over:
            self.over = True
            self._reply.fail(error)

    def _finish(self, finish: Any) -> None:
        self.over = True
        text: str = self._tokenizer.decode(self._tokens, skip_special_tokens=True).strip()
        used = len(self._tokens) + (finish == "stop")
        self._reply.finish(Said(text, len(self._prompt), used, finish))


class Listening(StoppingCriteria):
    """Hands each row its tokens, and stops where every row is over or a pause is wanted."""

    def __init__(self, rows: Sequence[Row], draw: Draw, pause: Callable[[], bool]) -> None:
        """Listen to one batch.

        Args:
            rows: Of the batch.
            draw: What draws their tokens.
            pause: Whether to stop early; asked only once the batch has run `PAUSE` times as long as it took to begin.
        """
        self._rows, self._draw, self._pause = rows, draw, pause
        self._begun = time.monotonic()
        self._pause_from: float | None = None

    def __call__(self, input_ids: Any, scores: Any, **kwargs: Any) -> Any:
        tokens: list[int] = torch.where(self._draw.broken, -1, input_ids[:, -1]).tolist()
        for row, token in zip(self._rows, tokens, strict=True):
            if token < 0:
                row.fail(NotFiniteError(f"model {row.ask.model!r} gives numbers that are not finite: train it anew"))
            row.take(token)
        now = time.monotonic()
        if self._pause_from is None:
            self._pause_from = now + PAUSE * (now - self._begun)
        stop = now >= self._pause_from and self._pause()
        return torch.tensor([stop or row.over for row in self._rows], device=input_ids.device)
