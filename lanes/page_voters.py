"""People at the arena's voting page: pairs on held-out prompts go into the ledger, their votes come by the intake."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence

from checkpoints.records import Vote
from lanes.arena.ballots import Pair, Source
from lanes.arena_desk import ArenaDesk
from lanes.votes import Battle


class PageVoters:
    """People who were invited."""

    simulated = False

    def __init__(self, arena: ArenaDesk, news: Callable[[], Awaitable[None]]) -> None:
        """Show nothing yet.

        Args:
            arena: Shows the pairs.
            news: Waits until votes have come in, but not long.
        """
        self._arena, self._news = arena, news

    async def cast(self, battles: Sequence[Battle], last: bool) -> AsyncGenerator[Vote | None]:
        """See ``VoteSource.cast``; when half of these have a vote others are due, as some are never opened."""
        await self._arena.ask(lambda ledger: ledger.add_pairs(_pair(battle, ledger.secret) for battle in battles))
        while True:
            await self._news()
            yield None
            if not last and sum(not battle.voted for battle in battles) <= len(battles) // 2:
                return
            if last and all(len(battle.voted) >= battle.wanted for battle in battles):
                return


def _pair(battle: Battle, secret: bytes) -> Pair:
    return Pair(
        battle.blind_id(secret), battle.experiment, battle.test, battle.prompt, battle.messages, battle.model_a,
        battle.model_b, battle.answer_a, battle.answer_b, Source.HELDOUT, consent=False, simulated=False,
        made_at=time.time(),
    )  # fmt: skip
