"""Whom the voting page shows what, attention checks, and what makes a voter doubtful."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from checkpoints.records import Choice
from lanes.arena.ballots import DECOY, Ballot, Pair, Source
from lanes.arena.flags import doubts, flags
from lanes.arena.ledger import Ledger
from lanes.arena.lineup import Arm, Lineup
from lanes.arena.showing import HOLD_SECONDS, Showing

LINEUP = Lineup(arms=(Arm(experiment=1, candidate="exp-0001", opponent="exp-0000"),), champion="exp-0000")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path) as ledger:
        ledger.set_lineup(LINEUP)
        ledger.add_pairs(pair(number) for number in range(30))
        yield ledger


def pair(number: int) -> Pair:
    asked = ({"role": "user", "content": f"question {number}"},)
    return Pair(
        f"pair-{number:02}", 1, 0, f"prompt-{number}", asked, "exp-0001", "exp-0000", f"candidate's answer {number}",
        f"champion's answer {number}", Source.HELDOUT, False, False, float(number),
    )  # fmt: skip


def vote(ledger: Ledger, voter: str, on: Pair, choice: Choice = Choice.A, seconds: float = 9.0) -> None:
    seen = on.as_shown_to(voter, ledger.secret)
    ledger.add_ballots([
        Ballot(
            f"{voter}/{on.id}", on.id, on.source, on.prompt, seen.model_a, seen.model_b, on.experiment, on.test, voter,
            choice, "", seconds, False, False, 1.0,
        )
    ])  # fmt: skip


def look_and_vote(ledger: Ledger, lineup: Lineup, showing: Showing, voter: str, times: int) -> list[Pair]:
    ledger.set_lineup(lineup)
    seen: list[Pair] = []
    for _ in range(times):
        found = showing.next(ledger, lineup, voter)
        assert found
        ledger.add_pairs([found])
        vote(ledger, voter, found)
        seen.append(found)
    return seen


def test_people_who_come_together_see_different_pairs_and_each_sees_theirs_until_they_vote(ledger: Ledger) -> None:
    showing = Showing()
    seen = {f"voter-{number}": showing.next(ledger, LINEUP, f"voter-{number}") for number in range(20)}
    assert len({one.id for one in seen.values() if one}) == 20
    assert {voter: showing.next(ledger, LINEUP, voter) for voter in seen} == seen


def test_a_person_keeps_their_pair_though_others_vote_on_it_meanwhile(ledger: Ledger) -> None:
    ledger.set_lineup(LINEUP.model_copy(update={"votes_per_prompt": 2}))
    showing = Showing()
    theirs = showing.next(ledger, LINEUP, "anna")
    assert theirs
    vote(ledger, "ben", theirs)
    assert showing.next(ledger, LINEUP, "anna") == theirs


def test_nobody_sees_a_pair_twice_and_at_the_end_there_is_none(ledger: Ledger) -> None:
    seen = look_and_vote(ledger, LINEUP.model_copy(update={"votes_per_prompt": 9}), Showing(), "anna", 30)
    assert len({one.id for one in seen}) == 30
    assert Showing().next(ledger, LINEUP, "anna") is None


def test_a_pair_that_somebody_walked_away_from_is_shown_to_the_next(ledger: Ledger) -> None:
    now = [0.0]
    showing = Showing(lambda: now[0])
    left = showing.next(ledger, LINEUP, "anna")
    assert showing.next(ledger, LINEUP, "ben") != left
    now[0] += HOLD_SECONDS + 1
    assert showing.next(ledger, LINEUP, "carla") == left


def test_an_attention_check_shows_the_champions_answer_against_one_to_another_prompt(ledger: Ledger) -> None:
    lineup = LINEUP.model_copy(update={"attention_every": 4, "votes_per_prompt": 9})
    seen = look_and_vote(ledger, lineup, Showing(), "anna", 12)
    checks = [number for number, one in enumerate(seen) if one.source is Source.ATTENTION]
    assert checks == [3, 7, 11]
    for check in (seen[number] for number in checks):
        asked = check.messages[0]["content"].removeprefix("question ")
        assert (check.model_a, check.answer_a) == ("exp-0000", f"champion's answer {asked}")
        assert check.model_b == DECOY and check.answer_b.startswith("champion's answer ")
        assert check.answer_b != check.answer_a
        assert check.messages in [one.messages for one in seen if one.source is Source.HELDOUT]
    [anna] = ledger.voter_figures(["anna"])
    assert (anna.votes, anna.attention_passed + anna.attention_failed) == (9, 3)


def test_who_always_takes_the_first_fails_about_half_of_the_attention_checks(ledger: Ledger) -> None:
    lineup = LINEUP.model_copy(update={"attention_every": 2, "votes_per_prompt": 99})
    for number in range(10):
        look_and_vote(ledger, lineup, Showing(), f"voter-{number}", 12)
    found = ledger.voter_figures()
    passed, failed = sum(one.attention_passed for one in found), sum(one.attention_failed for one in found)
    # A check cannot be made before two pairs were voted on.
    assert passed + failed == 50 and 15 <= failed <= 35


def test_the_order_of_the_two_answers_is_random_over_pairs_and_the_same_for_one_person() -> None:
    first = Counter(pair(number).as_shown_to("anna", b"secret").model_a for number in range(400))
    assert 160 < first["exp-0001"] < 240
    assert pair(7).as_shown_to("anna", b"secret") == pair(7).as_shown_to("anna", b"secret")


@pytest.mark.parametrize(
    ("choices", "seconds", "doubt"),
    [
        ([Choice.A] * 10 + [Choice.B] * 10, 6.0, ""),
        ([Choice.A] * 17 + [Choice.B] * 3, 6.0, ""),
        ([Choice.A] * 18 + [Choice.B] * 2 + [Choice.TIE] * 5, 6.0, "always chooses the answer shown first"),
        ([Choice.B] * 20, 6.0, "always chooses the answer shown second"),
        ([Choice.A] * 19, 6.0, ""),
        ([Choice.TIE] * 3, 0.9, "votes faster than anybody reads"),
        ([Choice.TIE] * 3, 1.1, ""),
        ([Choice.TIE], 0.2, "votes faster than anybody reads"),
    ],
)
def test_who_is_too_fast_or_always_takes_one_side_is_doubtful(
    ledger: Ledger, choices: list[Choice], seconds: float, doubt: str
) -> None:
    for number, choice in enumerate(choices):
        vote(ledger, "anna", pair(number), choice, seconds)
    found = doubts(ledger.voter_figures())
    assert doubt in found.get("anna", "") if doubt else not found


def test_a_doubt_says_how_to_exclude_in_words_that_stay_while_votes_come_in(ledger: Ledger) -> None:
    for number in range(20):
        vote(ledger, "o'neil", pair(number))
    before = doubts(ledger.voter_figures())
    vote(ledger, "o'neil", pair(20))
    assert doubts(ledger.voter_figures()) == before
    assert before["o'neil"].endswith("arena exclude 'o'\"'\"'neil' --reason …")
    [figures] = ledger.voter_figures()
    assert [flag.found for flag in flags(figures)] == ["shown first chosen 21 of 21 times"]


def test_failed_attention_checks_make_doubtful_and_one_slip_of_many_does_not(ledger: Ledger) -> None:
    [anna] = ledger.voter_figures(["anna"])
    slipped = replace(anna, attention_passed=9, attention_failed=1)
    careless = replace(anna, attention_passed=6, attention_failed=2)
    assert not flags(slipped)
    assert [flag.found for flag in flags(careless)] == ["2 of 8 attention checks failed"]
