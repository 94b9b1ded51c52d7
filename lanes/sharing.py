"""One model server for several evaluations side by side: a model that any of them needs stays loaded."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

from lanes.deployment import Deployment, ServerGone, Unanswerable
from lanes.recipe import Deployment as Settings


class SharedServer:
    """What several evaluations need of one deployment, together."""

    def __init__(self, deployment: Deployment, complain: Callable[[str], None]) -> None:
        """Start nothing yet.

        Args:
            deployment: Of the models.
            complain: Called with a line for a person.
        """
        self.deployment, self._complain = deployment, complain
        self._needed: dict[str, dict[str, Path]] = {}
        """Folders of models, by the name of who needs them."""

        self._turn = asyncio.Lock()
        """Held while the server is started or its models change: two who look and then load would load twice."""

    @property
    def port(self) -> int:
        """Where the server listens; 0 while it does not."""
        return self.deployment.port

    async def up(self) -> None:
        """Have a server that lives; one that others talk to is left as it is.

        Raises:
            StageFailed: It does not come up.
        """
        async with self._turn:
            if not (self.deployment.port and self.deployment.alive):
                await self.deployment.up()

    async def serve(self, who: str, folders: dict[str, Path]) -> None:
        """Have somebody's models loaded beside those of the others, and what nobody needs unloaded.

        Args:
            who: Needs them.
            folders: Of adapters or whole models, by name; they replace what it needed before.

        Raises:
            ServerGone: The server died, and died again.
            StageFailed: It died and does not come up.
            Unanswerable: A folder is no model for this base.
        """
        async with self._turn:
            self._needed[who] = folders
            try:
                await self._load()
            except ServerGone as gone:
                words = self.deployment.last_words() or str(gone)
                await self.deployment.up()
                self._complain(f"the model server died while models were loaded, and was started again: {words}")
                await self._load()
            except Unanswerable:
                del self._needed[who]  # the others go on
                raise

    def forget(self, who: str) -> None:
        """An evaluation has ended; what only it needed is unloaded when the next one loads its own."""
        self._needed.pop(who, None)

    async def answer(self, model: str, messages: Sequence[dict[str, str]], settings: Settings, seed: int) -> str:
        """What a model says; see ``Deployment.answer``."""
        return await self.deployment.answer(model, messages, settings, seed)

    async def _load(self) -> None:
        await self.deployment.serve_only({name: file for each in self._needed.values() for name, file in each.items()})
