# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
"""The next token of each row, drawn by the row's own temperature, top_p and random numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from transformers import LogitsProcessor

from lanes.workers.chat import Ask


def chances(ask: Ask) -> torch.Tensor:
    """The random numbers of an answer, one a token: from the seed alone, so they know neither device nor neighbours."""
    return torch.rand(ask.max_tokens, generator=torch.Generator().manual_seed(ask.seed))


class Draw(LogitsProcessor):
    """Takes each row's next token, and leaves nothing to choose."""

    def __init__(self, asks: Sequence[Ask], chances: Sequence[torch.Tensor], device: torch.device) -> None:
        """Set the rows.

        Args:
            asks: One a row.
            chances: The random numbers that each row has left, the next one first.
            device: Of the scores.
        """
        self._greedy = torch.tensor([ask.temperature == 0 for ask in asks], device=device)
        self._temperature = _above_0([ask.temperature or 1.0 for ask in asks]).to(device)
        self._top_p = _above_0([ask.top_p for ask in asks]).to(device)
        self._cuts = any(ask.top_p < 1 for ask in asks)
        self._chances = torch.nn.utils.rnn.pad_sequence(list(chances), batch_first=True).to(device)
        self._step = 0
        self.broken = torch.zeros(len(asks), dtype=torch.bool, device=device)
        """Of shape (rows,): where the model gave scores that are not finite."""

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        chosen: Any = torch.where(self._greedy, scores.argmax(-1), self._drawn(scores))
        self._step += 1
        only: Any = torch.full_like(scores, -torch.inf)
        return only.scatter_(1, chosen[:, None], 0.0)

    def _drawn(self, scores: torch.Tensor) -> torch.Tensor:
        scores = scores.float()
        # The best one becomes 0, which stays finite at any temperature; the shares are the same.
        shares = torch.softmax((scores - scores.amax(-1, keepdim=True)) / self._temperature, -1)
        if self._cuts:
            ordered, order = shares.sort(-1, descending=True)
            ordered = ordered.masked_fill(ordered.cumsum(-1) - ordered >= self._top_p, 0.0)
            shares = torch.zeros_like(shares).scatter_(1, order, ordered)
        reached = shares.cumsum(-1)
        self.broken |= ~torch.isfinite(reached[:, -1])
        # A hair below the sum, so that rounding never lands behind the last token that has a share.
        aim = self._chances[:, self._step, None] * reached[:, -1:] * (1 - 1e-6)
        return torch.searchsorted(reached, aim, right=True).squeeze(1).clamp(max=scores.shape[1] - 1)


def _above_0(values: Sequence[float]) -> torch.Tensor:
    """A column of them as 32-bit floats, of which the smallest would be rounded to 0."""
    return torch.tensor(values, dtype=torch.float32).clamp(min=torch.finfo(torch.float32).tiny)[:, None]
