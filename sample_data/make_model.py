# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
"""How the sample model comes about: a tokenizer and a Llama of 0.9 million parameters, trained from scratch."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

os.environ["TOKENIZERS_PARALLELISM"] = "false"

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

Chat = list[dict[str, str]]

VOCABULARY = 850
STEPS = 450
BATCH = 32
PEAK_RATE = 3e-3
WARM_UP = 30
SPECIAL = ("<|pad|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>")
"""The trainer gives them the first ids, in this order."""

TEMPLATE = (
    "{% for message in messages %}{{ '<|' + message['role'] + '|>' }}"
    "{% if message['role'] == 'assistant' %}{% generation %}{{ message['content'] + '<|end|>' }}{% endgeneration %}"
    "{% else %}{{ message['content'] + '<|end|>' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


def build(chats: Sequence[Chat], folder: Path, steps: int = STEPS) -> None:
    """Train tokenizer and model on ``chats`` and save both to ``folder``, the weights as fp16 safetensors.

    One thread and fixed seeds: the same machine and versions give the same bytes again.
    """
    torch.set_num_threads(1)
    torch.manual_seed(7)
    tokenizer = _tokenizer(chats)
    model = LlamaForCausalLM(_config(len(tokenizer)))
    _train(model, [_encode(chat, tokenizer) for chat in chats], steps)
    tokenizer.save_pretrained(folder)
    model.half().save_pretrained(folder)


def _tokenizer(chats: Sequence[Chat]) -> PreTrainedTokenizerFast:
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=list(SPECIAL),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    bpe.train_from_iterator((message["content"] for chat in chats for message in chat), trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        pad_token="<|pad|>",
        eos_token="<|end|>",
        additional_special_tokens=list(SPECIAL[2:]),
        chat_template=TEMPLATE,
        model_max_length=256,
        padding_side="left",
    )


def _config(vocabulary: int) -> LlamaConfig:
    return LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=128,
        intermediate_size=352,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=256,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=SPECIAL.index("<|end|>"),
        pad_token_id=SPECIAL.index("<|pad|>"),
    )


def _encode(chat: Chat, tokenizer: PreTrainedTokenizerFast) -> tuple[list[int], int]:
    """Token ids of a chat, and how many of them are its prompt."""
    prompt: Any = tokenizer.apply_chat_template(chat[:-1], add_generation_prompt=True, tokenize=False)
    whole: Any = tokenizer.apply_chat_template(chat, tokenize=False)
    return tokenizer.encode(whole), len(tokenizer.encode(prompt))


def _train(model: LlamaForCausalLM, rows: Sequence[tuple[list[int], int]], steps: int) -> None:
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=PEAK_RATE, betas=(0.9, 0.98), weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, steps))
    for step, batch in zip(range(steps), _batches(rows), strict=False):
        loss = model(**batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        if step % 50 == 0 or step == steps - 1:
            print(f"step {step:4d}  loss {loss.item():.3f}", file=sys.stderr)
    model.eval()


def _rate(step: int, steps: int) -> float:
    return min(1.0, (step + 1) / WARM_UP) * (0.05 + 0.95 * (1 + math.cos(math.pi * step / steps)) / 2)


def _batches(rows: Sequence[tuple[list[int], int]]) -> Iterator[dict[str, torch.Tensor]]:
    """Endless batches of right-padded rows; those of about one length go together, which saves a third of the time."""
    random = Random(7)
    pool = BATCH * 8
    while True:
        order = list(rows)
        random.shuffle(order)
        for start in range(0, len(order) - pool + 1, pool):
            near = sorted(order[start : start + pool], key=lambda row: len(row[0]))
            batches = [near[first : first + BATCH] for first in range(0, pool, BATCH)]
            random.shuffle(batches)
            yield from map(_collate, batches)


def _collate(rows: Sequence[tuple[list[int], int]]) -> dict[str, torch.Tensor]:
    width = max(len(ids) for ids, _ in rows)
    input_ids = torch.zeros((len(rows), width), dtype=torch.long)
    labels = torch.full((len(rows), width), -100)
    mask = torch.zeros((len(rows), width), dtype=torch.long)
    for index, (ids, prompt) in enumerate(rows):
        input_ids[index, : len(ids)] = torch.tensor(ids)
        labels[index, prompt : len(ids)] = torch.tensor(ids[prompt:])
        mask[index, : len(ids)] = 1
    return {"input_ids": input_ids, "labels": labels, "attention_mask": mask}
