"""What answers whatever is open: the champion and the promoted model, served and kept awake while nothing is judged."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from checkpoints.records import model_name
from checkpoints.store import Store
from lanes.open_questions import served_always
from lanes.published import Published
from lanes.saying import TROUBLE, in_words, so_often
from lanes.sharing import SharedServer

HOME = "home"
"""In whose name these models are loaded."""

ALIVE_SECONDS = 120.0
"""How often a model server that nobody asks is asked, so that it does not end as idle."""

WAIT_SECONDS = (0.25, 60.0)
"""Least and most time until what failed is tried again."""


class Home:
    """The models of a run that are always served."""

    def __init__(self, store: Store, published: Published, complain: Callable[[str], None]) -> None:
        """Serve nothing yet.

        Args:
            store: Of the run.
            published: The models of the run.
            complain: Called with a line for a person, as often as it comes; to be shown once.
        """
        self._store, self._published, self._complain = store, published, complain
        self._wait, self._again_at = WAIT_SECONDS[0], 0.0
        self._asked_at, self._fell = time.monotonic(), 0
        self.models: dict[str, Path] = {}
        """Adapters by name, the champion's first, then the promoted one's; none while nothing is served."""

    async def keep(self, server: SharedServer, open_questions: bool) -> None:
        """Serve what is always served; where that fails, this is said, and tried again after a while.

        Args:
            server: Of the models.
            open_questions: Whether any is open: that brings its server up itself, and counts how often it dies.
        """
        if time.monotonic() < self._again_at:
            return
        try:
            if server.deployment.alive or not open_questions:
                await self._serve(server)
            self._wait = WAIT_SECONDS[0]
        except TROUBLE as error:
            self._complain(f"the champion cannot be served: {in_words(error)}")
            self._wait = min(WAIT_SECONDS[1], 2 * self._wait)
            self._again_at = time.monotonic() + self._wait

    async def _serve(self, server: SharedServer) -> None:
        deployment = server.deployment
        numbers = served_always(self._store.read, self._published)
        names = [model_name(number) for number in numbers]
        if not numbers or (names == list(self.models) and deployment.port and deployment.alive):
            await self._keep_awake(server)
            return
        found = self._published.models(numbers)
        models = {name: await self._published.fetched(name, found[name]["url"]) for name in names}
        if self.models and not deployment.alive:
            words = deployment.last_words() or "it left no word"
            self._fell += 1
            self._complain(f"the model server had ended, and is started again{so_often(self._fell)}: {words}")
        await server.up()
        await server.serve(HOME, models)
        self.models = models

    async def _keep_awake(self, server: SharedServer) -> None:
        if server.port and time.monotonic() - self._asked_at > ALIVE_SECONDS:
            self._asked_at = time.monotonic()
            await server.deployment.is_awake()
