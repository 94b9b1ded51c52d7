# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
"""Held-out pairs scored under a policy: by the training that made it, or later from its folder."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Generator, Sequence
from typing import Any

import torch
from peft import PeftModel
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from lanes.order import PairScore, TrainOrder
from lanes.rows import Example
from lanes.workers.model import choose_device, load_base, weights_dtype
from lanes.workers.preference_accuracy import answer_losses, preference_losses, reward_margins
from lanes.workers.tokens import pair_tokens


def score(
    order: TrainOrder, policy: Any, tokenizer: PreTrainedTokenizerBase, pairs: Sequence[Example]
) -> tuple[PairScore, ...]:
    """Score each pair whose prompt leaves room for an answer.

    Length and β are those that the order names for all recipes of a run, so that no recipe scores better by being
    measured differently.

    Args:
        order: Of the policy's training.
        policy: What was trained, under its adapter where it has one.
        tokenizer: Of the model.
        pairs: Held-out.
    """
    training = order.recipe.training
    longest = order.score_length or training.max_length
    tokens = pair_tokens(tokenizer, pairs)
    fitting = [(pair, ids) for pair, ids in zip(pairs, tokens, strict=True) if len(ids.prompt_ids) < longest]
    if not fitting:
        return ()
    rows = [ids for _, ids in fitting]
    margins = reward_margins(policy, lambda: _reference(order, policy), rows, longest)
    if order.recipe.method == "dpo":
        losses = preference_losses(margins, order.loss_beta or training.beta)
    else:
        losses = answer_losses(policy, rows, longest)
    return tuple(
        PairScore(row=pair.key, margin=margin, loss=loss)
        for (pair, _), margin, loss in zip(fitting, margins, losses, strict=True)
    )


def trained(order: TrainOrder) -> tuple[Any, PreTrainedTokenizerBase]:
    """What a training has put into its output folder, ready to be scored, and its tokenizer."""
    torch.set_num_threads(order.threads)
    device = choose_device(order.device)
    dtype = weights_dtype(order.recipe.training.precision, order.recipe.lora.enabled, device)
    if order.recipe.lora.enabled:
        base, tokenizer = load_base(order.model, order.revision, order.trust_remote_code, device, dtype)
        return PeftModel.from_pretrained(base, str(order.output)).eval(), tokenizer
    return load_base(str(order.output), None, order.trust_remote_code, device, dtype)


def second_base(order: TrainOrder, device: torch.device) -> PreTrainedModel:
    """Another copy of the model before training, for what is trained whole."""
    dtype = weights_dtype(order.recipe.training.precision, False, device)
    return load_base(order.model, order.revision, order.trust_remote_code, device, dtype)[0]


@contextlib.contextmanager
def _reference(order: TrainOrder, policy: Any) -> Generator[Any]:
    """The model before training: the base without its adapter, or a second copy of what was trained whole."""
    if order.recipe.lora.enabled:
        with policy.disable_adapter():
            yield policy
        return
    gc.collect()
    yield second_base(order, next(policy.parameters()).device).eval()
