"""Whatever a person does in whatever order: one champion, one verdict, the right line, and done as it was foretold."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from laws import breaches
from sleeping import SleepingAnalyst, program

from checkpoints import writes
from checkpoints.records import BASELINE, ENDS, Experiment, Lane, Outcome, Proposal, RunState, State, Step, Verdict
from checkpoints.store import Store
from checkpoints.trust import Promotion
from runner import interventions
from runner.agent.playbook import Playbook
from runner.consequence import Consequence
from runner.interventions import Refused
from runner.pipeline import Pipeline
from runner.planner import Planner, Stale
from runner.rollback import standing
from runner.steering import Steering
from runner.undo import all_undoable, undo, undone

MEMORY = Path("/dev/shm")
PROGRAM = program(Path("/nowhere"), 1000, ahead=9)
OUTCOMES = (Outcome.KEEP, Outcome.DISCARD, Outcome.KEEP, Outcome.INCONCLUSIVE)
SEVERAL = st.integers(min_value=0, max_value=9)


class PersonsSteps(RuleBasedStateMachine):
    """A run that goes on stage by stage, and a person who steps in between."""

    @initialize(slots=st.sampled_from((1, 3)))
    def begin(self, slots: int) -> None:
        self.slots = slots
        self.folder = Path(tempfile.mkdtemp(dir=MEMORY if MEMORY.is_dir() else None))
        self.runner = asyncio.Runner()
        self.store = Store(self.folder)
        planner = Planner(self.store, PROGRAM, Playbook())
        pipeline = Pipeline(self.store, {}, SleepingAnalyst(0), planner)
        self.planner, self.steering = planner, Steering(self.store, pipeline, planner)
        self.verdicts: dict[int, Verdict] = {}
        self.reigns = 0
        self.before_the_last: tuple[tuple[int, bool], set[int]] | None = None
        """Who reigned and what was kept before the last step, if no verdict fell since."""

        self.write(writes.create_run, "steps", "sleep better", 1000, 7)
        self.write(writes.propose, Proposal("the program's own", "baseline", None, "program"))
        for _ in range(6):
            self.next_stage(Outcome.KEEP)
        for outcome in (Outcome.KEEP, Outcome.DISCARD, Outcome.KEEP):
            self.next_idea()
            for _ in range(6):
                self.next_stage(outcome)
        self.next_idea()
        for _ in range(4):
            self.next_stage(Outcome.KEEP)

    def teardown(self) -> None:
        if not hasattr(self, "store"):
            return
        self.finish()
        self.store.close()
        self.runner.close()
        shutil.rmtree(self.folder)

    def write(self, verb: Callable[..., Any], *args: object) -> Any:
        return self.store.submit(verb, *args).result()

    # The run.

    def next_idea(self) -> None:
        if self.store.read.count(*set(State) - ENDS) > 2:
            return
        number = self.store.read.count()
        field, new = (("training.beta", 0.2), ("training.learning_rate", 0.002), ("lora.r", 20))[number % 3]
        reigning = self.champion
        proposal, change_hash = self.planner.idea(reigning, field, type(new)(new + number * (new / 20)), "better")
        self.write(writes.put_forward, replace(proposal, proposer="playbook"), change_hash)

    @rule(place=SEVERAL, outcome=st.sampled_from(OUTCOMES), stages=st.sampled_from((1, 2, 4, 5)))
    def goes_on(self, place: int, outcome: Outcome, stages: int) -> None:
        self.next_idea()
        before = self.reigning
        for _ in range(stages):
            self.next_stage(outcome, place)
        assert self.reigning == before or not before[1], "a pinned champion is replaced by a person only"

    def next_stage(self, outcome: Outcome, place: int = 0) -> None:
        """One experiment goes on; a place of -1 is one that is being judged, where no more can be."""
        judged = self.store.read.experiments(State.EVALUATING, State.EVALUATED) if place < 0 else []
        if flying := judged or self.store.read.experiments(*set(State) - ENDS):
            self.move(flying[place % len(flying)], outcome)

    def move(self, experiment: Experiment, outcome: Outcome) -> None:
        """One stage of one experiment, with what the pipeline decides at its start."""
        number, reign = experiment.number, self.store.read.champion()
        reigning = reign.experiment if reign else None
        match experiment.state:
            case State.PROPOSED:
                try:
                    recipe = self.planner.bind(experiment)
                except Stale as stale:
                    self.write(writes.cancel, number, f"went back: {stale}")
                    return
                start = lambda db: writes.start_stage(db, number, Lane.TRAIN, {}, recipe=recipe, parent=reigning)  # noqa: E731
                self.write(start)
            case State.TRAINING:
                self.done(number, Lane.TRAIN, "the baseline reigns" if number == BASELINE else "")
            case State.TRAINED:
                self.write(writes.start_stage, number, Lane.UPLOAD, {})
                self.done(number, Lane.UPLOAD)
            case State.UPLOADED if self.store.read.count(State.EVALUATING, State.EVALUATED) >= self.slots:
                self.next_stage(outcome, place=-1)
            case State.UPLOADED:
                opponent = None if number == BASELINE else reigning
                self.write(lambda db: writes.start_stage(db, number, Lane.EVALUATE, {}, opponent=opponent))
            case State.EVALUATING:
                self.done(number, Lane.EVALUATE)
            case _:
                attempt = self.write(writes.start_stage, number, Lane.ANALYZE, {})
                verdict = Verdict(number, outcome, 9, 3, 0, None, None, None, None, f"it is {outcome}", time.time())
                try:
                    self.write(writes.conclude, verdict, [], number != BASELINE, attempt, 0.1)
                except writes.Dethroned as gone:
                    self.write(writes.evaluate_again, number, str(gone))
                self.before_the_last = None

    def done(self, number: int, lane: Lane, crown: str = "") -> None:
        stage = self.store.read.open_stage(lane)
        while stage and stage.experiment != number:  # several are in one lane here, which no pipeline lets happen
            stage = next(one for one in self.store.read.stages(number) if one.finished_at is None)
        assert stage
        self.write(writes.finish_stage, number, lane, stage.attempt, {}, 0.1, crown)

    # The person.

    @rule(place=SEVERAL, branch=st.booleans())
    def vetoes(self, place: int, branch: bool) -> None:
        number = self.one_of(place, State.KEPT)
        self.does(
            Step.VETO, number, lambda r, g, i: interventions.veto(r, g, self.promotions, number, branch), branch=branch
        )

    @rule()
    def promotes(self) -> None:
        if standing(self.promotions) is None or self.promotions[-1].experiment != self.champion:
            self.write(writes.promote, self.champion, None, "better", None, "it passed its test")

    @rule()
    def demotes(self) -> None:
        demoted = standing(self.promotions)
        asked = self.write(writes.intervene, Step.DEMOTE, None, "because", {})
        self.runner.run(self.steering.take_up(self.store.read.interventions()[asked - 1]))
        now = standing(self.promotions)
        assert now is None or demoted is None or now.experiment != demoted.experiment

    @rule(place=SEVERAL)
    def pins(self, place: int) -> None:
        number = self.one_of(place, State.KEPT, State.DISCARDED, State.INCONCLUSIVE)
        self.does(Step.PIN, number, lambda r, g, i: interventions.pin(r, g, number))

    @rule()
    def unpins(self) -> None:
        self.does(Step.UNPIN, None, lambda r, g, i: interventions.unpin(r, g))

    @rule(place=SEVERAL)
    def keeps_anyway(self, place: int) -> None:
        number = self.one_of(place, State.DISCARDED, State.INCONCLUSIVE)
        self.does(Step.KEEP, number, lambda r, g, i: interventions.keep(r, g, number))

    @rule(place=SEVERAL)
    def skips(self, place: int) -> None:
        number = self.one_of(place, *set(State) - ENDS)
        self.does(Step.SKIP, number, lambda r, g, i: interventions.skip(r, number))

    @rule(place=SEVERAL)
    def tries_again(self, place: int) -> None:
        number = self.one_of(place, *interventions.REQUEUED)
        self.does(Step.REQUEUE, number, lambda r, g, i: interventions.requeue(r, g, number))

    @rule(back=st.sampled_from((0, 0, 0, 1, 2, 9)))
    def undoes(self, back: int) -> None:
        done = self.store.read.interventions()
        steps = all_undoable(done)
        of = steps[back].number if back < len(steps) else len(done) - back
        before = self.before_the_last if done and done[-1].number == of else None
        result = self.does(Step.UNDO, None, lambda r, g, i: undo(r, g, i, of), of=of)
        if result and before:
            assert (self.reigning, self.kept()) == before

    def does(
        self,
        step: Step,
        number: int | None,
        foretell: Callable[[Any, Any, Any], Consequence],
        **detail: object,
    ) -> Consequence | None:
        """Take a step, and see that exactly that happens which was foretold."""
        read = self.store.read
        rows, reigns = read.rows(), read.championships()
        try:
            foretold = foretell(rows, reigns, read.interventions())
        except Refused as refused:
            foretold, effect = None, f"refused: {refused}"
        else:
            effect = foretold.sentence(reigns[-1].experiment)
        if foretold:
            self.before_the_last = self.reigning, self.kept()
        asked = self.write(writes.intervene, step, number, "because", detail)
        self.runner.run(self.steering.take_up(read.interventions()[asked - 1]))
        assert read.interventions()[asked - 1].effect == effect
        if foretold:
            self.happened(foretold, len(rows))
        return foretold

    def happened(self, foretold: Consequence, experiments: int) -> None:
        fates = self.fates()
        assert {fates[number] for number in foretold.vetoed} <= {State.VETOED}
        if foretold.demoted is not None:
            now = standing(self.promotions)
            assert (now and now.experiment) == foretold.promoted
        assert {fates[number] for number in foretold.kept} <= {State.KEPT}
        assert {fates[number] for number in foretold.unkept} <= {State.DISCARDED, State.INCONCLUSIVE}
        assert {fates[number] for number in (*foretold.cancelled, *foretold.withdrawn)} <= {State.CANCELLED}
        assert {fates[number] for number in foretold.again} <= {State.UPLOADED}
        assert len(fates) == experiments + len(foretold.requeued)
        if foretold.champion is not None:
            assert self.reigning == (foretold.champion, foretold.pinned)

    def one_of(self, place: int, *states: State) -> int:
        """Mostly one to which a step applies, now and then one to which it may not."""
        found = self.store.read.experiments(*states)
        likely = [one.number for one in found if one.number != BASELINE]
        return likely[-1 - place % len(likely)] if likely and place < 9 else place

    # What must hold after each step.

    @property
    def champion(self) -> int:
        return self.reigning[0]

    @property
    def reigning(self) -> tuple[int, bool]:
        reign = self.store.read.champion()
        assert reign
        return reign.experiment, reign.pinned

    @property
    def promotions(self) -> list[Promotion]:
        return self.store.read.promotions()

    def fates(self) -> dict[int, State]:
        return {one.number: one.state for one in self.store.read.experiments()}

    def kept(self) -> set[int]:
        return {number for number, state in self.fates().items() if state is State.KEPT}

    @invariant()
    def the_laws_hold(self) -> None:
        if not hasattr(self, "store"):
            return
        found = [one.what for one in breaches(self.store.read, 0) if "hangs" not in one.what]
        unfinished = ("instead of", "verdicts", "left no result", "still open")
        assert [what for what in found if not any(word in what for word in unfinished)] == []

    @invariant()
    def what_was_vetoed_is_not_promoted(self) -> None:
        if hasattr(self, "store") and (now := standing(self.promotions)):
            assert self.fates()[now.experiment] is not State.VETOED

    @invariant()
    def nobody_is_judged_against_one_who_reigns_no_longer(self) -> None:
        if hasattr(self, "store"):
            # Whom another beat first while it waited for its verdict, it is told by that verdict.
            states = (State.EVALUATING,) if self.slots > 1 else (State.EVALUATING, State.EVALUATED)
            judged = self.store.read.experiments(*states)
            assert {one.opponent for one in judged if one.number != BASELINE} <= {self.champion}

    @invariant()
    def verdicts_and_reigns_are_only_added_to(self) -> None:
        if not hasattr(self, "store"):
            return
        verdicts = {verdict.experiment: verdict for verdict in self.store.read.verdicts()}
        assert self.verdicts.items() <= verdicts.items()
        assert len(self.store.read.championships()) >= self.reigns
        self.verdicts, self.reigns = verdicts, len(self.store.read.championships())

    @invariant()
    def a_step_is_undone_once(self) -> None:
        if hasattr(self, "store"):
            done = self.store.read.interventions()
            undos = [one for one in done if one.step is Step.UNDO and not one.refused]
            assert len(undone(done)) == len(undos)

    def finish(self) -> None:
        """Bring all that flies to its verdict, and hold the run to all laws."""
        while flying := self.store.read.experiments(*set(State) - ENDS):
            self.move(flying[0], Outcome.DISCARD)
        alive = self.store.read.count() - self.store.read.count(State.CANCELLED) - 1
        assert breaches(self.store.read, alive) == []
        run = self.store.read.run()
        assert run and run.state is RunState.RUNNING


PersonsSteps.TestCase.settings = settings(
    max_examples=20, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
TestEverySequenceOfAPersonsSteps = PersonsSteps.TestCase
