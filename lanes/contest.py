"""One question on held-out prompts: prompts out, answers in, blind pairs to voters, votes into the store."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import Future
from contextlib import aclosing

from checkpoints import writes
from checkpoints.records import Answer, Vote, VoterMeans
from checkpoints.store import Store
from checkpoints.text import clean
from lanes.count import Count
from lanes.prompts import display
from lanes.rows import Prompt
from lanes.terms import Terms
from lanes.votes import Battle, VoteSource

FEWEST, MOST = 16, 48
"""Prompts that are answered together: few at first, as clear cases end early, then half as many as were before."""

Answers = Callable[[Sequence[tuple[Prompt, str, int]]], Awaitable[Sequence[str | None]]]
"""Gives the answer to each (prompt, model, seed); None where the model cannot answer the prompt."""


class Contest:
    """The evaluation under way; begun again after a kill it asks for nothing that the store has."""

    def __init__(
        self,
        store: Store,
        terms: Terms,
        prompts: Sequence[Prompt],
        answers: Answers,
        source: VoteSource,
        count: Count | None = None,
        check: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """Take up what the store has of this question.

        Args:
            store: Of the run.
            terms: Who meets whom.
            prompts: Held-out prompts in the order of this question.
            answers: Asks the models.
            source: Who votes.
            count: Of the question, where somebody else looks at it, too.
            check: Awaited after each look; what it raises ends the contest.
        """
        self._store, self._terms, self._prompts, self._ask, self._source = store, terms, prompts, answers, source
        self._voted: dict[tuple[str, ...], set[str]] = {}
        self._mark = 0
        self._excluded: frozenset[str] = frozenset()
        self._texts = {(each.prompt, each.model): each.text for each in store.read.answers(terms.experiment)}
        self._pending: list[Future[int]] = []
        self._check = check
        self.count = count or Count(store, terms, "simulated voters" if source.simulated else "votes from people")
        self.asked = 0
        """Prompts that were looked at."""

        self._meet()

    @property
    def means(self) -> VoterMeans:
        """Candidate against opponent so far, each voter as one."""
        return self.count.means

    async def run(self) -> None:
        """Go on until the votes are enough or the prompts are used up."""
        while self.asked < len(self._prompts) and not self.count.is_over:
            start = self.asked
            batch = self._prompts[start : start + min(MOST, max(FEWEST, start // 2))]
            await self._answer(batch)
            battles = [battle for place, prompt in enumerate(batch, start) for battle in self._battles(place, prompt)]
            self.asked = start + len(batch)
            await self._vote(battles, last=self.asked == len(self._prompts))

    async def _answer(self, batch: Sequence[Prompt]) -> None:
        """Have all answers that the batch needs, each asked for once in the life of the question."""
        key = self._terms.key
        missing = [
            (prompt, model)
            for prompt in batch
            for model in dict.fromkeys(model for pair in self._terms.pairs(prompt.id) for model in pair)
            if (key(prompt.id), model) not in self._texts
        ]
        if not missing:
            return
        wanted = [(prompt, model, self._terms.answer_seed(prompt.id, model)) for prompt, model in missing]
        found = await self._ask(wanted)
        new = [
            Answer(self._terms.experiment, key(prompt.id), model, clean(text))
            for (prompt, model), text in zip(missing, found, strict=True)
            if text is not None
        ]
        asked = list({prompt.id: (key(prompt.id), clean(display(prompt.prompt))) for prompt, _ in missing}.values())
        await self._store.do(lambda db: (writes.add_prompts(db, asked), writes.add_answers(db, new)))
        self._texts |= {(answer.prompt, answer.model): answer.text for answer in new}

    def _battles(self, place: int, prompt: Prompt) -> list[Battle]:
        """What the voters see of a prompt; a pair that lacks an answer is left out."""
        terms, key = self._terms, self._terms.key(prompt.id)
        battles: list[Battle] = []
        for pair in terms.pairs(prompt.id):
            if any((key, model) not in self._texts for model in pair):
                continue
            a, b = terms.displayed(pair, prompt.id)
            battles.append(
                Battle(
                    terms.experiment, key, prompt.prompt, a, b, self._texts[key, a], self._texts[key, b],
                    terms.votes_per_prompt, self._voted.setdefault((key, *sorted(pair)), set()), terms.test,
                )
            )  # fmt: skip
        return battles

    async def _vote(self, battles: Sequence[Battle], last: bool) -> None:
        """Take votes as they come, and look at what they say whenever the source has looked for more."""
        try:
            async with aclosing(self._source.cast(battles, last)) as votes:
                async for vote in votes:
                    if vote:
                        self._take(vote)
                        continue
                    await self._look()
                    if self.count.is_over or (last and self._all_judged(battles)):
                        break
        finally:
            await self._settle()
        await self._look()
        await self.count.tell()

    def _take(self, vote: Vote) -> None:
        voters = self._voted.setdefault(_pair(vote.prompt, vote.model_a, vote.model_b), set())
        if vote.voter in voters or len(voters) >= self._terms.votes_per_prompt:
            return
        if vote.voter not in self._excluded:
            voters.add(vote.voter)
        self._pending.append(self._store.submit(writes.add_votes, [vote], self._terms.votes_per_prompt))

    async def _look(self) -> None:
        await self._settle()
        await self.count.look()
        self._meet()
        if self._check:
            await self._check()

    def _meet(self) -> None:
        """Take note of who has voted on what past this source: at a dashboard, on the voting page."""
        terms = self._terms
        excluded = frozenset(one.voter for one in self._store.read.exclusions())
        if excluded != self._excluded:
            self._excluded, self._mark = excluded, 0
            for voters in self._voted.values():
                voters.clear()
        self._mark, found = self._store.read.voters_on_pairs(terms.experiment, terms.test, self._mark)
        for prompt, model_a, model_b, voter in found:
            self._voted.setdefault(_pair(prompt, model_a, model_b), set()).add(voter)

    async def _settle(self) -> None:
        pending, self._pending = self._pending, []
        await asyncio.gather(*(asyncio.wrap_future(future) for future in pending))

    def _all_judged(self, battles: Iterable[Battle]) -> bool:
        """Whether there is nothing to wait for: votes against the reference are welcome, but do not decide."""
        return all(
            len(battle.voted) >= battle.wanted
            for battle in battles
            if {battle.model_a, battle.model_b} == {self._terms.candidate, self._terms.opponent}
        )


def _pair(prompt: str, model_a: str, model_b: str) -> tuple[str, ...]:
    return (prompt, *sorted((model_a, model_b)))
