"""Where an evaluation asks for answers: the server is kept up, and its models loaded, as long as it lasts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from checkpoints.records import FailureKind, Json
from lanes.lane import StageFailed
from lanes.model_client import ServerGone, Unanswerable
from lanes.recipe import Deployment as Settings
from lanes.rows import Prompt
from lanes.sharing import SharedServer

RESTARTS = 1
"""How often a server that died is started again within one passage."""


class Desk:
    """Where answers are asked for: it keeps the server up, and its models loaded, for one evaluation."""

    def __init__(
        self,
        server: SharedServer,
        who: str,
        models: Json,
        folders: dict[str, Path],
        tell: Callable[[str], Awaitable[None]],
        say: Callable[[str], None],
    ) -> None:
        """Talk to nobody yet.

        Args:
            server: Which other evaluations may use at the same time.
            who: Name of the question that the models are for.
            models: How each is served, by name.
            folders: Of the models to load, by name.
            tell: Shows what is being done.
            say: Called with a line for a person about each restart.
        """
        self._server, self._folders, self._tell, self._say = server, folders, tell, say
        self._who = who
        self._settings = {name: Settings.model_validate(model["deployment"]) for name, model in models.items()}
        self._restarts = 0
        self.refused: dict[str, str] = {}
        """Why prompts were skipped, by where they stand."""

    @property
    def port(self) -> int:
        """Where the server listens."""
        return self._server.port

    async def open(self) -> None:
        """Have the server up with the models of this evaluation."""
        await self._tell("starting the model server")
        while True:
            try:
                await self._server.up()
                await self._tell("loading the models")
                await self._server.serve(self._who, self._folders)
                return
            except ServerGone as gone:
                self._count_restart(gone)
            except Unanswerable as error:
                raise StageFailed(FailureKind.INPUT, str(error)) from error

    async def check(self) -> None:
        """Have the server up again where it died while nothing was asked of it.

        Raises:
            StageFailed: It died too often, or does not come up.
        """
        if not self._server.deployment.alive:
            self._count_restart(ServerGone("the model server has ended"))
            await self.open()

    async def answer(self, wanted: Sequence[tuple[Prompt, str, int]]) -> list[str | None]:
        """All answers, through a restart of the server where one is needed; None where a prompt is refused."""
        while True:
            found = await asyncio.gather(*(self._answer(*each) for each in wanted), return_exceptions=True)
            answers = [each for each in found if not isinstance(each, BaseException)]
            if len(answers) == len(found):
                return answers
            for error in found:
                if isinstance(error, BaseException) and not isinstance(error, ServerGone):
                    raise error
            self._count_restart(next(error for error in found if isinstance(error, ServerGone)))
            await self.open()

    async def forget_loser(self, loser: str) -> None:
        """Unload the model that lost, unless another question needs it: the next one does not."""
        kept = {name: path for name, path in self._folders.items() if name != loser}
        try:
            await self._server.serve(self._who, kept)
        except (ServerGone, Unanswerable):
            return  # the next evaluation looks for itself what is loaded

    async def _answer(self, prompt: Prompt, model: str, seed: int) -> str | None:
        try:
            return await self._server.answer(model, prompt.prompt, self._settings[model], seed)
        except Unanswerable as error:
            self.refused[prompt.where] = str(error)
            return None

    def _count_restart(self, gone: BaseException) -> None:
        self._restarts += 1
        words = self._server.deployment.last_words() or str(gone)
        if self._restarts > RESTARTS:
            raise StageFailed(FailureKind.CRASH, f"the model server died again: {words}") from None
        self._say(f"the model server died and is started again, what was answered stays: {words}")
