"""One question from its first model loaded to its last vote counted: who is better, candidate or opponent?"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from checkpoints.records import Json, Tally, VoterMeans
from checkpoints.store import Store
from lanes.contest import Contest
from lanes.count import Count
from lanes.desk import Desk
from lanes.evaluate_settings import EvaluateSettings
from lanes.page_voters import PageVoters
from lanes.published import Published
from lanes.rows import Prompt
from lanes.terms import Terms
from lanes.venue import OpenQuestion, Venue
from lanes.vote_file import FileVoters
from lanes.votes import VoteSource


class TakenOut(Exception):
    """A guard has spoken; the text is its sentence."""


class NoneToCome(Exception):
    """No more votes can come; the text says why."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked, decided when it began."""

    name: str
    terms: Terms
    models: Json
    """Where the models are and how they are served, by name."""

    prompts: list[Prompt]
    """Held-out, in the question's order."""


class Question:
    """A question under way; begun again after a kill it goes on with the votes that are there."""

    def __init__(
        self,
        store: Store,
        asked: Asked,
        settings: EvaluateSettings,
        venue: Venue,
        tell: Callable[[str], Awaitable[None]],
        say: Callable[[str], None],
        looked: Callable[[Count], None] = lambda _: None,
    ) -> None:
        """Ask nobody yet.

        Args:
            store: Of the run.
            asked: What is asked.
            settings: What the program says.
            venue: Where votes are cast.
            tell: Shows what is being done.
            say: Called with a line for a person.
            looked: Called after each look at the votes.
        """
        self._store, self._asked, self._settings, self._venue = store, asked, settings, venue
        self._tell, self._say, self._looked = tell, say, looked
        self._terms = asked.terms
        whose = "simulated voters" if settings.voters == "simulated" else "votes from people"
        self.count = Count(store, asked.terms, whose)
        self._prompts = 0
        self._last: VoterMeans | None = None
        self._quiet_since = 0.0
        """When a vote came last, or the candidate could last be shown."""

    async def run(self, published: Published, file_voters: FileVoters) -> Json:
        """Ask until the votes are enough, the prompts are used up, time is over, a guard speaks or nobody can vote.

        Raises:
            StageFailed: A model cannot be had or served.
        """
        folders = await self._folders(published)
        desk = Desk(self._venue.server, self._asked.name, self._asked.models, folders, self._tell, self._say)
        await desk.open()
        self._say_port(desk.port)
        await self._tell("starting the arena")
        await self._venue.ready()
        ended, guard = "prompts", ""
        limit = asyncio.timeout(self._settings.seconds)
        question = OpenQuestion(self._terms, self._asked.models, self._asked.prompts, lambda: self.count.means)
        self._venue.enter(self._asked.name, question)
        try:
            async with limit:
                await self._vote(desk, file_voters)
        except TimeoutError:
            if not limit.expired():
                raise
            ended = "time"
        except TakenOut as out:
            ended, guard = "guard", str(out)
        except NoneToCome as why:
            ended = "exposure"
            self._say(str(why))
            await self._venue.take_in()
        finally:
            self._venue.withdraw(self._asked.name)
        if desk.refused:
            where, why = next(iter(desk.refused.items()))
            self._say(f"prompts that no model takes were skipped, {len(desk.refused)} in all: {where}: {why}")
        if not guard:
            await self.count.close()
        return await self._result(desk, ended, guard)

    async def _result(self, desk: Desk, ended: str, guard: str) -> Json:
        tally = self._store.read.tally(
            self._terms.experiment, self._terms.candidate, self._terms.opponent, self._terms.test
        )
        over = not guard and self.count.is_over
        if over:
            await desk.forget_loser(self._terms.candidate if tally.wins <= tally.losses else self._terms.opponent)
        elif guard:
            await desk.forget_loser(self._terms.candidate)
        result = {
            "tally": tally_json(tally), "means": self.count.means.counts,
            "decided": self._terms.decision(self.count.means) if over else None, "prompts": self._prompts,
            "ended": "enough" if over else ended, "simulated": self._settings.voters == "simulated",
        }  # fmt: skip
        return result | {"guard": guard} if guard else result

    async def _vote(self, desk: Desk, file_voters: FileVoters) -> None:
        match self._settings.voters:
            case "file":
                try:
                    await self._contest(desk, file_voters)
                finally:
                    file_voters.forget(self._terms.experiment, self._terms.test)
            case "arena":
                await self._contest(desk, PageVoters(self._venue.arena, self._venue.news))
                if self._venue.live:
                    await self._wait(desk)
            case "simulated" | "pull":
                await self._wait(desk)

    async def _contest(self, desk: Desk, source: VoteSource) -> None:
        async def check() -> None:
            await self._check(desk, source)

        contest = Contest(
            self._store, self._terms, self._asked.prompts, desk.answer, source, count=self.count, check=check
        )
        try:
            await contest.run()
        finally:
            self._prompts = contest.asked

    async def _wait(self, desk: Desk) -> None:
        """Wait for votes on what a product shows, until they are enough or it has nothing more to show."""
        await self.count.look()
        while not self.count.is_over:
            used_up = self._venue.used_up(self._asked.name)
            if used_up:
                self._prompts = len(self._asked.prompts)
                await self._venue.take_in()
            else:
                await self._venue.news()
            await self.count.look()
            await self._check(desk)
            if used_up:
                return

    async def _check(self, desk: Desk, source: VoteSource | None = None) -> None:
        """What is looked after at each look, beside the votes; ``source`` is who is shown held-out pairs now."""
        self._looked(self.count)
        await desk.check()
        if sentence := self._venue.breach(self._asked.name):
            raise TakenOut(sentence)
        if self._is_quiet() and not await self._others_vote(source):
            shown = f"users were shown as many answers of {self._terms.candidate} as evaluate.max_exposure allows"
            raise NoneToCome(f"max_exposure reached: {shown}, so the votes that are there decide")

    def _is_quiet(self) -> bool:
        """Whether the candidate is shown no more, and no vote on what was shown has come for a session's time."""
        now, means = time.monotonic(), self.count.means
        if means != self._last or not self._venue.shown_enough(self._asked.name):
            self._last, self._quiet_since = means, now
        return now - self._quiet_since > self._terms.session_seconds

    async def _others_vote(self, source: VoteSource | None) -> bool:
        """Whether votes can come from others than the users of a product that asks the arena."""
        if isinstance(source, PageVoters):
            return bool(await self._venue.arena.ask(lambda ledger: ledger.invited()))
        return source is not None or self._settings.voters == "pull"

    async def _folders(self, published: Published) -> dict[str, Path]:
        folders: dict[str, Path] = {}
        for name, model in self._asked.models.items():
            if model["url"] is not None:
                await self._tell(f"fetching {name}")
                folders[name] = await published.fetched(name, model["url"])
        return folders

    def _say_port(self, port: int) -> None:
        wanted = self._settings.port
        if wanted and port not in (0, wanted):
            self._say(f"port {wanted} is taken: the model server listens on {port}")


def tally_json(tally: Tally) -> Json:
    """A tally as results keep it."""
    return {"wins": tally.wins, "losses": tally.losses, "ties": tally.ties}
