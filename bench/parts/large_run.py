"""A run of 10,000 experiments and 1,000,000 metric rows: written once, straight into the tables, then copied.

The copy that is kept lies in the system's folder for temporary files, under a name made of this file and the schema.
"""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from checkpoints import schema, writes
from checkpoints.reader import DATABASE
from checkpoints.records import REFERENCE, model_name
from checkpoints.store import Store

EXPERIMENTS, ROWS_EACH = 10_000, 100

STARTED_AT, SECONDS_EACH = 1_780_000_000.0, 300.0
"""When the run began, and how long an experiment took."""

WITH_VOTES = 40
"""The last experiments, of which votes and answers are there too: what a page shows of one, not of all."""

_FIELDS = (
    ("training.beta", "loss", "a looser hold on the reference lets the preference show"),
    ("training.learning_rate", "optimiser", "the training has not converged after one epoch"),
    ("data.mix.b", "data", "expert answers are shorter and to the point, people will prefer them"),
    ("lora.r", "adapter", "rank 16 is too small for the change of style"),
)


def lay_down(folder: Path) -> None:
    """Put a fresh copy of the run into a folder."""
    kept = Path(tempfile.gettempdir()) / f"autoresearch-tui-large-run-{_version()}.db"
    if not kept.exists():
        _make(kept)
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(kept, folder / DATABASE)


def champion() -> int:
    """Who reigns at its end."""
    return max(number for number in range(EXPERIMENTS) if _fate(number) == "kept")


def _version() -> str:
    source = Path(__file__).read_bytes() + Path(schema.__file__).read_bytes()
    return hashlib.sha256(source).hexdigest()[:12]


def _make(kept: Path) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with Store(folder) as store:
            store.submit(writes.create_run, "large", "answers that people prefer", EXPERIMENTS + 500, 7).result()
            store.submit(writes.read_program, "# large", "0" * 64, "").result()
        with closing(sqlite3.connect(folder / DATABASE)) as connection:
            connection.execute("PRAGMA synchronous = OFF")
            _fill(connection)
            connection.commit()
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        shutil.move(folder / DATABASE, kept)


def _fill(db: sqlite3.Connection) -> None:
    for table, rows in (
        ("experiments (number, state, hypothesis, category, change, change_hash, proposer, recipe, parent, opponent,"
         " proposed_at, ended_at)", _experiments()),
        ('stages (experiment, lane, attempt, state, "order", result, started_at, finished_at, seconds)', _stages()),
        ("verdicts (experiment, outcome, wins, losses, ties, win_rate, anytime, shrunken, reference, reason,"
         " decided_at)", _verdicts()),
        ("championships (experiment, since, until, reason)", _reigns()),
        ("standings (model, experiment, votes, elo, reference)", _standings()),
        ("hypotheses (text, category, status, experiments)", _hypotheses()),
        ("events (at, level, kind, experiment, text)", _events()),
        ("answers (experiment, prompt, model, text)", _answers()),
        ("votes (key, experiment, voter, prompt, model_a, model_b, choice, simulated, at)", _votes()),
        ('metrics (experiment, phase, step, "values")', _metrics()),
    ):  # fmt: skip
        first = next(rows)
        marks = ", ".join("?" * len(first))
        db.execute(f"INSERT INTO {table} VALUES ({marks})", first)
        db.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)


Rows = Iterator[tuple[Any, ...]]


def _fate(number: int) -> str:
    if number % 20 == 0:
        return "kept"
    return "crashed" if number % 17 == 5 else "inconclusive" if number % 9 == 4 else "discarded"


def _outcome(number: int) -> str:
    return {"kept": "keep", "crashed": "crash", "inconclusive": "inconclusive", "discarded": "discard"}[_fate(number)]


def _parent(number: int) -> int | None:
    return None if number == 0 else (number - 1) // 20 * 20


def _at(number: int) -> float:
    return STARTED_AT + SECONDS_EACH * number


def _experiments() -> Rows:
    from lanes.recipe import Recipe

    recipe = Recipe.model_validate({"method": "dpo", "data": {"mix": {"a": 1, "b": 1}}}).model_dump_json()
    for number in range(EXPERIMENTS):
        field, category, hypothesis = _FIELDS[number % len(_FIELDS)]
        change = json.dumps({"field": field, "old": 0.1, "new": number}) if number else None
        yield (
            number, _fate(number), f"{hypothesis} ({number})", category, change, f"hash-{number}" if number else "",
            "playbook", recipe.replace('"beta":0.1', f'"beta":{number / EXPERIMENTS}'), _parent(number),
            _parent(number), _at(number), _at(number) + SECONDS_EACH,
        )  # fmt: skip


def _stages() -> Rows:
    drawn = random.Random(7)
    for number in range(EXPERIMENTS):
        crashed = _fate(number) == "crashed"
        for lane in ("train",) if crashed else ("train", "upload", "evaluate", "analyze"):
            results = {"train": {"final_loss": round(drawn.gauss(1.15, 0.05), 4)}, "evaluate": {"judge": "votes"}}
            result = "{}" if crashed else json.dumps(results.get(lane, {}))
            state = "failed" if crashed else "done"
            yield number, lane, 1, state, "{}", result, _at(number), _at(number) + 60, round(drawn.uniform(20, 90), 1)


def _rate(drawn: random.Random, number: int) -> float:
    """Win rate against the reference: the champions get better, slower and slower."""
    best = 0.53 + 0.14 * (1 - 2 ** (-3 * number / EXPERIMENTS))
    return best if _fate(number) == "kept" else best - drawn.uniform(0.005, 0.06)


def _verdicts() -> Rows:
    drawn = random.Random(8)
    for number in range(EXPERIMENTS):
        if _fate(number) == "crashed":
            yield number, "crash", 0, 0, 0, None, None, None, None, "out of memory twice, also with half", _at(number)
            continue
        wins, rate = drawn.randint(35, 75), _rate(drawn, number)
        share, outcome = wins / 110, _outcome(number)
        reason = f"{wins} of 110 decisive votes against champion #{_parent(number)}, {100 * share:.1f} %: {outcome}"
        yield (
            number, outcome, wins, 110 - wins, 10, _interval(share, 0.09), _interval(share, 0.12), share - 0.02,
            _interval(rate, 0.034), reason, _at(number) + SECONDS_EACH,
        )  # fmt: skip


def _interval(middle: float, half: float) -> str:
    return f"[{middle:.4f},{middle - half:.4f},{middle + half:.4f}]"


def _reigns() -> Rows:
    for number in range(0, EXPERIMENTS, 20):
        until = None if number + 20 >= EXPERIMENTS else _at(number + 21)
        yield number, _at(number + 1), until, "better"


def _standings() -> Rows:
    drawn = random.Random(8)
    for number in range(EXPERIMENTS):
        rate = _rate(drawn, number)
        if _fate(number) != "crashed":
            yield model_name(number), number, 120, 1000 + 700 * (rate - 0.5), _interval(rate, 0.03)


def _hypotheses() -> Rows:
    status = {"kept": "supported", "discarded": "refuted"}
    for number in range(1, EXPERIMENTS):
        _, category, hypothesis = _FIELDS[number % len(_FIELDS)]
        yield f"{hypothesis} ({number})", category, status.get(_fate(number), "open"), f"[{number}]"


def _events() -> Rows:
    for number in range(EXPERIMENTS):
        for kind in ("proposal", "train", "upload", "evaluate", "verdict"):
            yield _at(number), "good" if _fate(number) == "kept" else "info", kind, number, f"a line about its {kind}"


def _answers() -> Rows:
    for number in range(EXPERIMENTS - WITH_VOTES, EXPERIMENTS):
        for place in range(60):
            prompt = f"prompt-{place:03d}"
            yield (
                number,
                prompt,
                model_name(number),
                "Hello Ana, the library opens at nine. 漢字 and emoji 🙂 are fine.",
            )
            yield number, prompt, _rival(number), "Thank you for your question! The library opens at nine o'clock."


def _votes() -> Rows:
    drawn = random.Random(9)
    for number in range(EXPERIMENTS - WITH_VOTES, EXPERIMENTS):
        for place in range(120):
            choice = drawn.choice(("a", "a", "b", "b", "tie"))
            yield (
                f"{number}/{place}", number, f"voter-{place // 10:02d}", f"prompt-{place % 60:03d}", model_name(number),
                _rival(number), choice, 1, _at(number) + place,
            )  # fmt: skip


def _rival(number: int) -> str:
    parent = _parent(number)
    return REFERENCE if parent is None else model_name(parent)


def _metrics() -> Rows:
    drawn = random.Random(10)
    for number in range(EXPERIMENTS):
        for step in range(1, ROWS_EACH + 1):
            loss = 1.1 + 1.4 * 2 ** (-0.05 * step) + drawn.uniform(-0.06, 0.06)
            yield (
                number, "train", step,
                f'{{"loss":{loss:.4f},"grad_norm":1.234,"learning_rate":0.0012,"rewards/accuracies":0.75}}',
            )  # fmt: skip
