# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
"""Answers of several models from one base: named adapters in one batch, each row drawn from a seed of its own."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from transformers import (
    GenerationConfig,
    LogitsProcessorList,
    PreTrainedTokenizerBase,
    StoppingCriteriaList,
)

from checkpoints.records import REFERENCE
from lanes.troubles import Troubles
from lanes.workers.adapters import CONFIG, as_before_if_it_fails, check_adapter
from lanes.workers.chat import Ask, Refused, Unknown
from lanes.workers.draw import Draw
from lanes.workers.encode import encode_chats
from lanes.workers.failures import InputError, classify, one_line, out_of_memory
from lanes.workers.model import load_base
from lanes.workers.reply import Reply
from lanes.workers.rows import Listening, Row

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
        self.troubles = Troubles()
        """What did not go as it should, and how often."""

    @property
    def names(self) -> list[str]:
        """What can be asked, the reference first; from any thread."""
        engine = self._peft
        adapters: list[str] = list(engine.peft_config) if engine else []
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
        try:
            is_folder, is_adapter = folder.is_dir(), (folder / CONFIG).is_file()
        except OSError as error:
            raise Refused(f"{folder} cannot be read ({error.strerror}): name a folder that can") from error
        if not is_folder:
            raise Refused(f"{folder} is no folder on this machine")
        if is_adapter:
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

    def begin(self, reply: Reply) -> Row | None:
        """The row of an answer; None where the reply was told why there is none, or nobody waits for it."""
        if not reply.begin():
            return None
        ask = reply.ask
        whole = self._wholes.get(ask.model, self._base)
        try:
            return Row(reply, self._encoded(whole, ask), whole.tokenizer, _end_tokens(whole))
        except Exception as error:
            reply.fail(error)
            return None

    def together(self, rows: Sequence[Row]) -> list[list[Row]]:
        """The rows in groups that share their weights, so that each can be gone on with in one batch."""
        groups: dict[str, list[Row]] = {}
        for row in rows:
            groups.setdefault(row.ask.model if row.ask.model in self._wholes else REFERENCE, []).append(row)
        return list(groups.values())

    def go_on(self, rows: Sequence[Row], pause: Callable[[], bool]) -> None:
        """Go on with rows that share their weights; what fails together is tried in parts.

        So one model's failure is not another's, and what is too much for the memory is done in halves.

        Args:
            rows: Answers under way; the model of each is loaded.
            pause: Whether to stop before they are over; asked after a token, where stopping costs little.
        """
        try:
            self._generate(rows, pause)
            return
        except Exception as error:
            parts = _halves(rows) if out_of_memory(error) else _by_model(rows)
            if len(parts) < 2:
                for row in rows:
                    row.fail(error)
                return
            self.troubles.add(_in_parts(error))
        if self._device.type == "cuda":
            torch.cuda.empty_cache()
        for part in parts:
            self.go_on(part, pause)

    def _encoded(self, whole: _Whole, ask: Ask) -> list[int]:
        if ask.model not in self.names:
            raise Unknown(f"model {ask.model!r} is not loaded; there are: {', '.join(self.names)}")
        try:
            ids = encode_chats(whole.tokenizer, [ask.messages], add_generation_prompt=True)[0]
        except Exception as error:
            raise Refused(f"the chat template does not take these messages ({one_line(str(error))})") from error
        room: int | None = getattr(whole.model.config, "max_position_embeddings", None)
        if room is not None and len(ids) + ask.max_tokens > room:
            raise Refused(f"{len(ids)} tokens of prompt and {ask.max_tokens} of answer: the model takes {room} in all")
        return ids

    @torch.inference_mode()
    def _generate(self, rows: Sequence[Row], pause: Callable[[], bool]) -> None:
        asks = [row.ask for row in rows]
        whole = self._wholes.get(asks[0].model, self._base)
        tokenizer: Any = whole.tokenizer
        known = [row.ids for row in rows]
        width = max(map(len, known))
        pad: int = tokenizer.pad_token_id
        ids = torch.tensor([[pad] * (width - len(each)) + each for each in known], device=self._device)
        mask = torch.tensor([[0] * (width - len(each)) + [1] * len(each) for each in known], device=self._device)
        mixed = whole is self._base and self._peft is not None
        model: Any = self._peft if mixed else whole.model
        adapters = [NO_ADAPTER if ask.model == REFERENCE else ask.model for ask in asks]
        draw = Draw(asks, [row.chances for row in rows], self._device)
        model.generate(
            input_ids=ids,
            attention_mask=mask,
            generation_config=GenerationConfig(
                do_sample=False, max_new_tokens=max(row.left for row in rows), pad_token_id=pad
            ),
            logits_processor=LogitsProcessorList([draw]),
            stopping_criteria=StoppingCriteriaList([Listening(rows, draw, pause)]),
            **({"adapter_names": adapters} if mixed else {}),
        )

    def _load_adapter(self, name: str, folder: Path) -> None:
        check_adapter(folder)
        shared: Any = self._peft or self._base.model
        try:
            with as_before_if_it_fails(shared):
                self._take_in(name, folder)
        except Exception as error:
            raise Refused(f"{folder} is no adapter for this base model ({one_line(str(error))})") from error

    def _take_in(self, name: str, folder: Path) -> None:
        if self._peft is None:
            self._peft = PeftModel.from_pretrained(
                self._base.model, str(folder), adapter_name=name, low_cpu_mem_usage=True
            ).eval()
        else:
            self._peft.load_adapter(
                str(folder), adapter_name=name, low_cpu_mem_usage=True, torch_device=str(self._device)
            )

    def _load_whole(self, name: str, folder: Path) -> None:
        try:
            model, tokenizer = load_base(str(folder), None, False, self._device, self._dtype)
        except InputError as error:
            raise Refused(str(error)) from error
        self._wholes[name] = _Whole(_plain(model), tokenizer)


def _in_parts(error: Exception) -> str:
    """For a person: what could not be done together, what is done instead, and what to change."""
    if out_of_memory(error):
        return "memory lacked for so many answers at once, and fewer were given: lower deployment.max_new_tokens"
    return f"answers failed together, and each model was asked alone: {classify(error)[1]}"


def _halves(rows: Sequence[Row]) -> list[list[Row]]:
    """Those that are not over, in two parts; in one where there is but one."""
    going = [row for row in rows if not row.over]
    half = len(going) // 2
    return [part for part in (going[:half], going[half:]) if part]


def _by_model(rows: Sequence[Row]) -> list[list[Row]]:
    parts: dict[str, list[Row]] = {}
    for row in rows:
        if not row.over:
            parts.setdefault(row.ask.model, []).append(row)
    return list(parts.values())


def _end_tokens(whole: _Whole) -> frozenset[int]:
    tokenizer: Any = whole.tokenizer
    own: Any = whole.model.generation_config.eos_token_id
    return frozenset({tokenizer.eos_token_id, *(own if isinstance(own, list) else [own])} - {None})


def _plain(model: Any) -> Any:
    """The model without sampling settings of its own: each request brings them."""
    settings = model.generation_config
    settings.do_sample, settings.temperature, settings.top_p, settings.top_k = False, None, None, None
    return model
