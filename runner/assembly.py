"""The four lanes of a run, put together for the kind of program that it has."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

from checkpoints import writes
from checkpoints.records import Lane, Level, RunState
from checkpoints.store import Store
from lanes.analyze.analyst import AnalyzeLane
from lanes.cleanup import clean_up
from lanes.evaluate import EvaluateLane
from lanes.judge.sitting import Sitting
from lanes.lane import Analyst, StageWorker
from lanes.train import TrainLane
from lanes.upload import UploadLane
from lanes.worker import WorkerError
from runner.agent.asking import LanguageModel
from runner.finale import Finale
from runner.git import Commits
from runner.heldout import nothing_to_judge_by
from runner.lane_settings import evaluate_settings, judge_settings, rule, train_settings
from runner.program import Program
from runner.programs import AnyProgram
from runner.script.lanes import ScriptLanes, not_confined
from runner.script.program import ScriptProgram
from runner.studies import Studies


class Assembly(Protocol):
    """The lanes of a run and what goes on beside them."""

    workers: Mapping[Lane, StageWorker]
    analyst: Analyst

    @property
    def beside(self) -> Sequence[Callable[[], Awaitable[object]]]:
        """What goes on beside the loop for as long as that does; each may end before it."""
        ...

    async def begin(self) -> None:
        """Bring what is outside the store in line with it, before anything starts."""
        ...

    def attend(self) -> None:
        """The run is going to go on: have ready what people come to."""
        ...

    def use(self, program: AnyProgram) -> None:
        """Work by another revision of the program from now on."""
        ...

    async def clean_up(self, store: Store) -> object:
        """Follow a verdict: give back room that it has made free, for instance."""
        ...

    async def finale(self) -> None:
        """What comes when the budget is used up and everything is judged, before the run is finished."""
        ...

    async def end(self) -> None:
        """Catch up with the last verdict, where the process is going to end."""
        ...


class RecipeLanes:
    """The lanes of a program that trains recipes."""

    def __init__(self, store: Store, program: Program) -> None:
        self._store, self._program = store, program
        self._train = TrainLane(store, train_settings(program))
        self._evaluate = EvaluateLane(store, evaluate_settings(program))
        upload = UploadLane(store, program.upload.url)
        self.workers: Mapping[Lane, StageWorker] = {
            Lane.TRAIN: self._train, Lane.UPLOAD: upload, Lane.EVALUATE: self._evaluate,
        }  # fmt: skip
        self._analyst = AnalyzeLane(store.read, rule(program), self._say_of_ranking)
        self.analyst: Analyst = self._analyst
        self._finale = Finale(store, self._evaluate, lambda: self._program)
        self._studies = Studies(store)
        self._commits = Commits(store, program.path.parent)

    @property
    def beside(self) -> Sequence[Callable[[], Awaitable[object]]]:
        """Room on the disk, the study of votes, the language model that judges, commits of what is kept."""
        sitting = Sitting(self._store, lambda: judge_settings(self._program))
        return (lambda: clean_up(self._store), self._studies.run, sitting.run, self._commits.run)

    async def begin(self) -> None:
        """End trainers whose passage was ended in the store just before the last runner was killed."""
        try:
            await self._train.end_all_but(self._store.read.open_stage(Lane.TRAIN))
        except WorkerError as stuck:
            self._store.submit(writes.event, Level.ERROR, Lane.TRAIN, str(stuck))

    def attend(self) -> None:
        """Have the arena's page up."""
        self._evaluate.attend()

    def use(self, program: AnyProgram) -> None:
        """Work by another revision of the program from now on."""
        assert isinstance(program, Program), "a run stays about recipes"
        self._program = program
        self._train.settings = train_settings(program)
        self._evaluate.settings = evaluate_settings(program)
        self._analyst.rule = rule(program)

    async def clean_up(self, store: Store) -> object:
        """Give room back on the disk."""
        return await clean_up(store)

    async def finale(self) -> None:
        """Test the night's champion on fresh votes."""
        await self._finale.run()

    async def end(self) -> None:
        """Study the last votes and commit the last keep: the last verdict, or test, fell a moment ago."""
        if (run := self._store.read.run()) and run.state is RunState.FINISHED:
            await self._studies.catch_up()
            await self._commits.catch_up()

    def _say_of_ranking(self, text: str) -> None:
        self._store.submit(writes.event, Level.WARNING, Lane.ANALYZE, text)


def lacking(program: AnyProgram) -> tuple[str, ...]:
    """One line for each thing that a run needs and that is not there; looks at files, so not in an event loop."""
    if isinstance(program, Program):
        return program.missing() or nothing_to_judge_by(program)
    why = not_confined()
    return program.missing() or ((f"{program.path.name}: {why}",) if why else ())


def unlike(before: AnyProgram, after: AnyProgram, measured: bool = True) -> tuple[str, ...]:
    """One line for each thing that no edit of the program may change while a run goes on: what went before could not
    be compared with what comes. While nothing was ``measured`` that is less: what made a script's baseline fail can be
    mended."""
    if type(before) is not type(after):
        return (f"{after.path.name}: a run of recipes stays one, and so does a run of a script; begin another run",)
    if isinstance(before, ScriptProgram) and isinstance(after, ScriptProgram):
        return after.unlike(before, measured)
    if isinstance(before, Program) and isinstance(after, Program):
        return after.unlike(before)
    return ()


def assemble(store: Store, program: AnyProgram, model: Callable[[], LanguageModel | None]) -> Assembly:
    """The lanes for a program.

    Args:
        store: Of the run.
        program: In force.
        model: Whom a script's crash may be shown; None while nobody can be asked.
    """
    return RecipeLanes(store, program) if isinstance(program, Program) else ScriptLanes(store, program, model)
