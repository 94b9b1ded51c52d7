# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
"""Chats to token ids: the template's control tokens work, the same strings in somebody's text are ordinary pieces."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from transformers import PreTrainedTokenizerBase

Turn: TypeAlias = Mapping[str, str]
"""A message with ``role`` and ``content``."""


def encode_chats(
    tokenizer: PreTrainedTokenizerBase, chats: Sequence[Sequence[Turn]], add_generation_prompt: bool
) -> list[list[int]]:
    """Token ids of each chat under the tokenizer's template, or of its plain text where the tokenizer has none.

    Rows without any control-token string in them are rendered and encoded in one batch, which is what
    ``apply_chat_template`` does to them one by one; the others go through Transformers' own sanitising.

    Args:
        chats: Messages, oldest first.
        add_generation_prompt: Whether the ids end where the assistant's answer begins.
    """
    if not chats:
        return []
    engine: Any = tokenizer
    if engine.chat_template is None:
        return _encode_plain(engine, chats, add_generation_prompt)
    control = _control_strings(engine.added_tokens_decoder.values())
    clean = [index for index, chat in enumerate(chats) if not _has_control(chat, control)]
    texts = engine.apply_chat_template(
        [list(chats[index]) for index in clean], tokenize=False, add_generation_prompt=add_generation_prompt
    ) if clean else []  # fmt: skip
    encoded = engine(texts, add_special_tokens=False)["input_ids"] if texts else []
    ids: dict[int, list[int]] = dict(zip(clean, encoded, strict=True))
    for index in set(range(len(chats))) - set(clean):
        ids[index] = engine.apply_chat_template(
            list(chats[index]),
            tokenize=True,
            return_dict=False,
            add_generation_prompt=add_generation_prompt,
            sanitize_control_tokens=True,
        )
    return [ids[index] for index in range(len(chats))]


def common_prefix(ids: Sequence[int], others: Sequence[int]) -> int:
    """Number of leading tokens that two encodings share."""
    length = 0
    for one, other in zip(ids, others, strict=False):
        if one != other:
            break
        length += 1
    return length


def _control_strings(added: Iterable[Any]) -> re.Pattern[str]:
    strings = sorted({token.content for token in added if token.content.strip()}, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, strings)) or r"(?!)")


def _has_control(chat: Sequence[Turn], control: re.Pattern[str]) -> bool:
    return any(control.search(turn["content"]) for turn in chat)


def _encode_plain(engine: Any, chats: Sequence[Sequence[Turn]], open_end: bool) -> list[list[int]]:
    """Contents line by line; the end-of-text token closes every answer of the assistant."""
    return [_plain_ids(engine, chat, open_end) for chat in chats]


def _plain_ids(engine: Any, chat: Sequence[Turn], open_end: bool) -> list[int]:
    ids = [engine.bos_token_id] if engine.bos_token_id is not None else []
    for index, turn in enumerate(chat):
        last = index == len(chat) - 1
        text = turn["content"] + ("\n" if open_end or not last else "")
        ids += engine.encode(text, add_special_tokens=False, split_special_tokens=True)
        if turn["role"] == "assistant" and engine.eos_token_id is not None:
            ids.append(engine.eos_token_id)
    return ids
