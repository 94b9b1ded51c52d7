"""Where votes are cast: model server, arena and lineup, kept up for all open questions together and between them."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from checkpoints.store import Store, StoreError
from lanes.arena.ballots import Exposure
from lanes.arena.guards import breach
from lanes.arena_desk import ARENA, ArenaDesk, PortTaken, arena_order
from lanes.arena_votes import Intake, open_questions
from lanes.deployment import Deployment
from lanes.evaluate_settings import EvaluateSettings, serve_order
from lanes.home import Home
from lanes.launch import LocalProcess
from lanes.open_questions import OpenQuestion, lineup_of
from lanes.product_desk import ProductDesk
from lanes.published import Published
from lanes.pull_votes import Puller
from lanes.pulse import Pulse
from lanes.saying import in_words, so_often
from lanes.sharing import SharedServer

TICK_SECONDS = 0.25
"""How often the ledger is read and everything is looked after."""

PATIENCE_SECONDS = 60.0
"""Most time until what failed is tried again."""

PORT_SECONDS = 10.0
"""Until a port that people have links to is tried again."""


class Venue:
    """What all questions of a run share."""

    def __init__(
        self,
        store: Store,
        work: Path,
        settings: Callable[[], EvaluateSettings],
        published: Published,
        complain: Callable[[str], None],
    ) -> None:
        """Start nothing yet.

        Args:
            store: Of the run.
            work: Folder for the processes' folders.
            settings: Says what the program says now.
            published: The models of the run.
            complain: Called with a line for a person, as often as it comes; to be shown once.
        """
        self._store, self._work, self._settings = store, work, settings
        self._published, self._complain = published, complain
        self._server: SharedServer | None = None
        self._arena: ArenaDesk | None = None
        self._intake: Intake | None = None
        self._puller = Puller(store, complain)
        self._product = ProductDesk(work / "product", self._launcher(), store.owner.path, complain)
        self._open: dict[str, OpenQuestion] = {}
        self._exposures: dict[str, list[Exposure]] = {}
        self._home = Home(store, published, complain)
        self._pulses = (
            Pulse("the arena", lambda: self._arena and self._arena.where, lambda: self.arena.end(), complain),
            Pulse(
                "the model server", lambda: self._server and self._server.deployment.where,
                lambda: self.server.deployment.end(), complain,
            ),
        )  # fmt: skip
        self._attendants: list[asyncio.Task[None]] = []
        self._news = asyncio.Event()
        self._resting = False
        self._port_at = 0.0
        self._fell = 0
        self.live = False
        """Whether a product has shown battles in this run: more of its votes are to be expected."""

    @property
    def server(self) -> SharedServer:
        """The model server in hand, or one under the settings as they are now; it need not be up."""
        if self._server is None:
            order = serve_order(self._settings())
            self._server = SharedServer(
                Deployment(self._work / "server", order, self._launcher(), self._store.owner.path), self._complain
            )
        return self._server

    @property
    def arena(self) -> ArenaDesk:
        """The arena in hand, or one under the settings as they are now; it need not be up."""
        if self._arena is None:
            order = arena_order(self._settings().arena)
            folder = self._store.folder.absolute() / ARENA
            self._arena = ArenaDesk(folder, order, self._launcher(), self._store.owner.path)
            self._intake = Intake(self._store, self._arena, self._complain)
        return self._arena

    @property
    def served(self) -> tuple[str, ...]:
        """Models that answer whatever is open: the champion first, then the promoted one; none while nothing does."""
        return tuple(self._home.models) if self.server.port and self.server.deployment.alive else ()

    def attend(self) -> None:
        """Keep everything up from now on, until ``rest`` or ``close``."""
        self._resting = False
        if all(each.done() for each in self._attendants):
            steps = {"venue": self._tick, "votes of a product": self._pull}
            steps |= {f"pulse of {each.name}": each.feel for each in self._pulses}
            self._attendants = [asyncio.create_task(self._again(step), name=name) for name, step in steps.items()]

    def enter(self, name: str, question: OpenQuestion) -> None:
        """Ask for votes on a question from now on."""
        self._open[name] = question

    def withdraw(self, name: str) -> None:
        """Ask for no more votes on a question; those that still come tell of the ranking."""
        self._open.pop(name, None)
        self._exposures.pop(name, None)

    def forget(self, name: str) -> None:
        """A question has ended; models that only it needed are unloaded when others are loaded."""
        if self._server:
            self._server.forget(name)

    async def ready(self) -> None:
        """Wait until the arena listens and everything that it acknowledged is in the store.

        Where its port is taken that people have links to this is said, and nothing waits until it is free.

        Raises:
            StageFailed: It does not come up.
        """
        await self._keep_arena()
        await self.take_in()

    async def news(self) -> None:
        """Wait until votes have come in, but not long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(TICK_SECONDS):
                await self._news.wait()

    async def take_in(self) -> None:
        """Have every vote that was acknowledged until now in the store."""
        if self._intake:  # else no arena was ever asked for
            await self._intake.take()

    def used_up(self, name: str) -> bool:
        """Whether the simulated product has asked everything that it had for a question."""
        return self._product.used_up(name)

    def breach(self, name: str) -> str | None:
        """Why a question's candidate is to be taken out at once; None where it is not."""
        terms = self._open[name].terms
        shown = {each.model: each for each in self._exposures.get(name, ())}
        candidate = shown.get(terms.candidate)
        if candidate is None or terms.undecided:
            return None
        return breach(self._settings().guards, candidate, shown.get(terms.opponent))

    def shown_enough(self, name: str) -> bool:
        """Whether users were shown as many answers of a question's candidate as they may be."""
        terms, most = self._open[name].terms, self._settings().arena.max_exposure
        shown = sum(each.shown for each in self._exposures.get(name, ()) if each.model == terms.candidate)
        return most is not None and not terms.test and shown >= most

    async def rest(self) -> None:
        """Free the device; votes on what was shown are taken in all the same."""
        self._resting = True
        await self._product.end()
        if self._server:
            await self._server.deployment.down()
        self._home.models = {}

    async def close(self, keep_workers: bool) -> None:
        """Leave all processes to the next runner (they end by themselves when none comes), or end them."""
        for each in self._attendants:
            each.cancel()
        if self._attendants:
            await asyncio.wait(self._attendants)
        if keep_workers:
            if self._server:
                await self._server.deployment.leave()
            if self._arena:
                await self._arena.leave()
        else:
            await self._product.end()
            await self.server.deployment.down()
            await self.arena.down()
        self._server, self._arena, self._intake, self._attendants, self._home.models = None, None, None, [], {}

    async def leave_another_server(self) -> None:
        """Let go of a model server under other settings, as soon as no question uses it."""
        server = self._server
        if server and not self._open and not server.deployment.serves(serve_order(self._settings())):
            await server.deployment.leave()
            self._server, self._home.models = None, {}

    async def _again(self, step: Callable[[], Awaitable[None]]) -> None:
        """Do a step again and again; what goes wrong is said, and may pass or be mended while the run goes on."""
        wait = TICK_SECONDS
        while True:
            try:
                await step()
                wait = TICK_SECONDS
            except StoreError:
                return  # who writes a stage is told the same
            except Exception as error:
                self._complain(in_words(error))
                wait = min(PATIENCE_SECONDS, 2 * wait)
            await asyncio.sleep(wait)

    async def _pull(self) -> None:
        settings = self._settings()
        if settings.voters == "pull" and settings.pull is not None and await self._puller.take(settings.pull):
            self._tell()

    def _tell(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    async def _tick(self) -> None:
        await self._keep_arena()
        assert self._intake
        if await self._intake.take():
            self._tell()
        self.live = self._intake.live
        if not self._resting:
            await self._home.keep(self.server, bool(self._open))
        for name, question in tuple(self._open.items()):
            experiment = question.terms.experiment
            self._exposures[name] = await self.arena.ask(lambda ledger, n=experiment: ledger.exposures(n))
            for each in self._exposures[name]:
                if each.errors:
                    line = f"{each.model} gave a user no answer, and the other model answered alone"
                    self._complain(f"{line}: {self.arena.folder.name}/log.txt says why")
        deployment = self.server.deployment
        server = self._work / "server" if deployment.port and deployment.alive else None
        lineup = lineup_of(self._store.read, self._published, self._settings(), self._open, self._exposures, server)
        if lineup and await self.arena.tell(lineup):
            await self._close_judged()
        await self._keep_product()

    async def _close_judged(self) -> None:
        """Show no more pairs of what is judged. By the store: a question that is paused keeps its pairs."""
        wanted = set(open_questions(self._store.read).values())
        for experiment, test in await self.arena.ask(lambda ledger: ledger.open_questions()) - wanted:
            await self.arena.ask(lambda ledger, e=experiment, t=test: ledger.close(e, t))

    async def _keep_arena(self) -> None:
        arena = self.arena
        if (arena.place and arena.alive) or time.monotonic() < self._port_at:
            return
        fell = bool(arena.place)
        wanted = arena.order.port
        try:
            await arena.up()
        except PortTaken as taken:
            self._complain(f"nobody can vote at the arena for now: {taken}")
            self._port_at = time.monotonic() + PORT_SECONDS
            return
        if fell:
            self._fell += 1
            self._complain(f"the arena had ended, and was started again at {arena.place}{so_often(self._fell)}")
        elif wanted and not arena.place.endswith(f":{wanted}"):
            self._complain(f"port {wanted} is taken: the arena listens on {arena.place}")

    async def _keep_product(self) -> None:
        settings = self._settings()
        wanted = settings.voters == "simulated" and bool(self.arena.place) and not self._resting
        questions = {name: (each.terms, each.prompts) for name, each in self._open.items()} if wanted else {}
        await self._product.keep(questions, self.arena.folder, self._store.read, settings.seed)

    def _launcher(self) -> LocalProcess:
        return LocalProcess(self._settings().threads)
