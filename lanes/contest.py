"""One evaluation: prompts out, answers in, blind pairs to voters, votes into the store, until they are enough."""

from __future__ import annotations

import asyncio
import hashlib
import math
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future
from contextlib import aclosing
from dataclasses import dataclass

from checkpoints import writes
from checkpoints.records import BASELINE, REFERENCE, Answer, Lane, Outcome, Progress, Vote, VoterMeans
from checkpoints.store import Store
from checkpoints.text import clean
from lanes.analyze.verdict import Rule, decide, progress, to_go
from lanes.analyze.win_rate import anytime, half_width
from lanes.prompts import display
from lanes.rows import Prompt
from lanes.votes import Battle, VoteSource

FEWEST, MOST = 16, 48
"""Prompts that are answered together: few at first, as clear cases end early, then half as many as were before."""

BASELINE_VOTES = 200
"""Voters on the baseline against the reference: no contest, only the first point of the plot."""

BASELINE_HALF_WIDTH = 0.08
"""Or fewer, when the anytime interval is as narrow as this."""

Answers = Callable[[Sequence[tuple[Prompt, str, int]]], Awaitable[Sequence[str | None]]]
"""Gives the answer to each (prompt, model, seed); None where the model cannot answer the prompt."""


@dataclass(frozen=True, slots=True)
class Terms:
    """Who meets whom, and how."""

    experiment: int
    candidate: str
    opponent: str
    rule: Rule
    votes_per_prompt: int
    votes_per_voter: int
    """Votes after which a voter's session closes, so that their mean counts."""

    session_seconds: float
    """Or so long after their last vote."""

    reference_share: float
    """Share of all votes that compares the candidate with the reference instead of the opponent, 0 to below 1."""

    seed: int

    def is_over(self, means: VoterMeans) -> bool:
        """Whether the votes are enough."""
        if self.experiment != BASELINE:
            return self.decision(means) is not None
        interval = anytime(means.wins, means.losses, self.rule.alpha)
        narrow = interval is not None and half_width(interval) <= BASELINE_HALF_WIDTH
        return means.voters >= self.voters or (narrow and means.voters >= self.rule.min_votes)

    def decision(self, means: VoterMeans) -> Outcome | None:
        """What the votes say; always None for the baseline, which nobody decides on."""
        return None if self.experiment == BASELINE else decide(self.rule, means)

    @property
    def voters(self) -> int:
        """Voters at which it is over in any case."""
        return min(BASELINE_VOTES, self.rule.max_votes) if self.experiment == BASELINE else self.rule.max_votes

    def share_done(self, means: VoterMeans) -> float:
        """How near the end is, 0 to 1."""
        return means.voters / self.voters if self.experiment == BASELINE else progress(self.rule, means)

    def pairs(self, prompt: str) -> list[tuple[str, str]]:
        """Models that are compared on a prompt: candidate and opponent, on a share of them the reference too."""
        pairs = [(self.candidate, self.opponent)]
        # Every prompt has the first pair, so a share s of all votes is s / (1 - s) of the prompts.
        due = self.reference_share / (1 - self.reference_share)
        if self.opponent != REFERENCE and self._chance("reference", prompt) < due:
            pairs.append((self.candidate, REFERENCE))
        return pairs

    def displayed(self, pair: tuple[str, str], prompt: str) -> tuple[str, str]:
        """The pair in random display order, the same one after a kill."""
        return pair if self._chance("order", prompt, *pair) < 0.5 else (pair[1], pair[0])

    def answer_seed(self, prompt: str, model: str) -> int:
        """Seed of a model's answer to a prompt."""
        return self._number("answer", prompt, model)

    def _chance(self, *what: str) -> float:
        return self._number(*what) / 2**48

    def _number(self, *what: str) -> int:
        words = "\x1f".join((str(self.seed), str(self.experiment), *what))
        return int.from_bytes(hashlib.sha256(words.encode()).digest()[:6])


class Contest:
    """The evaluation under way; begun again after a kill it asks for nothing that the store has."""

    def __init__(self, store: Store, terms: Terms, prompts: Sequence[Prompt], answers: Answers, source: VoteSource):
        """Take up what the store has of this experiment.

        Args:
            store: Of the run.
            terms: Who meets whom.
            prompts: Held-out prompts in the order of this experiment.
            answers: Asks the models.
            source: Who votes.
        """
        self._store, self._terms, self._prompts, self._ask, self._source = store, terms, prompts, answers, source
        self._keys = store.read.vote_keys(terms.experiment)
        self._voted = _voters_by_pair(store.read.votes(terms.experiment))
        self._texts = {(each.prompt, each.model): each.text for each in store.read.answers(terms.experiment)}
        self._pending: list[Future[int]] = []
        self._told: VoterMeans | None = None
        self._began = time.monotonic()
        self.means = store.read.voter_means(terms.experiment, terms.candidate, terms.opponent)
        """Candidate against opponent so far, each voter as one."""

        self._known = -1
        """Votes of the store that were met here; others have come past this source."""

        self._before = self.means.voters
        self.asked = 0
        """Prompts that were looked at."""

    async def run(self) -> None:
        """Go on until the votes are enough or the prompts are used up."""
        while self.asked < len(self._prompts) and not self._terms.is_over(self.means):
            start = self.asked
            batch = self._prompts[start : start + min(MOST, max(FEWEST, start // 2))]
            await self._answer(batch)
            battles = [battle for place, prompt in enumerate(batch, start) for battle in self._battles(place, prompt)]
            self.asked = start + len(batch)
            await self._vote(battles, last=self.asked == len(self._prompts))

    async def _answer(self, batch: Sequence[Prompt]) -> None:
        """Have all answers that the batch needs, each asked for once in the life of the experiment."""
        missing = [
            (prompt, model)
            for prompt in batch
            for model in dict.fromkeys(model for pair in self._terms.pairs(prompt.id) for model in pair)
            if (prompt.id, model) not in self._texts
        ]
        if not missing:
            return
        wanted = [(prompt, model, self._terms.answer_seed(prompt.id, model)) for prompt, model in missing]
        found = await self._ask(wanted)
        new = [
            Answer(self._terms.experiment, prompt.id, model, clean(text))
            for (prompt, model), text in zip(missing, found, strict=True)
            if text is not None
        ]
        asked = list({prompt.id: (prompt.id, clean(display(prompt))) for prompt, _ in missing}.values())
        await self._store.do(lambda db: (writes.add_prompts(db, asked), writes.add_answers(db, new)))
        self._texts |= {(answer.prompt, answer.model): answer.text for answer in new}

    def _battles(self, place: int, prompt: Prompt) -> list[Battle]:
        """What the voters see of a prompt; a pair that lacks an answer is left out."""
        wanted = self._terms.votes_per_prompt
        battles: list[Battle] = []
        for number, pair in enumerate(self._terms.pairs(prompt.id)):
            if any((prompt.id, model) not in self._texts for model in pair):
                continue
            a, b = self._terms.displayed(pair, prompt.id)
            battles.append(
                Battle(
                    self._terms.experiment, prompt.id, clean(display(prompt)), a, b, self._texts[prompt.id, a],
                    self._texts[prompt.id, b], (2 * place + number) * wanted, wanted,
                    self._voted.setdefault((prompt.id, *sorted(pair)), set()),
                )
            )  # fmt: skip
        return battles

    async def _vote(self, battles: Sequence[Battle], last: bool) -> None:
        """Take votes as they come and look at the tally after each; what was taken is durable at the end."""
        try:
            async with aclosing(self._source.cast(battles, last)) as votes:
                async for vote in votes:
                    if vote:
                        self._take(vote)
                    await self._look()
                    if self._terms.is_over(self.means) or (vote is None and last and self._all_judged(battles)):
                        break
        finally:
            await self._settle()
        await self._look()
        await self._store.do(writes.set_progress, self._progress())

    def _take(self, vote: Vote) -> None:
        voters = self._voted.setdefault(_pair(vote), set())
        if vote.key in self._keys or len(voters) >= self._terms.votes_per_prompt:
            return
        self._keys.add(vote.key)
        voters.add(vote.voter)
        self._pending.append(self._store.submit(writes.add_votes, [vote], self._terms.votes_per_prompt))

    async def close(self) -> None:
        """Count every voter who has voted: no more votes are waited for."""
        await self._look(idle_since=math.inf)

    async def _look(self, idle_since: float | None = None) -> None:
        """Count by the store: people at a dashboard vote past this source."""
        terms, read = self._terms, self._store.read
        idle = time.time() - terms.session_seconds if idle_since is None else idle_since
        closed = self._store.do(writes.close_sessions, terms.experiment, 0, idle, terms.votes_per_voter)
        await asyncio.gather(self._settle(), closed)
        rivals = dict.fromkeys((terms.opponent, REFERENCE))
        tallies = [read.tally(terms.experiment, terms.candidate, rival) for rival in rivals]
        votes = sum(tally.decisive + tally.ties for tally in tallies)
        if votes != self._known:
            self._known = votes
            for pair, voters in _voters_by_pair(read.votes(terms.experiment)).items():
                self._voted.setdefault(pair, set()).update(voters)
        self.means = read.voter_means(terms.experiment, terms.candidate, terms.opponent)
        if self.means != self._told:
            self._told = self.means
            self._store.submit(writes.set_progress, self._progress())

    async def _settle(self) -> None:
        pending, self._pending = self._pending, []
        counted = await asyncio.gather(*(asyncio.wrap_future(future) for future in pending))
        self._known += sum(counted)

    def _all_judged(self, battles: Sequence[Battle]) -> bool:
        """Whether there is nothing to wait for: votes against the reference are welcome, but do not decide."""
        return all(
            len(battle.voted) >= battle.wanted
            for battle in battles
            if {battle.model_a, battle.model_b} == {self._terms.candidate, self._terms.opponent}
        )

    def _progress(self) -> Progress:
        voters, total = self.means.voters, self._terms.voters
        detail, eta = self._detail(), self._eta(time.monotonic())
        return Progress(Lane.EVALUATE, self._terms.experiment, "votes", voters, total, detail, eta, time.time())

    def _detail(self) -> str:
        interval = anytime(self.means.wins, self.means.losses, self._terms.rule.alpha)
        voters = "simulated voters" if self._source.simulated else "votes from people"
        if interval is None:
            return f"against {self._terms.opponent} · {voters}"
        rate = f"{100 * interval.estimate:.1f} ± {100 * half_width(interval):.1f} %"
        return f"{rate} · against {self._terms.opponent} · {voters}"

    def _eta(self, now: float) -> float | None:
        """Seconds until the cap or the nearest end, as fast as the votes came until now."""
        came = self.means.voters - self._before
        if self._terms.experiment == BASELINE:
            left: int | None = self._terms.voters - self.means.voters
        else:
            left = to_go(self._terms.rule, self.means)
        if not came or left is None:
            return None
        return left * (now - self._began) / came


def _voters_by_pair(votes: Sequence[Vote]) -> dict[tuple[str, ...], set[str]]:
    found: dict[tuple[str, ...], set[str]] = {}
    for vote in votes:
        found.setdefault(_pair(vote), set()).add(vote.voter)
    return found


def _pair(vote: Vote) -> tuple[str, ...]:
    return (vote.prompt, *sorted((vote.model_a, vote.model_b)))
