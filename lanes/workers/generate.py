# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
"""Answers of several models from one base: named adapters in one batch, each row drawn from a seed of its own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from transformers import (
    GenerationConfig,
    LogitsProcessor,
    LogitsProcessorList,
    PreTrainedTokenizerBase,
    StoppingCriteria,
    StoppingCriteriaList,
)

from checkpoints.records import REFERENCE
from lanes.workers.chat import Ask, Refused, Said, Unknown
from lanes.workers.encode import encode_chats
from lanes.workers.failures import InputError, one_line, out_of_memory
from lanes.workers.model import load_base

NO_ADAPTER = "__base__"
"""PEFT's name for the base model in a mixed batch."""

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
"""Names of models: PEFT makes module names of them, so no dots."""


@dataclass(frozen=True, slots=True)
class _Whole:
    """A model with weights of its own."""

    model: Any
    tokenizer: PreTrainedTokenizerBase


class Models:
    """One base model, held once, with the adapters that were loaded onto it; and models that share no base."""

    def __init__(
        self, name: str, revision: str | None, trust_remote_code: bool, device: torch.device, dtype: torch.dtype
    ) -> None:
        """Load the base model, which is served as ``REFERENCE``.

        Raises:
            InputError: the model is not there.
        """
        self._device, self._dtype = device, dtype
        model, tokenizer = load_base(name, revision, trust_remote_code, device, dtype)
        self._base = _Whole(_plain(model), tokenizer)
        self._peft: PeftModel | None = None
        self._wholes: dict[str, _Whole] = {}

    @property
    def names(self) -> list[str]:
        """What can be asked, the reference first."""
        adapters: list[str] = list(self._peft.peft_config) if self._peft else []
        return [REFERENCE, *adapters, *self._wholes]

    def load(self, name: str, folder: Path) -> None:
        """Serve the adapter, or the whole model, of a folder under a name.

        Raises:
            Refused: the name is taken or none, or the folder holds neither, or not for this base.
        """
        if not NAME.fullmatch(name) or name == NO_ADAPTER:
            raise Refused(f"{name!r} is no name for a model: use letters, digits, - and _, at most 64")
        if name in self.names:
            raise Refused(f"model {name!r} is loaded already: unload it first")
        if not folder.is_dir():
            raise Refused(f"{folder} is no folder on this machine")
        if (folder / "adapter_config.json").is_file():
            self._load_adapter(name, folder)
        else:
            self._load_whole(name, folder)

    def unload(self, name: str) -> None:
        """Forget a model and free its memory.

        Raises:
            Unknown: there is none of that name.
        Refused: it is the base.
        """
        if name == REFERENCE:
            raise Refused(f"{REFERENCE!r} is the base model, which stays")
        if name not in self.names:
            raise Unknown(f"model {name!r} is not loaded")
        if name in self._wholes:
            del self._wholes[name]
        elif self._peft is not None and len(self._peft.peft_config) > 1:
            self._peft.delete_adapter(name)
        elif self._peft is not None:
            engine: Any = self._peft
            self._base = _Whole(engine.unload(), self._base.tokenizer)
            self._peft = None
        if self._device.type == "cuda":
            torch.cuda.empty_cache()

    def answer(self, asks: Sequence[Ask]) -> list[Said | Refused]:
        """Answer all of them, those that share a base together; short of memory, in halves."""
        said: dict[int, Said | Refused] = {}
        for rows in self._by_weights(asks):
            said.update(zip(rows, self._answer_together([asks[row] for row in rows]), strict=True))
        return [said[row] for row in range(len(asks))]

    def _by_weights(self, asks: Sequence[Ask]) -> list[list[int]]:
        groups: dict[str, list[int]] = {}
        for row, ask in enumerate(asks):
            groups.setdefault(ask.model if ask.model in self._wholes else REFERENCE, []).append(row)
        return list(groups.values())

    def _answer_together(self, asks: Sequence[Ask]) -> list[Said | Refused]:
        whole = self._wholes.get(asks[0].model, self._base)
        found: list[list[int] | Refused] = [self._encoded(whole, ask) for ask in asks]
        good = [(ask, ids) for ask, ids in zip(asks, found, strict=True) if not isinstance(ids, Refused)]
        said = iter(self._generated(whole, good)) if good else iter(())
        return [ids if isinstance(ids, Refused) else next(said) for ids in found]

    def _encoded(self, whole: _Whole, ask: Ask) -> list[int] | Refused:
        if ask.model not in self.names:
            return Unknown(f"model {ask.model!r} is not loaded; there are: {', '.join(self.names)}")
        try:
            ids = encode_chats(whole.tokenizer, [ask.messages], add_generation_prompt=True)[0]
        except Exception as error:
            return Refused(f"the chat template does not take these messages ({one_line(str(error))})")
        room: int | None = getattr(whole.model.config, "max_position_embeddings", None)
        if room is not None and len(ids) + ask.max_tokens > room:
            return Refused(f"{len(ids)} tokens of prompt and {ask.max_tokens} of answer: the model takes {room} in all")
        return ids

    def _generated(self, whole: _Whole, rows: Sequence[tuple[Ask, list[int]]]) -> list[Said]:
        try:
            return self._generate(whole, rows)
        except Exception as error:
            if not out_of_memory(error) or len(rows) == 1:
                raise
        if self._device.type == "cuda":
            torch.cuda.empty_cache()
        half = len(rows) // 2
        return self._generated(whole, rows[:half]) + self._generated(whole, rows[half:])

    @torch.inference_mode()
    def _generate(self, whole: _Whole, rows: Sequence[tuple[Ask, list[int]]]) -> list[Said]:
        asks = [ask for ask, _ in rows]
        tokenizer: Any = whole.tokenizer
        width = max(len(ids) for _, ids in rows)
        pad: int = tokenizer.pad_token_id
        ids = torch.tensor([[pad] * (width - len(ids)) + ids for _, ids in rows], device=self._device)
        mask = torch.tensor([[0] * (width - len(ids)) + [1] * len(ids) for _, ids in rows], device=self._device)
        longest = max(ask.max_tokens for ask in asks)
        mixed = whole is self._base and self._peft is not None
        model: Any = self._peft if mixed else whole.model
        adapters = [NO_ADAPTER if ask.model == REFERENCE else ask.model for ask in asks]
        tokens = model.generate(
            input_ids=ids,
            attention_mask=mask,
            generation_config=GenerationConfig(do_sample=False, max_new_tokens=longest, pad_token_id=pad),
            logits_processor=LogitsProcessorList([_Draw(asks, longest, self._device)]),
            stopping_criteria=StoppingCriteriaList([_Ends(asks, width, self._device)]),
            **({"adapter_names": adapters} if mixed else {}),
        )[:, width:].tolist()
        ends = _end_tokens(whole)
        return [_said(tokenizer, ends, row, ids, ask) for (ask, ids), row in zip(rows, tokens, strict=True)]

    def _load_adapter(self, name: str, folder: Path) -> None:
        if not (folder / "adapter_model.safetensors").is_file():
            raise Refused(f"{folder} has no adapter_model.safetensors: save the adapter with safetensors")
        try:
            if self._peft is None:
                self._peft = PeftModel.from_pretrained(
                    self._base.model, str(folder), adapter_name=name, low_cpu_mem_usage=True
                ).eval()
            else:
                self._peft.load_adapter(
                    str(folder), adapter_name=name, low_cpu_mem_usage=True, torch_device=str(self._device)
                )
        except Exception as error:
            if self._peft is not None and name in self._peft.peft_config:
                self.unload(name)
            raise Refused(f"{folder} is no adapter for this base model ({one_line(str(error))})") from error

    def _load_whole(self, name: str, folder: Path) -> None:
        try:
            model, tokenizer = load_base(str(folder), None, False, self._device, self._dtype)
        except InputError as error:
            raise Refused(str(error)) from error
        self._wholes[name] = _Whole(_plain(model), tokenizer)


class _Draw(LogitsProcessor):
    """Takes each row's next token by its own temperature, top_p and random numbers, and leaves nothing to choose.

    The random numbers come from a CPU generator per row, so that they depend neither on the device nor on the
    neighbours.
    """

    def __init__(self, asks: Sequence[Ask], steps: int, device: torch.device) -> None:
        self._greedy = torch.tensor([ask.temperature == 0 for ask in asks], device=device)
        self._temperature = torch.tensor([[ask.temperature or 1.0] for ask in asks], device=device)
        self._top_p = torch.tensor([[ask.top_p] for ask in asks], device=device)
        self._cuts = any(ask.top_p < 1 for ask in asks)
        self._chances = torch.stack([_chances(ask, steps) for ask in asks]).to(device)
        self._step = 0

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        chosen: Any = torch.where(self._greedy, scores.argmax(-1), self._drawn(scores))
        self._step += 1
        only: Any = torch.full_like(scores, -torch.inf)
        return only.scatter_(1, chosen[:, None], 0.0)

    def _drawn(self, scores: torch.Tensor) -> torch.Tensor:
        shares = torch.softmax(scores.float() / self._temperature, -1)
        if self._cuts:
            ordered, order = shares.sort(-1, descending=True)
            ordered = ordered.masked_fill(ordered.cumsum(-1) - ordered >= self._top_p, 0.0)
            shares = torch.zeros_like(shares).scatter_(1, order, ordered)
        reached = shares.cumsum(-1)
        # A hair below the sum, so that rounding never lands behind the last token that has a share.
        aim = self._chances[:, self._step, None] * reached[:, -1:] * (1 - 1e-6)
        return torch.searchsorted(reached, aim, right=True).squeeze(1).clamp(max=scores.shape[1] - 1)


class _Ends(StoppingCriteria):
    """Ends each row at its own number of tokens."""

    def __init__(self, asks: Sequence[Ask], width: int, device: torch.device) -> None:
        self._lengths = torch.tensor([width + ask.max_tokens for ask in asks], device=device)

    def __call__(self, input_ids: Any, scores: Any, **kwargs: Any) -> Any:
        return self._lengths <= input_ids.shape[1]


def _chances(ask: Ask, steps: int) -> torch.Tensor:
    return torch.rand(steps, generator=torch.Generator().manual_seed(ask.seed))


def _said(tokenizer: Any, ends: frozenset[int], row: list[int], prompt: list[int], ask: Ask) -> Said:
    kept = row[: ask.max_tokens]
    end = next((place for place, token in enumerate(kept) if token in ends), None)
    text: str = tokenizer.decode(kept[:end], skip_special_tokens=True)
    used = len(kept) if end is None else end + 1
    return Said(text.strip(), len(prompt), used, "length" if end is None else "stop")


def _end_tokens(whole: _Whole) -> frozenset[int]:
    tokenizer: Any = whole.tokenizer
    own: Any = whole.model.generation_config.eos_token_id
    return frozenset({tokenizer.eos_token_id, *(own if isinstance(own, list) else [own])} - {None})


def _plain(model: Any) -> Any:
    """The model without sampling settings of its own: each request brings them."""
    settings = model.generation_config
    settings.do_sample, settings.temperature, settings.top_p, settings.top_k = False, None, None, None
    return model
