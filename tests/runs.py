"""A believable run in a store, written with the store's own verbs: for tests and benchmarks of whatever reads one.

Every number is drawn from a seeded generator; nothing is trained and nobody votes.
"""

from __future__ import annotations

import math
import random
import time
from pathlib import Path
from typing import TYPE_CHECKING

from checkpoints import writes
from checkpoints.records import (
    REFERENCE,
    Answer,
    Change,
    Choice,
    FailureKind,
    Interval,
    Json,
    Lane,
    Metric,
    Outcome,
    Progress,
    Proposal,
    Standing,
    Step,
    Verdict,
    Vote,
    model_name,
)
from checkpoints.store import Store
from lanes.analyze.win_rate import anytime, shrunken, wilson

if TYPE_CHECKING:
    from sqlite_utils import Database

STEPS = 40
"""Optimiser steps of each training."""

_BASE: Json = {
    "method": "dpo",
    "data": {"mix": {"traffic": 1.0, "expert": 0.0, "noisy": 0.0}, "filters": {"min_margin": None}},
    "training": {"learning_rate": 5e-5, "warmup_steps": 0.0, "beta": 0.1, "num_train_epochs": 1.0},
    "lora": {"enabled": True, "r": 16, "lora_alpha": 32.0},
}

_CHANGES = (
    ("data.mix.expert", 1.0, "data", "expert answers are shorter and to the point, people will prefer them"),
    ("training.learning_rate", 1e-4, "optimiser", "the training has not converged after one epoch"),
    ("training.beta", 0.05, "loss", "a looser hold on the reference lets the preference show"),
    ("data.filters.min_margin", 1.0, "data", "pairs that are nearly even teach noise"),
    ("lora.r", 32, "adapter", "rank 16 is too small for the change of style"),
    ("training.warmup_steps", 0.06, "schedule", "the first steps are too large"),
    ("training.num_train_epochs", 2.0, "schedule", "a second pass over the same pairs helps"),
    ("data.mix.noisy", 0.3, "data", "a little noise makes it robust"),
    ("lora.lora_alpha", 64.0, "adapter", "the adapter is scaled too low"),
)

_FATES = ("keep", "discard", "discard", "inconclusive", "keep", "crash", "discard", "keep", "discard")


def write_run(
    folder: Path,
    experiments: int = 12,
    *,
    live: bool = True,
    simulated: bool = True,
    steps: int = STEPS,
    seed: int = 7,
    judge: str = "votes",
    story: type[Story] | None = None,
) -> None:
    """Write a run into the store of ``folder`` and close it.

    Args:
        folder: Run folder; made if absent.
        experiments: Finished ones after the baseline. From six on, one keep is vetoed.
        live: Leave one in training, one before the voters and one that waits for its upload.
        simulated: Whether its voters were.
        steps: Logged steps of each training.
        seed: Of everything that is drawn.
        judge: What the evaluations say that judged.
        story: How it comes about; by the playbook where nothing else is said.
    """
    with Store(folder) as store:
        told = (story or Story)(simulated=simulated, steps=steps, seed=seed, judge=judge)
        store.submit(told.begin, experiments).result()
        for number in range(experiments + 1):
            store.submit(told.finished, number).result()
        if experiments >= 6:
            store.submit(told.veto_the_last_keep_but_one).result()
        if live:
            store.submit(told.evaluating).result()
            store.submit(told.training).result()


class Story:
    """Brings a run about, experiment by experiment; its methods are writes."""

    def __init__(self, simulated: bool = True, steps: int = STEPS, seed: int = 7, judge: str = "votes") -> None:
        self.simulated, self.steps, self.judge = simulated, steps, judge
        self.random = random.Random(seed)
        self.champion, self.rate, self.recipe = 0, 0.53, _BASE
        self.rates = {0: 0.53}
        self.kept: list[int] = []
        self.logged = 0
        """Last step of the training under way."""

    def begin(self, db: Database, experiments: int) -> None:
        """The run and its program."""
        writes.create_run(db, "demo", "answers that people prefer", max(20, experiments), 7)
        writes.read_program(db, "# demo", "0" * 64, "")

    def finished(self, db: Database, number: int) -> None:
        """One experiment from its proposal to its end."""
        self.propose(db, number)
        fate = "baseline" if number == 0 else _FATES[(number - 1) % len(_FATES)]
        self.start_training(db, number)
        if fate == "crash":
            writes.fail_stage(db, number, Lane.TRAIN, 1, FailureKind.OOM, "CUDA out of memory at step 12", 31.0)
            writes.crash(db, number, "out of memory twice, also with half the batch")
            return
        loss = self.log(db, number, self.steps)
        writes.finish_stage(
            db, number, Lane.TRAIN, 1, {"final_loss": loss}, 12.4, "the program's own recipe" if number == 0 else ""
        )
        writes.start_stage(db, number, Lane.UPLOAD, {})
        writes.finish_stage(db, number, Lane.UPLOAD, 1, {}, 0.8)
        rival = REFERENCE if number == 0 else model_name(self.champion)
        writes.start_stage(db, number, Lane.EVALUATE, _ORDER, opponent=None if number == 0 else self.champion)
        self.answer(db, number, rival)
        wins, losses, ties = self.vote(db, number, rival, _SHARES[fate], _VOTES[fate])
        writes.finish_stage(db, number, Lane.EVALUATE, 1, {"judge": self.judge}, 9.1)
        self.conclude(db, number, fate, wins, losses, ties)

    def propose(self, db: Database, number: int) -> None:
        """The baseline, or the next of the changes."""
        if number == 0:
            writes.propose(db, Proposal("the program's own recipe", "baseline", None, "program"))
            return
        field, value, category, hypothesis = _change(number)
        change = Change(field, _at(self.recipe, field), value)
        writes.propose(db, Proposal(hypothesis, category, change, "playbook"), f"{field}={value}={number}")
        writes.add_hypothesis(db, hypothesis, category, number)

    def start_training(self, db: Database, number: int) -> None:
        """Bind the change to the champion's recipe."""
        field, value, *_ = _change(number)
        recipe = self.recipe if number == 0 else _changed(self.recipe, field, value)
        writes.start_stage(db, number, Lane.TRAIN, {}, recipe=recipe, parent=None if number == 0 else self.champion)

    def log(self, db: Database, number: int, until: int, after: int = 0) -> float:
        """Losses that fall and jitter, from one step to another; returns the last."""
        metrics = [
            Metric(number, "train", step, {"loss": self.loss(number, step), "rewards/accuracies": 0.5 + step / 200})
            for step in range(after + 1, until + 1)
        ]
        writes.add_metrics(db, metrics)
        return metrics[-1].values["loss"]

    def loss(self, number: int, step: int) -> float:
        """Loss of a training at a step."""
        floor = 1.1 + 0.02 * math.sin(number)
        return round(floor + 1.4 * math.exp(-3.5 * step / self.steps) + self.random.gauss(0, 0.06), 4)

    def answer(self, db: Database, number: int, rival: str) -> None:
        """What both models said to a few prompts."""
        own = model_name(number)
        for place in range(8):
            prompt = f"prompt-{place:03d}"
            short = "Hello Ana, the library opens at nine. 漢字 and emoji 🙂 are fine."
            long = "Thank you for your question! As an assistant I am happy to help. The library opens at nine o'clock."
            writes.add_answers(db, [Answer(number, prompt, own, short), Answer(number, prompt, rival, long)])

    def vote(self, db: Database, number: int, rival: str, share: float, votes: int) -> tuple[int, int, int]:
        """Votes of as many voters, whose sessions are closed; returns wins, losses and ties."""
        own, counts = model_name(number), {Choice.A: 0, Choice.B: 0, Choice.TIE: 0}
        cast: list[Vote] = []
        for place in range(votes):
            choice = Choice.TIE if place % 8 == 7 else Choice.A if (place * 37 % 100) / 100 < share else Choice.B
            counts[choice] += 1
            voter, prompt = f"voter-{place:03d}", f"prompt-{place % 64:03d}"
            key = f"{number}/{place}"
            cast.append(Vote(number, key, voter, prompt, own, rival, choice, self.simulated, time.time()))
        writes.add_votes(db, cast)
        writes.close_sessions(db, number, 0, time.time(), 1)
        return counts[Choice.A], counts[Choice.B], counts[Choice.TIE]

    def conclude(self, db: Database, number: int, fate: str, wins: int, losses: int, ties: int) -> None:
        """The verdict, with the sentence of the evidence."""
        attempt = writes.start_stage(db, number, Lane.ANALYZE, {})
        rate = wilson(wins, losses)
        if fate in ("keep", "baseline"):
            outcome, self.rate = Outcome.KEEP, self.rate + (0.012 if number else 0)
        else:
            outcome = Outcome.INCONCLUSIVE if fate == "inconclusive" else Outcome.DISCARD
        own = self.rate if outcome is Outcome.KEEP else self.rate - 0.01 - self.random.random() * 0.03
        self.rates[number] = own
        reason = _reason(outcome, number, self.champion, wins, losses, rate)
        verdict = Verdict(
            number, outcome, wins, losses, ties, rate, anytime(wins, losses), shrunken(wins, losses),
            _interval(own, 0.034), reason, time.time(),
        )  # fmt: skip
        standings = [
            Standing(model_name(n), n, 100, 1000 + 700 * (r - 0.5), _interval(r)) for n, r in self.rates.items()
        ]
        writes.conclude(db, verdict, standings, number > 0, attempt, 0.2)
        if number:
            writes.settle_hypothesis(db, number)
        if outcome is Outcome.KEEP and number:
            field, value, *_ = _change(number)
            self.champion, self.recipe = number, _changed(self.recipe, field, value)
            self.kept.append(number)

    def veto_the_last_keep_but_one(self, db: Database) -> None:
        """A person takes back a keep under the champion's feet."""
        number = self.kept[-2]
        wanted = writes.intervene(db, Step.VETO, number, "it forgets the user's name")
        writes.veto(db, number, "it forgets the user's name")
        writes.acknowledge(db, wanted, f"keep #{number} taken back; champion #{self.champion} goes on reigning")
        writes.add_zoom_out(
            db, "forced", "look at the data", "Optimiser knobs: four tries, one keep.", ["data", "loss"]
        )

    def evaluating(self, db: Database) -> None:
        """The next experiment stands before the voters."""
        number: int = db.execute("SELECT max(number) + 1 FROM experiments").fetchone()[0]
        self.propose(db, number)
        self.start_training(db, number)
        loss = self.log(db, number, self.steps)
        writes.finish_stage(db, number, Lane.TRAIN, 1, {"final_loss": loss}, 12.1)
        writes.start_stage(db, number, Lane.UPLOAD, {})
        writes.finish_stage(db, number, Lane.UPLOAD, 1, {}, 0.7)
        writes.start_stage(db, number, Lane.EVALUATE, _ORDER, opponent=self.champion)
        self.answer(db, number, model_name(self.champion))
        wins, losses, _ = self.vote(db, number, model_name(self.champion), 0.55, 148)
        rate = wilson(wins, losses)
        detail = f"{100 * rate.estimate:.1f} % ±{50 * (rate.high - rate.low):.1f}"
        self.progress(db, Lane.EVALUATE, number, "voters", 148, 400, detail, 380)

    def training(self, db: Database, until: int | None = None) -> None:
        """The experiment after it trains; upload and analysis wait."""
        number: int = db.execute("SELECT max(number) + 1 FROM experiments").fetchone()[0]
        until = until or self.steps * 6 // 10
        self.logged = until
        self.propose(db, number)
        self.start_training(db, number)
        self.train_on(db, number, 0, until)
        writes.start_waiting(db, Lane.UPLOAD, f"training of #{number}")
        writes.start_waiting(db, Lane.ANALYZE, f"votes on #{number - 1}")

    def train_on(self, db: Database, number: int, after: int, until: int) -> None:
        """Log steps and say how far it is."""
        loss = self.log(db, number, until, after)
        eta = (self.steps - until) * 0.31
        self.progress(db, Lane.TRAIN, number, "steps", until, self.steps, f"loss {loss:.3f}", eta)

    def progress(
        self, db: Database, lane: Lane, number: int, doing: str, done: float, total: float, detail: str, eta: float
    ) -> None:
        """What the screen shows of a lane."""
        writes.set_progress(db, Progress(lane, number, doing, done, total, detail, eta, time.time()))


_SHARES = {"baseline": 0.55, "keep": 0.63, "discard": 0.47, "inconclusive": 0.52}
_ORDER = {"votes_per_prompt": 12}
_VOTES = {"baseline": 160, "keep": 180, "discard": 120, "inconclusive": 400}


def _change(number: int) -> tuple[str, float, str, str]:
    """The changes in turn, each time round a little further."""
    field, value, category, hypothesis = _CHANGES[(number - 1) % len(_CHANGES)]
    further = round(value * (1 + max(0, number - 1) // len(_CHANGES) / 2), 6)
    return field, type(value)(further), category, hypothesis


def _reason(outcome: Outcome, number: int, champion: int, wins: int, losses: int, rate: Interval) -> str:
    if number == 0:
        return f"baseline against the reference: {100 * rate.estimate:.1f} % of {wins + losses} decisive votes"
    evidence = f"{wins} of {wins + losses} decisive votes against champion #{champion}"
    shown = f"{100 * rate.estimate:.1f} % [{100 * rate.low:.1f}, {100 * rate.high:.1f}]"
    return f"{evidence}, {shown}: {outcome}"


def _interval(rate: float, half: float = 0.03) -> Interval:
    return Interval(rate, rate - half, rate + half)


def _at(recipe: Json, path: str) -> object:
    for name in path.split("."):
        recipe = recipe[name]
    return recipe


def _changed(recipe: Json, path: str, value: object) -> Json:
    name, _, rest = path.partition(".")
    return {**recipe, name: _changed(recipe[name], rest, value) if rest else value}
