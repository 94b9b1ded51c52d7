"""Make everything in sample_data again: ``python sample_data/make.py``. Fixed seeds, so the files come out the same."""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import make_text
from make_text import Row

HERE = Path(__file__).resolve().parent
PAIRS = 400
CHATS = 300
HELDOUT_PAIRS = 120
HELDOUT_PROMPTS = 800
BASE_CHATS = 6000
"""Rows that only the base model sees; they are not kept."""


class HeldOutLeak(Exception):
    """A held-out prompt stands in a training file."""


def main() -> None:
    """Write the texts, check them, train the model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--into", type=Path, default=HERE, help="folder to write to (default: this one)")
    parser.add_argument("--text-only", action="store_true", help="leave the model alone")
    options = parser.parse_args()
    files = texts()
    base = rows(make_text.noisy_chats, "base", BASE_CHATS)
    check_heldout(files, base)
    for path, lines in files.items():
        write(options.into / path, lines)
    if not options.text_only:
        from make_model import build

        build([row["messages"] for row in base], options.into / "model")


def texts() -> dict[str, list[Row]]:
    """Every text file by its path, as rows."""
    return {
        "pairs/expert.jsonl": rows(make_text.expert_pairs, "pairs/expert", PAIRS),
        "pairs/traffic.jsonl": rows(make_text.traffic_pairs, "pairs/traffic", PAIRS),
        "pairs/noisy.jsonl": rows(make_text.noisy_pairs, "pairs/noisy", PAIRS),
        "chats/expert.jsonl": rows(make_text.expert_chats, "chats/expert", CHATS),
        "chats/traffic.jsonl": rows(make_text.traffic_chats, "chats/traffic", CHATS),
        "chats/noisy.jsonl": rows(make_text.noisy_chats, "chats/noisy", CHATS),
        "heldout/pairs.jsonl": rows(make_text.heldout_pairs, "heldout/pairs", HELDOUT_PAIRS),
        "heldout/prompts.jsonl": rows(make_text.heldout_prompts, "heldout/prompts", HELDOUT_PROMPTS),
    }


def rows(source: Callable[[Random], Iterator[Row]], seed: str, count: int) -> list[Row]:
    """The first ``count`` rows of a source; its seed is its name, so that one file's size moves no other file."""
    return list(itertools.islice(source(Random(seed)), count))


def check_heldout(files: dict[str, list[Row]], base: list[Row]) -> None:
    """Raise HeldOutLeak where a training row has a prompt that is held out."""
    heldout = {_question(row) for path, lines in files.items() if path.startswith("heldout/") for row in lines}
    training = {path: lines for path, lines in files.items() if not path.startswith("heldout/")} | {"model": base}
    for path, lines in training.items():
        if leaked := heldout & {_question(row) for row in lines}:
            raise HeldOutLeak(f"{path}: {len(leaked)} prompts are held out, for example {min(leaked)!r}")


def write(path: Path, lines: list[Row]) -> None:
    """One JSON object a line, UTF-8."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in lines), encoding="utf-8")


def _question(row: Row) -> str:
    messages = row["prompt"] if "prompt" in row else row["messages"]
    return " ".join(messages[0]["content"].lower().split())


if __name__ == "__main__":
    main()
