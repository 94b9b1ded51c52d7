# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
"""``val_pref_acc``: how often training has moved the policy towards the chosen answer of a held-out pair."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, TypeAlias

import torch

from lanes.workers.tokens import PairTokens

Reference: TypeAlias = Callable[[], AbstractContextManager[Any]]
"""Gives the reference model for as long as its context is open."""

BATCH_TOKENS = 2048
"""Most tokens that are scored together, padding included: a bound on the memory for logits."""


def accuracy(margins: Sequence[float]) -> float:
    """Share of pairs with a margin above 0; one of exactly 0 counts half, so that an untrained policy has 0.5."""
    return sum(1.0 if margin > 0 else 0.5 if margin == 0 else 0.0 for margin in margins) / len(margins)


def preference_losses(margins: Sequence[float], beta: float) -> list[float]:
    """DPO's sigmoid loss of held-out pairs, ``−log σ(β·margin)``, whichever loss was trained; log 2 untrained.

    Args:
        margins: Implicit rewards' differences divided by β, in nats.
        beta: Scored with another β, trainings are not on one scale.
    """
    scaled = [beta * margin for margin in margins]
    return [math.log1p(math.exp(-abs(x))) + max(-x, 0.0) for x in scaled]


def answer_losses(policy: Any, pairs: Sequence[PairTokens], max_length: int) -> list[float]:
    """Cross-entropy of the chosen answers given their prompts, nats a token, each answer's mean.

    Args:
        policy: Trained model; its mode is left as evaluation.
        pairs: Held-out pairs whose prompts leave room for an answer.
        max_length: Tokens of prompt and answer together.
    """
    policy.eval()
    rows = [((pair.prompt_ids + pair.chosen_ids)[:max_length], len(pair.prompt_ids)) for pair in pairs]
    totals = _log_probabilities(policy, rows)
    return [-total / max(1, len(ids) - prompt) for total, (ids, prompt) in zip(totals, rows, strict=True)]


def reward_margins(policy: Any, reference: Reference, pairs: Sequence[PairTokens], max_length: int) -> list[float]:
    """Implicit reward of the chosen answer minus that of the rejected one, divided by β, for each pair.

    Log-probabilities are summed over the answer's tokens in fp32 and taken against the reference. Policy and reference
    see the same batches, so that equal weights give a margin of exactly 0.

    Args:
        policy: Trained model; its mode is left as evaluation.
        reference: The model before training.
        pairs: Held-out pairs; tokens beyond ``max_length`` are cut off as in training.
        max_length: Tokens of prompt and answer together.

    Returns:
        Margins in nats, in the order of ``pairs``.
    """
    policy.eval()
    rows = [
        ((pair.prompt_ids + answer)[:max_length], len(pair.prompt_ids))
        for pair in pairs
        for answer in (pair.chosen_ids, pair.rejected_ids)
    ]
    after = _log_probabilities(policy, rows)
    with reference() as before_training:
        before = _log_probabilities(before_training, rows)
    gains = [new - old for new, old in zip(after, before, strict=True)]
    return [gains[index] - gains[index + 1] for index in range(0, len(gains), 2)]


@torch.no_grad()
def _log_probabilities(model: Any, rows: Sequence[tuple[list[int], int]]) -> list[float]:
    """Log-probability of each row's answer given its prompt, in nats; rows are token ids with the prompt's length."""
    device = next(model.parameters()).device
    found = [0.0] * len(rows)
    for batch in _batches(rows):
        width = max(len(rows[index][0]) for index in batch)
        ids = torch.zeros((len(batch), width), dtype=torch.long)
        mask, answer = torch.zeros_like(ids), torch.zeros_like(ids)
        for place, index in enumerate(batch):
            tokens, prompt = rows[index]
            ids[place, : len(tokens)] = torch.tensor(tokens)
            mask[place, : len(tokens)] = 1
            answer[place, prompt : len(tokens)] = 1
        ids, mask, answer = ids.to(device), mask.to(device), answer.to(device)
        logits = model(input_ids=ids, attention_mask=mask, use_cache=False).logits[:, :-1].float()
        picked = torch.gather(logits, 2, ids[:, 1:, None]).squeeze(2) - torch.logsumexp(logits, dim=2)
        for index, total in zip(batch, (picked * answer[:, 1:]).sum(dim=1).tolist(), strict=True):
            found[index] = total
    return found


def _batches(rows: Sequence[tuple[list[int], int]]) -> Iterator[list[int]]:
    """Indices of rows by length, the long ones first so that memory runs out at once or never."""
    batch: list[int] = []
    width = 0
    for index in sorted(range(len(rows)), key=lambda index: -len(rows[index][0])):
        width = max(width, len(rows[index][0]))
        if batch and width * (len(batch) + 1) > BATCH_TOKENS:
            yield batch
            batch, width = [], len(rows[index][0])
        batch.append(index)
    if batch:
        yield batch
