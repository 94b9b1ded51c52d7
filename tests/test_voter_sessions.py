"""Voters in the store: each counts once, by the mean of a session that has closed, and not at all when excluded."""

from pathlib import Path

import pytest

from checkpoints import writes
from checkpoints.records import Choice, Proposal, Tally, Vote, VoterMeans
from checkpoints.store import Store
from checkpoints.writes import Conflict

OURS, THEIRS = "exp-0001", "exp-0000"


@pytest.fixture
async def store(tmp_path: Path):
    with Store(tmp_path) as opened:
        for number in range(2):
            await opened.do(writes.propose, Proposal(f"belief {number}", "data", None, "program"))
        yield opened


async def vote(store: Store, voter: str, choices: str, test: int = 0, at: float = 100.0, first: str = OURS) -> None:
    """A voter's votes, a letter each: w for our model, l for the other, t for about equal."""
    second = THEIRS if first == OURS else OURS
    meant = {"w": Choice.A if first == OURS else Choice.B, "l": Choice.B if first == OURS else Choice.A}
    votes = [
        Vote(1, f"{voter}/{test}/{first}/{place}/{at}", voter, f"p{place}{first}{at}", first, second,
             meant.get(letter, Choice.TIE), False, at + place, test)
        for place, letter in enumerate(choices)
    ]  # fmt: skip
    await store.do(writes.add_votes, votes)


def means(store: Store, test: int = 0) -> VoterMeans:
    return store.read.voter_means(1, OURS, THEIRS, test)


async def test_a_voter_counts_once_when_their_session_has_closed_and_by_their_mean(store: Store) -> None:
    await vote(store, "ana", "wwl")
    await vote(store, "ana", "wt", first=THEIRS)
    await vote(store, "ben", "l", at=900)
    assert means(store) == VoterMeans((), open=2)
    assert await store.do(writes.close_sessions, 1, 0, 800.0, 99) == 1
    assert means(store) == VoterMeans(((0.5, 1),), open=1), "three wins to one loss; the tie moves nothing"
    assert await store.do(writes.close_sessions, 1, 0, 0.0, 1) == 1, "ben has cast one vote"
    assert means(store) == VoterMeans(((0.5, 1), (-1.0, 1)))
    assert store.read.voter_means(1, THEIRS, OURS) == VoterMeans(((1.0, 1), (-0.5, 1)))


async def test_votes_after_the_session_has_closed_tell_of_the_ranking_only(store: Store) -> None:
    await vote(store, "ana", "w")
    await store.do(writes.close_sessions, 1, 0, 0.0, 1)
    await vote(store, "ana", "llll", at=500)
    assert means(store) == VoterMeans(((1.0, 1),))
    assert store.read.tally(1, OURS, THEIRS) == Tally(1, 4, 0)


async def test_a_voter_without_a_decisive_vote_has_no_mean(store: Store) -> None:
    await vote(store, "ana", "ttt")
    await store.do(writes.close_sessions, 1, 0, 0.0, 1)
    assert means(store) == VoterMeans()


async def test_votes_of_a_promotion_test_are_fresh_ones(store: Store) -> None:
    await vote(store, "ana", "ww")
    await vote(store, "ana", "l", test=3)
    for test in (0, 3):
        await store.do(writes.close_sessions, 1, test, 0.0, 1)
    assert means(store) == VoterMeans(((1.0, 1),)) and means(store, 3) == VoterMeans(((-1.0, 1),))
    assert store.read.tally(1, OURS, THEIRS, 3) == Tally(0, 1, 0)
    assert sum(n for *_, n in store.read.pair_counts()) == 3, "the ranking has them all"


async def test_an_excluded_voters_votes_count_nowhere_until_they_are_readmitted(store: Store) -> None:
    await vote(store, "ana", "ww")
    await vote(store, "bot", "llll")
    await store.do(writes.close_sessions, 1, 0, 0.0, 1)
    assert await store.do(writes.exclude, "bot", "always the left") == 4
    await vote(store, "bot", "l", at=700)
    assert means(store) == VoterMeans(((1.0, 1),)) and store.read.tally(1, OURS, THEIRS) == Tally(2, 0, 0)
    assert [(one.voter, one.reason) for one in store.read.exclusions()] == [("bot", "always the left")]
    with pytest.raises(Conflict, match="bot is excluded already"):
        await store.do(writes.exclude, "bot", "again")
    assert await store.do(writes.readmit, "bot") == 5
    assert means(store) == VoterMeans(((1.0, 1), (-1.0, 1))) and store.read.tally(1, OURS, THEIRS) == Tally(2, 5, 0)
