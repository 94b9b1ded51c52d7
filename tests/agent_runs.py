"""Believable runs in which a language model proposes, a metric judges, or a script is edited; see ``runs``."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from runs import Story, write_run

from checkpoints import writes
from checkpoints.measurements import HeldRows, Measurement, Role
from checkpoints.records import Change, Expected, Interval, Lane, Level, Outcome, Proposal, Step, Verdict
from checkpoints.store import Store
from checkpoints.thought import Exchange, Idea, Purpose

if TYPE_CHECKING:
    from sqlite_utils import Database

MODEL = "openai/gpt-test"

INSTEAD = 4
"""The experiment that the playbook proposed in the place of the model."""

REPAIRED = 5
"""The experiment whose proposal was refused once."""


def write_agent_run(folder: Path, experiments: int = 12, *, live: bool = True) -> None:
    """A run in which a language model proposes; a person has written notes and asked it something."""
    write_run(folder, experiments, live=live, story=AgentStory)
    with Store(folder) as store:
        store.submit(_conversation).result()


class AgentStory(Story):
    """The same run, proposed by a language model."""

    def begin(self, db: Database, experiments: int) -> None:
        """By the demo's own program, which can be read again."""
        super().begin(db, experiments)
        writes.read_program(db, (Path(__file__).parents[1] / "program.md").read_text(encoding="utf-8"), "1" * 64, "")

    def propose(self, db: Database, number: int) -> None:
        """Asked, mended once where it was refused, and the playbook where no answer came."""
        if number == 0:
            super().propose(db, number)
            return
        asked = [_exchange(db, number, Purpose.PROPOSE, "rate limit: 429, tried 5 times" if number == INSTEAD else "")]
        if number == REPAIRED:
            writes.add_refusal(
                db, MODEL, {"hypothesis": "both at once", "changes": [{"field": "lora.r"}, {"field": "training.beta"}]},
                "two changes, lora.r and training.beta: propose one", asked[0],
            )  # fmt: skip
            asked.append(_exchange(db, number, Purpose.REPAIR))
        super().propose(db, number)
        writes.led_to(db, asked, number)
        if number == INSTEAD:
            writes.event(db, Level.WARNING, "proposal", "the playbook stepped in: rate limit, 429", number)
            return
        db.execute(
            "UPDATE experiments SET proposer = ?, expected = ?, rests_on = ? WHERE number = ?",
            [
                MODEL, '{"effect": 0.03, "refuted_by": "no more than 51 % against its opponent"}',
                f"[{number - 1}]" if number > 1 else "[]", number,
            ],
        )  # fmt: skip

    def veto_the_last_keep_but_one(self, db: Database) -> None:
        """And stock is taken with directions."""
        super().veto_the_last_keep_but_one(db)
        directions = ["drop pairs whose answers differ only in length", "weigh expert rows by their margin"]
        writes.add_zoom_out(db, "plateau", "", "Data was hardly touched; knobs are worn out.", ["data"], directions)


def _exchange(db: Database, number: int, purpose: Purpose, error: str = "") -> int:
    request = f"system: You improve answers.\n\nuser: Champion #{number - 1}. Propose one change."
    answer = "" if error else '{"hypothesis": "rank 16 is too small", "change": {"field": "lora.r", "new": 32}}'
    usd = None if number % 4 == 0 else 0.0021
    return writes.add_exchange(
        db,
        Exchange(0, time.time(), purpose, MODEL, "json_schema", None, request, answer, error, 1800, 140, usd, 4.2),
    )


def _conversation(db: Database) -> None:
    writes.add_note(db, "Never train on rows with names of customers.")
    writes.add_note(db, "Short answers matter more than polite ones.")
    writes.acknowledge(
        db, writes.intervene(db, Step.ASK, None, "", {"text": "Why did warmup not help?"}), "answered", {}
    )
    writes.add_message(db, "person", "Why did warmup not help?")
    ideas = [Idea("a longer warmup only helps with more steps", "schedule"), Idea("fewer, cleaner pairs", "data")]
    writes.add_message(db, "agent", "With 40 steps there is little to warm up.\n\nThe data decides more.", ideas)
    writes.intervene(db, Step.ASK, None, "", {"text": "And what about beta?"})
    writes.speak(db, Purpose.ASK, "Beta holds the policy to the reference; at 0.05 it drifted", time.time())


METRIC = "val_bpb"


def write_metric_run(folder: Path, experiments: int = 8, *, script: bool = False) -> None:
    """A run judged by a number that a command prints, less is better, each kept over fresh seeds.

    Args:
        folder: Run folder; made if absent.
        experiments: After the baseline.
        script: Whether a change is an edit of a file.
    """
    with Store(folder) as store:
        store.submit(writes.create_run, "metric", "a lower val_bpb", max(20, experiments), 7).result()
        store.submit(writes.read_program, "# metric", "0" * 64, "").result()
        for number in range(experiments + 1):
            store.submit(_measured, number, script).result()


def _measured(db: Database, number: int, script: bool) -> None:
    champion, kept = 3 * ((number - 1) // 3), number % 3 == 0
    value = 0.998 - 0.004 * (number // 3) + (0.0 if kept else 0.003)
    proposal = Proposal("the program's own recipe", "baseline", None, "program")
    if number:
        edits = {"edits": [{"search": "DEPTH = 8", "replace": f"DEPTH = {8 + number}"}]}
        change = (
            Change("train.py", "1f3a9c", edits)
            if script
            else Change("training.beta", 0.1, round(0.1 + number / 100, 3))
        )
        expected = Expected(0.004, "no better than the champion's noise")
        proposal = Proposal("a deeper model learns more in 5 minutes", "capacity", change, MODEL, expected=expected)
    writes.put_forward(db, proposal, f"metric-{number}")
    parent = champion if number else None
    writes.start_stage(db, number, Lane.TRAIN, {}, recipe={"beta": number}, parent=parent)
    writes.finish_stage(db, number, Lane.TRAIN, 1, {"final_loss": value}, 300.0, "" if number else "the baseline")
    writes.start_stage(db, number, Lane.UPLOAD, {})
    writes.finish_stage(db, number, Lane.UPLOAD, 1, {}, 0.1)
    writes.start_stage(db, number, Lane.EVALUATE, {}, opponent=parent)
    seeds = range(5 if number == 0 else 4 if kept else 1)
    roles = [Role.FRESH if number == 0 or seed else Role.SCREEN for seed in seeds]
    measured = [
        Measurement(number, seed, role, HeldRows.OPEN, value + 0.0004 * (seed % 3 - 1), 0.0005, "", number, time.time())
        for seed, role in zip(seeds, roles, strict=True)
    ]
    if kept:
        locked = Measurement(number, 0, Role.FRESH, HeldRows.LOCKED, value + 0.001, 0.0005, "", number, time.time())
        measured.append(locked)
    writes.add_measurements(db, measured)
    judged = {"judge": METRIC, "direction": "min"}
    writes.finish_stage(db, number, Lane.EVALUATE, 1, judged, 1.0)
    attempt = writes.start_stage(db, number, Lane.ANALYZE, {})
    outcome = Outcome.KEEP if kept else Outcome.DISCARD
    effect = Interval(0.004, 0.002, 0.006) if kept else Interval(-0.003, -0.004, -0.002)
    reason = f"{METRIC} {value:.4f} over {len(seeds)} seeds: {outcome}"
    verdict = Verdict(
        number, outcome, 0, 0, 0, None, None, None, None, reason, time.time(),
        value=Interval(value, value - 0.0006, value + 0.0006), effect=effect if number else None,
    )  # fmt: skip
    writes.conclude(db, verdict, [], number > 0, attempt, 0.2)
