"""Examples to what the trainers take: token ids, and which of them carry loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from transformers import PreTrainedTokenizerBase

from lanes.rows import Conversation, Example
from lanes.workers.encode import common_prefix, encode_chats

IGNORED = -100
"""Label of a token without loss."""


@dataclass(frozen=True, slots=True)
class PairTokens:
    """A preference pair as token ids; the answers go on where the prompt ends."""

    prompt_ids: list[int]
    chosen_ids: list[int]
    rejected_ids: list[int]


@dataclass(frozen=True, slots=True)
class ChatTokens:
    """A chat as token ids with labels."""

    input_ids: list[int]
    labels: list[int]


def pair_tokens(tokenizer: PreTrainedTokenizerBase, pairs: Sequence[Example]) -> list[PairTokens]:
    """Tokenise as TRL's ``DPOTrainer`` does: answers start where prompt and conversation diverge."""
    prompts = encode_chats(tokenizer, [pair.prompt for pair in pairs], add_generation_prompt=True)
    chosen = encode_chats(tokenizer, [pair.prompt + pair.answer for pair in pairs], add_generation_prompt=False)
    other = encode_chats(
        tokenizer, [pair.prompt + (pair.rejected or ()) for pair in pairs], add_generation_prompt=False
    )
    rows: list[PairTokens] = []
    for prompt, one, two in zip(prompts, chosen, other, strict=True):
        end = min(common_prefix(prompt, one), common_prefix(prompt, two))
        rows.append(PairTokens(prompt[:end], one[end:], two[end:]))
    return rows


def chat_tokens(tokenizer: PreTrainedTokenizerBase, chats: Sequence[Example], max_length: int) -> list[ChatTokens]:
    """Tokenise chats so that only what the assistant says carries loss, at most ``max_length`` tokens each.

    A turn starts where its conversation diverges from what came before it, as in TRL. Where a template gives no turn
    away like this, all tokens carry loss.
    """
    wholes = encode_chats(tokenizer, [chat.prompt + chat.answer for chat in chats], add_generation_prompt=False)
    spans = [_assistant_spans(chat.prompt + chat.answer) for chat in chats]
    starts = encode_chats(tokenizer, [start for row in spans for start, _ in row], add_generation_prompt=True)
    ends = encode_chats(tokenizer, [end for row in spans for _, end in row], add_generation_prompt=False)
    bounds = iter(zip(starts, ends, strict=True))
    rows: list[ChatTokens] = []
    for whole, row in zip(wholes, spans, strict=True):
        labels = _labels(whole, [next(bounds) for _ in row])
        rows.append(ChatTokens(whole[:max_length], labels[:max_length]))
    return rows


def _assistant_spans(turns: Conversation) -> list[tuple[Conversation, Conversation]]:
    """For each turn of the assistant that follows something: the conversation before it, and up to its end."""
    answers = [index for index, turn in enumerate(turns) if turn["role"] == "assistant" and index > 0]
    return [(turns[:index], turns[: index + 1]) for index in answers]


def _labels(whole: list[int], bounds: Sequence[tuple[list[int], list[int]]]) -> list[int]:
    labels = [IGNORED] * len(whole)
    for start, end in bounds:
        first, last = common_prefix(start, whole), common_prefix(end, whole)
        labels[first:last] = whole[first:last]
    if all(label == IGNORED for label in labels):
        return list(whole)
    return labels
