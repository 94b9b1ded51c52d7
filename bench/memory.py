"""How long the agent's memory is and how long it takes to build it, in runs of 10, 100 and 1,000 experiments.

    python -m bench.memory

The store is a real one, with notes, vetoes, open hypotheses, zoom-outs and refusals. Some seconds, and some more the
first time, when the run is made.
"""

from __future__ import annotations

import importlib.util
import os
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1])]

from bench.parts.figures import heading, said
from bench.parts.large_run import lay_down
from checkpoints import writes
from checkpoints.reader import DATABASE, Reader
from checkpoints.records import PERSON, Row, State
from checkpoints.store import Store
from runner.agent.memory import WHOLE, Memory, remember
from runner.program import FILE, Program

SIZES = (10, 100, 1000)
"""Experiments after the baseline."""

MOST_MS = 50.0
ROUNDS = 20

ROOT = Path(__file__).parents[1]

_BY_EXPERIMENT = (
    "answers", "championships", "events", "metrics", "stages", "standings", "touched", "verdicts", "votes",
)  # fmt: skip


def main() -> None:
    """Print the tables."""
    program = Program.read(ROOT / FILE)
    budget = program.agent.memory_tokens
    for size in SIZES:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            lay_down(folder)
            shorten(folder, size)
            embellish(folder, size)
            report(folder, program, size, budget)
    against_tokenizers(program)


def report(folder: Path, program: Program, size: int, budget: int) -> None:
    """Tokens and milliseconds of one run."""
    with closing(Reader(folder)) as read:
        rows = read.rows(recipes=False)
        memory = remember(read, program, rows)
        heading(f"{size:,} experiments")
        said("tokens", estimated(memory, whole=False), "{:,.0f}", at_most=budget)
        said("tokens, for a zoom-out", estimated(memory, whole=True), "{:,.0f}", at_most=budget * WHOLE)
        in_hand = best(lambda: remember(read, program, rows).text())
        said("ms from the store to the text, rows in hand as in the loop", in_hand, "{:.1f}", at_most=MOST_MS)
        said("ms for a zoom-out, likewise", best(lambda: remember(read, program, rows).text(whole=True)), "{:.1f}")
    said("ms with all rows read anew", best(lambda: from_scratch(folder, program)), "{:.1f}", at_most=MOST_MS)


def from_scratch(folder: Path, program: Program) -> str:
    """The text with nothing in hand but the program."""
    with closing(Reader(folder)) as read:
        rows: list[Row] = read.rows(recipes=False)
        return remember(read, program, rows).text()


def estimated(memory: Memory, whole: bool) -> int:
    return sum(section.tokens for section in memory.sections(whole))


def best(work: Callable[[], object]) -> float:
    """Milliseconds of processor time of the fastest of some rounds: what else the machine does stays out of it."""
    rounds: list[float] = []
    for _ in range(ROUNDS):
        begun = time.process_time()
        work()
        rounds.append(time.process_time() - begun)
    return 1000 * min(rounds)


def shorten(folder: Path, size: int) -> None:
    """Leave the first experiments of the large run."""
    with closing(sqlite3.connect(folder / DATABASE)) as db:
        for table in _BY_EXPERIMENT:
            db.execute(f"DELETE FROM {table} WHERE experiment > ?", [size])
        for table in ("hypotheses", "experiments"):
            db.execute(f"DELETE FROM {table} WHERE number > ?", [size])
        db.execute(
            "UPDATE experiments SET state = ?, note = 'it forgets names' WHERE state = ? AND number % 100 = 60",
            [State.VETOED, State.KEPT],
        )
        db.execute("UPDATE championships SET until = NULL WHERE id = (SELECT max(id) FROM championships)")
        db.commit()


def embellish(folder: Path, size: int) -> None:
    """What a long run has besides experiments: a person's words, what was refused, steps outside the frame."""
    with Store(folder) as store:
        for number in range(5):
            store.submit(writes.add_note, f"note {number}: answers stay below {100 + number} words").result()
        for number in range(size // 10):
            text = f"idea {number}: shorter answers of the traffic's best writers teach the tone"
            store.submit(writes.add_hypothesis, text, "data", None, PERSON if number % 4 == 0 else "zoom-out").result()
            change = {"change": {"field": "evaluate.alpha", "new": number}}
            store.submit(writes.add_refusal, "m", change, f"evaluate.alpha: outside the space ({number % 7})").result()
        for number in range(size // 20):
            text = "Nothing of the adapter was tried; " * 20
            store.submit(writes.add_zoom_out, "plateau", "", f"{text}{number}", ["adapter", "data"]).result()


def against_tokenizers(program: Program) -> None:
    """The estimate beside what tokenizers count that lie on this machine: of large models, and of the small one."""
    import tiktoken
    from tokenizers import Tokenizer

    found = importlib.util.find_spec("litellm")
    assert found and found.submodule_search_locations
    bundled = Path(found.submodule_search_locations[0]) / "litellm_core_utils" / "tokenizers"
    os.environ["TIKTOKEN_CACHE_DIR"] = str(bundled)
    anthropic = Tokenizer.from_file(str(bundled / "anthropic_tokenizer.json"))
    small = Tokenizer.from_file(str(ROOT / "sample_data" / "model" / "tokenizer.json"))
    counts: dict[str, Callable[[str], int]] = {
        "cl100k_base": lambda text: len(tiktoken.get_encoding("cl100k_base").encode(text, disallowed_special=())),
        "o200k_base": lambda text: len(tiktoken.get_encoding("o200k_base").encode(text, disallowed_special=())),
        "anthropic (2023)": lambda text: len(anthropic.encode(text).ids),
        "sample_data/model, 850 pieces": lambda text: len(small.encode(text).ids),
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lay_down(folder)
        shorten(folder, SIZES[-1])
        embellish(folder, SIZES[-1])
        with closing(Reader(folder)) as read:
            memory = remember(read, program, read.rows(recipes=False))
    heading(f"the estimate by what a tokenizer counts, {SIZES[-1]:,} experiments")
    for name, count in counts.items():
        said(name, estimated(memory, whole=False) / count(memory.text()), "{:.2f}")


if __name__ == "__main__":
    main()
