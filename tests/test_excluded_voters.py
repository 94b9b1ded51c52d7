"""A voter who is excluded while votes come in takes no pair from the others, and no look or plot keeps them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Iterator, Sequence
from pathlib import Path

import pytest

from checkpoints import writes
from checkpoints.records import Choice, Lane, Proposal, Vote
from checkpoints.store import Store
from lanes.analyze.verdict import Rule
from lanes.contest import Contest
from lanes.looks import Looks
from lanes.rows import Prompt
from lanes.terms import Terms
from lanes.vote_limit import full
from lanes.votes import Battle
from tui.plots.votes import read_ballots

OURS, THEIRS = "exp-0001", "exp-0000"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "run") as store:
        for number in range(2):
            store.submit(writes.propose, Proposal(f"belief {number}", "data", None, "program")).result()
        yield store


def vote(voter: str, prompt: str, choice: Choice = Choice.A, test: int = 0) -> Vote:
    return Vote(1, f"{test}:{prompt}:{voter}", voter, prompt, OURS, THEIRS, choice, False, time.time(), test)


async def begin(store: Store) -> None:
    """The evaluation of experiment 1 is under way, one vote a pair."""
    for lane in (Lane.TRAIN, Lane.UPLOAD):
        await store.do(writes.start_stage, 1, lane, {})
        await store.do(writes.finish_stage, 1, lane, 1, {}, 1.0)
    await store.do(writes.start_stage, 1, Lane.EVALUATE, {"votes_per_prompt": 1}, opponent=0)


async def test_the_pairs_of_an_excluded_voter_are_open_to_the_others_again(store: Store) -> None:
    await begin(store)
    pairs = [f"p{place}" for place in range(10)]
    assert await store.do(writes.add_votes, [vote("bot", pair) for pair in pairs], 1) == 10
    assert full(store.read, store.read.experiment(1), OURS, THEIRS) == {*pairs}
    await store.do(writes.exclude, "bot", "always the left")
    assert full(store.read, store.read.experiment(1), OURS, THEIRS) == set()
    await store.do(writes.add_votes, [vote("bot", "another")], 1)
    people = [vote(f"person-{pair}", pair) for pair in [*pairs, "another"]]
    assert await store.do(writes.add_votes, people, 1) == 11
    assert await store.do(writes.add_votes, [vote("late", pair) for pair in pairs], 1) == 0, "one vote a pair"


class BotFirst:
    """A bot votes on every battle and is excluded; then people vote on what is asked for still."""

    simulated = False

    def __init__(self, store: Store) -> None:
        self._store = store

    async def cast(self, battles: Sequence[Battle], last: bool) -> AsyncGenerator[Vote | None]:
        for battle in battles[:-1]:
            yield battle.vote("bot", Choice.B, False)
        yield None
        await self._store.do(writes.exclude, "bot", "always the right")
        yield None
        yield battles[-1].vote("bot", Choice.B, False)
        for battle in battles:
            if len(battle.voted) < battle.wanted:
                yield battle.vote(f"person-{battle.prompt}", Choice.A, False)
        yield None


async def answers(wanted: Sequence[object]) -> list[str]:
    return ["an answer"] * len(wanted)


async def test_an_evaluation_asks_people_on_what_an_excluded_voter_had_voted_on(store: Store) -> None:
    await begin(store)
    terms = Terms(1, OURS, THEIRS, Rule(min_votes=50, max_votes=99), 1, 1, 600.0, 0.0, 7)
    prompts = [Prompt(f"p{place}", ({"role": "user", "content": "Hi"},), None, "") for place in range(8)]
    async with asyncio.timeout(10):
        await Contest(store, terms, prompts, answers, BotFirst(store)).run()
    assert store.read.tally(1, OURS, THEIRS).decisive == len(prompts), "one vote a pair, and none of the bot's"


async def close(store: Store, test: int, *votes: Vote) -> None:
    await store.do(writes.add_votes, votes)
    await store.do(writes.close_sessions, 1, test, 0.0, 1)


async def test_the_looks_at_a_test_begin_anew_without_an_excluded_voter_also_after_a_kill(store: Store) -> None:
    test = await store.do(writes.begin_test, 1, 0, {})
    terms = Terms(1, OURS, THEIRS, Rule(), 1, 1, 600.0, 0.0, 7, test)
    looks = Looks(store, terms)

    async def looked(by: Looks) -> list[tuple[int, str]]:
        by.look()
        await store.do(lambda _: None)
        return [(look.voters, look.model) for look in store.read.looks_of(test)]

    await close(store, test, vote("bot", "p0", Choice.B, test))
    await close(store, test, *(vote(name, f"p-{name}", Choice.A, test) for name in ("ana", "ben")))
    assert await looked(looks) == [(1, THEIRS), (2, THEIRS), (3, OURS)]
    await store.do(writes.exclude, "bot", "always the right")
    assert await looked(Looks(store, terms)) == [(1, OURS), (2, OURS)]
    await store.do(writes.readmit, "bot")
    assert await looked(looks) == [(1, OURS), (2, OURS), (3, OURS)], "who is admitted again comes last"
    assert await looked(looks) == [(1, OURS), (2, OURS), (3, OURS)], "nothing has come since"


async def test_the_plot_of_votes_follows_who_is_excluded_and_admitted_again(store: Store) -> None:
    await begin(store)
    experiment = store.read.experiment(1)
    await close(store, 0, vote("bot", "p0", Choice.B))
    await close(store, 0, vote("ana", "p1"))
    shown = read_ballots(store.folder, experiment, None)
    assert shown.wins == (0.0, 1.0)
    await store.do(writes.exclude, "bot", "always the right")
    without = read_ballots(store.folder, experiment, shown)
    assert without.wins == (1.0,)
    await store.do(writes.readmit, "bot")
    assert read_ballots(store.folder, experiment, without).wins == (1.0, 1.0)
    assert read_ballots(store.folder, experiment, shown).wins == (1.0, 1.0), "out and in between two looks"
