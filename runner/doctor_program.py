"""What the doctor says of the things that a program names: model, data, held-out rows."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from lanes.order import Source
from lanes.rows import Broken, Example, Prompt, exposed_keys, prompt_key, read_chats, read_pairs, read_prompts
from lanes.sources import DataError
from runner.findings import Finding
from runner.program import Program
from runner.settings import Evaluate

Row = TypeVar("Row")

READ_HERE = (".jsonl", ".ndjson", ".json", ".csv")
"""Files that are read without loading a library of data sets."""

FEW_PAIRS = 20
"""Held-out pairs below which a share of them is hardly a number."""


def examine_program(program: Program) -> Iterator[Finding]:
    """Look at everything that a program names; nothing is fetched."""
    yield _model(program)
    yield from _data(program)


def _model(program: Program) -> Finding:
    place = program.model.name
    folder = Path(place)
    if not folder.is_absolute():
        return _cached("model", place, "model")
    if not folder.is_dir():
        return Finding("model", "missing", f"{place} is no folder", "correct model in program.md")
    lacking = [name for name, patterns in _MODEL_FILES.items() if not any(map(list, map(folder.glob, patterns)))]
    if not lacking:
        return Finding("model", "ok", place)
    remedy = "save the model with save_pretrained, tokenizer included"
    return Finding("model", "missing", f"{place} has no {' and no '.join(lacking)}", remedy)


_MODEL_FILES = {
    "config.json": ("config.json",),
    "tokenizer": ("tokenizer.json", "tokenizer.model", "vocab.json"),
    "*.safetensors": ("*.safetensors",),
}


def _cached(name: str, place: str, kind: str) -> Finding:
    """Whether the hub's cache on this machine has it; the hub itself is not asked."""
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

    snapshots = Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=place, repo_type=kind) / "snapshots"
    if snapshots.is_dir() and any(snapshots.iterdir()):
        return Finding(name, "ok", f"{place}: in the hub's cache on this machine")
    remedy = "the first training fetches it; needs network"
    return Finding(name, "warn", f"{place}: from the Hugging Face hub, not on this machine yet", remedy)


def _data(program: Program) -> Iterator[Finding]:
    data = program.data
    held: set[str] = set()
    broken = Broken(sys.maxsize)
    pairs: list[Example] = []
    prompts: list[Prompt] = []
    if data.heldout.pairs is not None:
        finding, pairs = _read("held-out pairs", data.heldout.pairs, read_pairs, broken)
        held.update(prompt_key(pair.prompt) for pair in pairs)
        yield finding
    if data.heldout.locked is not None:
        finding, locked = _read("locked pairs", data.heldout.locked, read_pairs, broken)
        held.update(prompt_key(pair.prompt) for pair in locked)
        yield finding
    if data.heldout.prompts is not None:
        finding, prompts = _read("held-out prompts", data.heldout.prompts, read_prompts, broken)
        held.update(prompt_key(prompt.prompt) for prompt in prompts)
        yield finding
    read = read_pairs if program.method == "dpo" else read_chats
    overlaps = 0
    for name, source in data.sources.items():
        finding, examples = _read(f"data {name}", source, read, broken)
        overlaps += _overlaps(examples, held)
        yield finding
    yield from _sums(program, len(broken.lines), overlaps)
    if program.evaluate.judge == "votes":
        yield from _enough_prompts(program.evaluate, len(prompts))
    elif program.evaluate.judge != "command":
        yield from _enough_pairs(len(pairs))


def _enough_prompts(evaluate: Evaluate, prompts: int) -> Iterator[Finding]:
    """Whether the held-out prompts can give the votes that a verdict may need."""
    votes = prompts * evaluate.votes_per_prompt
    if not prompts or votes >= evaluate.max_votes:
        return
    each = "one vote" if evaluate.votes_per_prompt == 1 else f"{evaluate.votes_per_prompt} votes"
    what = f"{prompts} prompts with {each} on each give at most {votes} votes; "
    if votes < evaluate.min_votes:
        remedy = "add prompts to data.heldout.prompts, or lower evaluate.min_votes"
        yield Finding(
            "votes", "missing", f"{what}no verdict falls below evaluate.min_votes, {evaluate.min_votes}", remedy
        )
    else:
        remedy = "add prompts to data.heldout.prompts, or lower evaluate.max_votes: what they do not decide stays open"
        yield Finding("votes", "warn", f"{what}evaluate.max_votes is {evaluate.max_votes}", remedy)


def _enough_pairs(pairs: int) -> Iterator[Finding]:
    if 0 < pairs < FEW_PAIRS:
        what = f"{pairs} held-out pairs: one of them is {100 / pairs:.1f} points of val_pref_acc"
        yield Finding("pairs", "warn", what, "add pairs to data.heldout.pairs: what so few cannot tell is not kept")


def _sums(program: Program, broken: int, overlaps: int) -> Iterator[Finding]:
    limit = program.data.max_broken_rows
    if broken > limit:
        remedy = "correct the files, or raise data.max_broken_rows"
        yield Finding("broken rows", "missing", f"{broken}, and data.max_broken_rows is {limit}", remedy)
    what = f"{overlaps} training rows show a held-out prompt"
    if not overlaps:
        yield Finding("overlap", "ok", "no held-out prompt was found in the training rows that could be read")
    elif program.data.drop_heldout:
        yield Finding("overlap", "warn", f"{what}; they are left out")
    else:
        yield Finding("overlap", "missing", what, "take them out, or set data.drop_heldout: true")


def _read(
    name: str, source: Source, read: Callable[[Source, Broken], list[Row]], broken: Broken
) -> tuple[Finding, list[Row]]:
    """Read a source if it can be read at little cost; broken rows are counted and never end the reading."""
    place = Path(source.path)
    if not place.is_absolute():
        return _cached(name, source.path, "dataset"), []
    if place.is_dir() or (place.exists() and place.suffix.lower() not in READ_HERE):
        return Finding(name, "ok", f"{place} is there; its rows are checked by the training"), []
    before = len(broken.lines)
    try:
        rows = read(source, broken)
    except (DataError, OSError) as error:
        return Finding(name, "missing", str(error), "correct data in program.md, or the file"), []
    bad = broken.lines[before:]
    if not rows:
        return Finding(name, "missing", f"{place} has no row that can be used", bad[0] if bad else "fill it"), rows
    if bad:
        return Finding(name, "warn", f"{place}: {len(rows)} rows, {len(bad)} broken", f"first: {bad[0]}"), rows
    return Finding(name, "ok", f"{place}: {len(rows)} rows"), rows


def _overlaps(examples: Sequence[Example], held: set[str]) -> int:
    return sum(1 for example in examples if not held.isdisjoint(exposed_keys(example)))
