"""The evaluate lane: deploys the candidate beside its opponent and gathers votes, or compares their scores."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from checkpoints import writes
from checkpoints.records import (
    BASELINE,
    REFERENCE,
    Experiment,
    FailureKind,
    Json,
    Lane,
    Level,
    Progress,
    Stage,
    Tally,
    model_name,
)
from checkpoints.store import Store
from lanes.analyze.verdict import Rule
from lanes.contest import Contest, Terms
from lanes.deployment import Deployment
from lanes.desk import Desk
from lanes.lane import StageFailed, StagePaused
from lanes.launch import LocalProcess
from lanes.order import ServeOrder, Source
from lanes.pair_scores import compare
from lanes.places import PlaceError, SourceError, Transfer, fetch, publish
from lanes.prompts import heldout_prompts, in_order
from lanes.recipe import Deployment as Settings
from lanes.sharing import SharedServer
from lanes.vote_file import FileVoters
from lanes.vote_limit import votes_per_prompt
from lanes.votes import SimulatedVoters, VoteSource

WORK = "work"
"""Folder of the run that holds the server's folder and the local copies of what is published elsewhere."""

ATTEMPTS = 2
"""How often an evaluation is begun before the experiment is given up."""


@dataclass(frozen=True, slots=True)
class EvaluateSettings:
    """What the program says of evaluation."""

    model: str
    """Base model, which is the reference: a local folder or a hub id."""

    prompts: Source | None
    """Held-out traffic."""

    revision: str | None = None
    trust_remote_code: bool = False
    judge: Literal["votes", "val_pref_acc"] = "votes"
    voters: Literal["simulated", "file"] = "file"
    rule: Rule = field(default_factory=Rule)
    """When the votes are enough."""

    slots: int = 1
    """Candidates that are judged side by side: the evidence for a keep must be so many times as strong."""

    reference_share: float = 0.25
    """Share of the votes that compares with the reference instead of the opponent, 0 to below 1."""

    votes_per_prompt: int = 1
    """Votes on one pair of answers that count: the verdict takes them for independent, and two on one pair are not."""

    votes_per_voter: int = 5
    """Votes after which a voter's session closes and their mean counts as one voter."""

    session_seconds: float = 600.0
    """Or so long after their last vote."""

    seconds: float = 3600.0
    """Most time to wait for votes, since this runner has begun the evaluation or taken it up."""

    seed: int = 0
    max_broken_rows: int = 0
    """Prompts that cannot be read and may be skipped."""

    device: str = "auto"
    threads: int = 1
    port: int = 0
    """Of the model server on loopback; 0 takes a free one."""


@dataclass(slots=True)
class _Hand:
    """An evaluation under way."""

    task: asyncio.Task[Json]
    ending: StagePaused | StageFailed | None = None
    """Why it is ended before it is over."""


class EvaluateLane:
    """Evaluations side by side, on one model server that stays up between them."""

    name = Lane.EVALUATE

    def __init__(self, store: Store, settings: EvaluateSettings) -> None:
        """Start nothing yet.

        Args:
            store: Of the run.
            settings: May be replaced at any time, by assignment to ``settings``; those of the model server take effect
                when an evaluation begins that is alone.
        """
        self.settings = settings
        self._store = store
        self._work = store.folder.absolute() / WORK
        self._server: SharedServer | None = None
        self._file_voters = FileVoters(store.folder, self._complain)
        self._complained: set[str] | None = None
        self._hands: dict[int, _Hand] = {}
        """By experiment."""

        self._fetching = asyncio.Lock()
        """Two evaluations need the same champion, and one folder is fetched by one of them."""

    def order(self, experiment: Experiment) -> Json:
        """Who meets whom, and where both are found."""
        number, rival = experiment.number, experiment.opponent
        opponent = REFERENCE if number == BASELINE or rival is None or rival == number else model_name(rival)
        order: Json = {"judge": self.settings.judge, "candidate": experiment.model, "opponent": opponent}
        order["arms"] = self.settings.slots
        numbers = [number] if opponent == REFERENCE or rival is None else [number, rival]
        if self.settings.judge == "val_pref_acc":
            return order | {"scores": {model_name(each): self._scores(each) for each in numbers}}
        models = {model_name(each): {"url": self._url(each), "deployment": self._served(each)} for each in numbers}
        order["votes_per_prompt"] = self.settings.votes_per_prompt
        return order | {"models": models | {REFERENCE: {"url": None, "deployment": self._served(BASELINE)}}}

    async def run(self, stage: Stage) -> Json:
        """Evaluate, or take an evaluation up; see ``StageWorker.run``."""
        number = stage.experiment
        hand = self._hands[number] = _Hand(asyncio.create_task(self._evaluated(stage), name=f"evaluate {number}"))
        try:
            return await hand.task
        except asyncio.CancelledError:
            if hand.ending:
                raise hand.ending from None
            raise
        finally:
            del self._hands[number]
            if self._server:
                self._server.forget(number)

    def revise(self, stage: Stage, failure: StageFailed) -> Json | None:
        """Once more, with the votes that are there, unless what was given is wrong."""
        # Not by the attempt's number: one that ended because its opponent reigns no longer has not failed.
        failed = 1 + len(self._store.read.failures(stage.experiment, self.name))
        again = failure.kind is not FailureKind.INPUT and failed < ATTEMPTS
        return stage.order if again else None

    async def pause(self) -> None:
        """Stop all between two votes and free the device; what was answered and voted stays."""
        await self._end(StagePaused("the evaluation is paused"))
        if self._server:
            await self._server.deployment.down()

    async def abort(self, experiment: int | None = None) -> None:
        """Stop one evaluation, or all, at once; the server stays for the others."""
        await self._end(StageFailed(FailureKind.CRASH, "the evaluation was stopped"), experiment)

    async def close(self, keep_workers: bool) -> None:
        """Leave the server to the next runner (it ends by itself when none comes), or end it."""
        await self._end(StagePaused("the runner ended"))
        server = self._server or (None if keep_workers else self._shared())
        if server and keep_workers:
            await server.deployment.leave()
        elif server:
            await server.deployment.down()
        self._server = None

    async def _end(self, ending: StagePaused | StageFailed, experiment: int | None = None) -> None:
        ended = [hand for number, hand in self._hands.items() if experiment in (None, number)]
        for hand in ended:
            hand.ending = ending
            hand.task.cancel()
        if ended:
            await asyncio.wait({hand.task for hand in ended})

    async def _evaluated(self, stage: Stage) -> Json:
        began = time.monotonic()
        result = await (self._by_scores(stage) if stage.order["judge"] == "val_pref_acc" else self._by_votes(stage))
        parties = {name: stage.order[name] for name in ("judge", "candidate", "opponent")}
        return parties | result | {"seconds": time.monotonic() - began}

    async def _by_scores(self, stage: Stage) -> Json:
        order = stage.order
        files = {name: Path(file) for name, file in order["scores"].items()}
        opponent = files.get(order["opponent"])
        tally, ours, theirs = await asyncio.to_thread(compare, files[order["candidate"]], opponent)
        accuracy = {order["candidate"]: ours, order["opponent"]: theirs}
        return {"tally": _tally_json(tally), "accuracy": accuracy, "pairs": tally.decisive + tally.ties}

    async def _by_votes(self, stage: Stage) -> Json:
        settings, order = self.settings, stage.order
        await self._tell(stage, "loading the prompts")
        prompts = await heldout_prompts(settings.prompts, self._work, settings.max_broken_rows)
        await self._leave_another_server()
        folders = await self._fetched(stage)
        desk = Desk(self._shared(), stage.experiment, order, folders, lambda what: self._tell(stage, what))
        await desk.open()
        source = self._source()
        terms = Terms(
            stage.experiment, order["candidate"], order["opponent"], settings.rule.as_ordered(order),
            votes_per_prompt(order), settings.votes_per_voter, settings.session_seconds, settings.reference_share,
            settings.seed,
        )  # fmt: skip
        contest = Contest(self._store, terms, in_order(prompts, settings.seed, stage.experiment), desk.answer, source)
        if desk.port not in (0, settings.port) and settings.port:
            self._event(f"port {settings.port} is taken: the model server listens on {desk.port}", stage.experiment)
        limit = asyncio.timeout(settings.seconds)
        try:
            async with limit:
                await contest.run()
        except TimeoutError:
            if not limit.expired():
                raise
        if desk.refused:
            self._event(f"{len(desk.refused)} prompts were skipped: {desk.refused[0]}", stage.experiment)
        await contest.close()
        tally = self._store.read.tally(stage.experiment, terms.candidate, terms.opponent)
        over = terms.is_over(contest.means)
        if over:
            await desk.forget_loser(tally)
        return {
            "tally": _tally_json(tally), "decided": terms.decision(contest.means), "prompts": contest.asked,
            "ended": "enough" if over else "time" if limit.expired() else "prompts", "simulated": source.simulated,
        }  # fmt: skip

    async def _fetched(self, stage: Stage) -> dict[str, Path]:
        """Local folders of the models that are not the reference, verified."""
        folders: dict[str, Path] = {}
        for name, model in stage.order["models"].items():
            if model["url"] is None:
                continue
            await self._tell(stage, f"fetching {name}")
            async with self._fetching:
                folders[name] = await self._fetch(stage, name, model["url"])
        return folders

    async def _fetch(self, stage: Stage, name: str, url: str) -> Path:
        transfer = Transfer()
        try:
            return await asyncio.to_thread(fetch, url, self._work / "fetched", transfer)
        except SourceError as error:
            return await self._put_back(stage, name, error)
        except OSError as error:
            line = f"{url} cannot be read ({type(error).__name__}: {error})"
            raise StageFailed(FailureKind.CRASH, line) from error
        finally:
            transfer.stop.set()

    async def _put_back(self, stage: Stage, name: str, damage: SourceError) -> Path:
        """Publish what was trained once more, where somebody has removed or damaged what was published."""
        rival = self._store.read.experiment(stage.experiment).opponent
        number = stage.experiment if rival is None or name != model_name(rival) else rival
        trained, url, transfer = Path(self._result(number, Lane.TRAIN)["artifact"]), self._url(number), Transfer()
        try:
            await asyncio.to_thread(publish, trained, url, transfer)
            folder = await asyncio.to_thread(fetch, url, self._work / "fetched", transfer)
        except (PlaceError, OSError) as error:
            line = f"{damage}; and it cannot be put back from {trained}: {error}"
            raise StageFailed(FailureKind.INPUT, line) from error
        finally:
            transfer.stop.set()
        self._event(f"{damage}: published again from {trained}", number)
        return folder

    async def _leave_another_server(self) -> None:
        """Let go of a server under other settings, as soon as no other evaluation uses it."""
        server = self._server
        if server and len(self._hands) == 1 and not server.deployment.serves(self._serve_order()):
            await server.deployment.leave()
            self._server = None

    def _shared(self) -> SharedServer:
        """The server in hand, or one under the settings as they are now; a process with others is replaced by it."""
        if self._server is None:
            launcher, owner = LocalProcess(self.settings.threads), self._store.owner.path
            deployment = Deployment(self._work / "server", self._serve_order(), launcher, owner)
            self._server = SharedServer(deployment)
        return self._server

    def _serve_order(self) -> ServeOrder:
        settings = self.settings
        return ServeOrder(
            model=settings.model,
            revision=settings.revision,
            trust_remote_code=settings.trust_remote_code,
            port=settings.port,
            token_file=Path("token"),
            device=settings.device,
            threads=settings.threads,
            batch_size=64,
        )

    def _source(self) -> VoteSource:
        return SimulatedVoters(self.settings.seed) if self.settings.voters == "simulated" else self._file_voters

    def _url(self, number: int) -> str:
        return self._result(number, Lane.UPLOAD)["url"]

    def _scores(self, number: int) -> str:
        return self._result(number, Lane.TRAIN)["details"]

    def _result(self, number: int, lane: Lane) -> Json:
        stage = self._store.read.done_stage(number, lane)
        if stage is None:
            raise StageFailed(FailureKind.INPUT, f"{model_name(number)} has not passed the {lane} lane")
        return stage.result

    def _served(self, number: int) -> Json:
        recipe = self._store.read.experiment(number).recipe or {}
        return Settings.model_validate(recipe.get("deployment", {})).model_dump(mode="json")

    async def _tell(self, stage: Stage, doing: str) -> None:
        progress = Progress(Lane.EVALUATE, stage.experiment, doing, 0, 0, "", None, time.time())
        await self._store.do(writes.set_progress, progress)

    def _event(self, text: str, experiment: int | None = None) -> None:
        self._store.submit(writes.event, Level.WARNING, Lane.EVALUATE, text, experiment)

    def _complain(self, line: str) -> None:
        """Say once in the life of the run what is wrong with a line of the votes."""
        if self._complained is None:
            self._complained = {event.text for event in self._store.read.events() if event.kind == Lane.EVALUATE}
        if line not in self._complained:
            self._complained.add(line)
            self._event(line)


def _tally_json(tally: Tally) -> Json:
    return {"wins": tally.wins, "losses": tally.losses, "ties": tally.ties}
