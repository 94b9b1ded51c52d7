"""The questions: every way to look at a run, read-only, as records. Light to import: a screen paints early."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from checkpoints.collection import no_collection
from checkpoints.querying import DATABASE, connected, interval, needed_interval, parsed
from checkpoints.records import (
    Championship,
    Change,
    Event,
    Expected,
    Experiment,
    Hypothesis,
    HypothesisStatus,
    Intervention,
    Json,
    Level,
    Outcome,
    Program,
    Proposal,
    Row,
    Run,
    RunState,
    Standing,
    State,
    Step,
    Verdict,
    ZoomOut,
)
from checkpoints.stage_reader import StageReader
from checkpoints.thought_reader import ThoughtReader
from checkpoints.trust_reader import TrustReader
from checkpoints.vote_reader import VoteReader

__all__ = ["DATABASE", "Reader", "connected"]

# A training that outlived its runner took longer than the passage in which its result was found.
_TRAINED = (
    "SELECT experiment, json_extract(result, '$.final_loss'), json_extract(result, '$.val_pref_acc'),"
    " max(seconds, coalesce(json_extract(result, '$.seconds'), 0))"
    " FROM stages WHERE lane = 'train' AND state = 'done'"
)
_NOT_TRAINED = (None, None, None)


class Reader(StageReader, VoteReader, TrustReader, ThoughtReader):
    """Answers questions about a run. One thread, one reader; no transaction stays open between two questions."""

    def version(self) -> int:
        """A number that changes whenever another connection has committed."""
        return self._one("PRAGMA data_version")[0]

    def run(self) -> Run | None:
        """The run, or None before it was begun."""
        row = self._maybe("SELECT name, goal, state, reason, experiments, created_at, seed, usd_per_hour FROM run")
        return row and Run(row[0], row[1], RunState(row[2]), *row[3:])

    def program(self) -> Program | None:
        """The last revision of the program that is in force."""
        return self._maybe_program("WHERE error = '' ORDER BY revision DESC LIMIT 1")

    def last_program(self) -> Program | None:
        """The last revision that was read, refused or not."""
        return self._maybe_program("ORDER BY revision DESC LIMIT 1")

    def experiment(self, number: int) -> Experiment:
        """One experiment.

        Raises:
            KeyError: There is no such experiment.
        """
        for experiment in self._experiments("WHERE number = ?", number):
            return experiment
        raise KeyError(f"there is no experiment {number}")

    def experiments(self, *states: State) -> list[Experiment]:
        """Experiments by number, all or those in the given states."""
        if not states:
            return list(self._experiments("ORDER BY number"))
        marks = ", ".join("?" * len(states))
        return list(self._experiments(f"WHERE state IN ({marks}) ORDER BY number", *states))

    def first(self, state: State) -> Experiment | None:
        """The experiment of the lowest number in a state."""
        return next(self._experiments("WHERE state = ? ORDER BY number LIMIT 1", state), None)

    def count(self, *states: State) -> int:
        """How many experiments are in the given states (any, if none is given)."""
        if not states:
            return self._one("SELECT count(*) FROM experiments")[0]
        marks = ", ".join("?" * len(states))
        return self._one(f"SELECT count(*) FROM experiments WHERE state IN ({marks})", *states)[0]

    def rows(self, last: int | None = None, recipes: bool = True) -> list[Row]:
        """Experiments by number with their verdicts, all or the last so many.

        Args:
            recipes: Whether they have their recipes, which are more than half of the time and of the memory.
        """
        limit = "" if last is None else f"WHERE number > (SELECT max(number) FROM experiments) - {int(last)}"
        with no_collection():
            experiments = list(self._experiments(f"{limit} ORDER BY number", recipes=recipes))
            verdicts = {verdict.experiment: verdict for verdict in self.verdicts()}
        trained = {number: (loss, accuracy, took) for number, loss, accuracy, took in self._all(_TRAINED)}
        kept_line = _Lineage(experiments)
        return [
            Row(
                experiment,
                verdicts.get(experiment.number),
                *trained.get(experiment.number, _NOT_TRAINED),
                contains=kept_line.of(experiment.number),
            )
            for experiment in experiments
        ]

    def row(self, number: int) -> Row:
        """One experiment with its verdict, without its recipe and without what its recipe contains.

        Raises:
            KeyError: There is no such experiment.
        """
        experiment = next(self._experiments("WHERE number = ?", number, recipes=False), None)
        if experiment is None:
            raise KeyError(f"there is no experiment {number}")
        _, loss, accuracy, took = self._maybe(f"{_TRAINED} AND experiment = ?", number) or (number, *_NOT_TRAINED)
        return Row(experiment, self.verdict(number), loss, accuracy, took)

    def touched(self, after: int = 0) -> tuple[int, list[int]]:
        """Experiments that were written to after a mark, by number, and the mark to ask from next time."""
        rows = self._all("SELECT experiment, seq FROM touched WHERE seq > ?", after)
        return max((seq for _, seq in rows), default=after), sorted(number for number, _ in rows)

    def recipes(self, *numbers: int) -> dict[int, Json]:
        """Complete recipes of experiments by number; one that has none yet is left out."""
        marks = ", ".join("?" * len(numbers))
        rows = self._all(
            f"SELECT number, recipe FROM experiments WHERE recipe IS NOT NULL AND number IN ({marks})", *numbers
        )
        return {number: parsed(recipe) for number, recipe in rows}

    def tried_hashes(self) -> set[str]:
        """Canonical hashes of the changes that were tried, are under way, or were skipped by a person; what was else
        cancelled may be tried again."""
        return {
            row[0]
            for row in self._all(
                "SELECT change_hash FROM experiments WHERE change_hash <> '' AND (state <> 'cancelled' OR number IN"
                " (SELECT experiment FROM interventions WHERE step = 'skip' AND done <> '{}'))"
            )
        }

    def champion(self) -> Championship | None:
        """Who reigns; None before the baseline was trained."""
        row = self._maybe("SELECT experiment, since, until, reason, pinned FROM championships WHERE until IS NULL")
        return row and Championship(row[0], row[1], row[2], row[3], bool(row[4]))

    def championships(self) -> list[Championship]:
        """All reigns, the first one first."""
        return [
            Championship(number, since, until, reason, bool(pinned))
            for number, since, until, reason, pinned in self._all(
                "SELECT experiment, since, until, reason, pinned FROM championships ORDER BY id"
            )
        ]

    def verdict(self, experiment: int) -> Verdict | None:
        """The one verdict of an experiment; None while it has none."""
        return next(self._verdicts("WHERE experiment = ?", experiment), None)

    def verdicts(self) -> list[Verdict]:
        """All verdicts in the order in which they fell."""
        return list(self._verdicts("ORDER BY decided_at, experiment"))

    def count_verdicts(self) -> int:
        """How many verdicts have fallen."""
        return self._one("SELECT count(*) FROM verdicts")[0]

    def standings(self) -> list[Standing]:
        """The ranking of the run's models, the best first."""
        rows = self._all("SELECT model, experiment, votes, elo, reference FROM standings ORDER BY elo DESC")
        return [Standing(model, number, votes, elo, needed_interval(rate)) for model, number, votes, elo, rate in rows]

    def hypotheses(self, last: int | None = None) -> list[Hypothesis]:
        """What the agent believes, all or the last so many, the newest last."""
        limit = "" if last is None else f"LIMIT {int(last)}"
        rows = self._all(
            "SELECT number, text, category, status, experiments, source, refuted_by FROM hypotheses"
            f" ORDER BY number DESC {limit}"
        )
        return [
            Hypothesis(n, text, cat, HypothesisStatus(status), tuple(parsed(e)), *more)
            for n, text, cat, status, e, *more in reversed(rows)
        ]

    def zoom_outs(self) -> list[ZoomOut]:
        """The steps outside the frame, the newest last."""
        rows = self._all(
            'SELECT number, "trigger", steering, text, categories, at, directions FROM zoom_outs ORDER BY number'
        )
        return [
            ZoomOut(n, trigger, steer, text, tuple(parsed(cats)), at, tuple(parsed(directions)))
            for n, trigger, steer, text, cats, at, directions in rows
        ]

    def interventions(self, pending_only: bool = False) -> list[Intervention]:
        """What a person did, or still waits to see done."""
        where = "WHERE acknowledged_at IS NULL" if pending_only else ""
        rows = self._all(
            "SELECT number, step, experiment, detail, reason, at, acknowledged_at, effect, done FROM interventions"
            f" {where} ORDER BY number"
        )
        return [
            Intervention(n, Step(step), e, parsed(detail), reason, at, until, effect, parsed(done))
            for n, step, e, detail, reason, at, until, effect, done in rows
        ]

    def last_intervention(self) -> int:
        """Number of the newest thing that a person did; 0 when nobody did anything."""
        return self._one("SELECT coalesce(max(number), 0) FROM interventions")[0]

    def events(self, after: int = 0, last: int | None = None) -> list[Event]:
        """The run's log after a sequence number, all or the last so many, the oldest first."""
        limit = "" if last is None else f"LIMIT {int(last)}"
        rows = self._all(
            f"SELECT seq, at, level, kind, experiment, text FROM events WHERE seq > ? ORDER BY seq DESC {limit}", after
        )
        return [Event(row[0], row[1], Level(row[2]), *row[3:]) for row in reversed(rows)]

    def _maybe_program(self, where: str) -> Program | None:
        row = self._maybe(f"SELECT revision, sha256, text, error, read_at FROM programs {where}")
        return row and Program(*row)

    def _experiments(self, where: str, *values: Any, recipes: bool = True) -> Iterator[Experiment]:
        recipe = "recipe" if recipes else "NULL"
        for row in self._all(
            f"SELECT number, state, hypothesis, category, change, proposer, zoom_out, {recipe}, parent, opponent,"
            f" proposed_at, ended_at, note, expected, rests_on, differs, base, belief FROM experiments {where}",
            *values,
        ):
            expected = Expected(**parsed(row[13])) if row[13] else None
            rests_on = tuple(parsed(row[14])) if row[14] != "[]" else ()
            change = _change(parsed(row[4])) if row[4] else None
            proposal = Proposal(row[2], row[3], change, row[5], row[6], expected, rests_on, *row[15:])
            recipe = parsed(row[7]) if row[7] else None
            yield Experiment(row[0], State(row[1]), proposal, recipe, *row[8:13])

    def _verdicts(self, where: str, *values: Any) -> Iterator[Verdict]:
        for row in self._all(
            "SELECT experiment, outcome, wins, losses, ties, win_rate, anytime, shrunken, reference, reason,"
            " decided_at, voters, value, effect"
            f" FROM verdicts {where}",
            *values,
        ):
            yield Verdict(
                row[0], Outcome(row[1]), row[2], row[3], row[4], interval(row[5]), interval(row[6]), row[7],
                interval(row[8]), row[9], row[10], row[11], interval(row[12]),
                interval(row[13]),
            )  # fmt: skip


def _change(said: Json) -> Change:
    also = tuple(_change(each) for each in said.get("also", ()))
    return Change(said["field"], said["old"], said["new"], also)


class _Lineage:
    """Which kept experiments are in each experiment's recipe."""

    def __init__(self, experiments: Iterable[Experiment]) -> None:
        self._parents = {experiment.number: experiment.parent for experiment in experiments}
        self._from: dict[int | None, frozenset[int]] = {None: frozenset()}
        """What a recipe made from that experiment's contains; made once, as siblings share it."""

    def of(self, number: int) -> frozenset[int]:
        line: list[int] = []
        here = self._parents.get(number)
        while here not in self._from:
            assert here is not None
            line.append(here)
            here = self._parents.get(here)
        contained = self._from[here]
        for ancestor in reversed(line):
            contained = self._from[ancestor] = contained | {ancestor}
        return contained
