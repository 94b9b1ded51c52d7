"""Who meets whom: shares, limits and the arm where a vote decides most."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from lanes.arena.allocation import FLOOR, TESTS_SHARE, Meeting, next_meeting
from lanes.arena.lineup import Arm, Lineup

REQUESTS = 4_000


def arm(number: int, wins: float = 0, losses: float = 0, test: int = 0, exposure: int = 0) -> Arm:
    return Arm(
        experiment=number, test=test, candidate=f"exp-{number:04d}", opponent="exp-0000", wins=wins, losses=losses,
        exposure=exposure,
    )  # fmt: skip


def lineup(*arms: Arm, **fields: Any) -> Lineup:
    return Lineup(arms=arms, champion="exp-0000", **fields)


def meetings(lineup: Lineup, shown: dict[str, int] | None = None, seed: int = 1) -> list[Meeting | None]:
    chance = random.Random(seed)
    return [next_meeting(lineup, shown or {}, chance) for _ in range(REQUESTS)]


def shares(found: list[Meeting | None]) -> dict[str | None, float]:
    """Share of the requests by candidate."""
    counts = Counter(meeting.arm.candidate if meeting else None for meeting in found)
    return {candidate: count / len(found) for candidate, count in counts.items()}


def share(found: list[Meeting | None], **wanted: str) -> float:
    return sum(all(getattr(one, name) == value for name, value in wanted.items()) for one in found) / len(found)


def test_the_candidate_meets_the_champion_and_in_a_share_of_the_battles_the_reference() -> None:
    found = meetings(lineup(arm(1), reference_share=0.25))
    assert abs(share(found, rival="reference") - 0.25) < 0.03
    assert share(found, rival="reference") + share(found, rival="exp-0000") == 1


def test_each_of_the_two_is_shown_first_in_half_of_the_battles() -> None:
    assert abs(share(meetings(lineup(arm(1))), model_a="exp-0001") - 0.5) < 0.03


def test_the_traffic_that_is_not_shared_and_all_of_it_without_an_open_question_stays_with_the_serving_model() -> None:
    assert abs(shares(meetings(lineup(arm(1), traffic_share=0.2)))[None] - 0.8) < 0.03
    assert shares(meetings(lineup())) == {None: 1}


def test_a_candidate_that_was_shown_often_enough_gives_its_place_to_the_others() -> None:
    two = lineup(arm(1, exposure=99), arm(2), max_exposure=100)
    assert shares(meetings(two))["exp-0001"] > 0.3
    assert shares(meetings(two, {"exp-0001": 100})) == {"exp-0002": 1}, "the service has counted on"
    assert shares(meetings(lineup(arm(1, exposure=100), max_exposure=100))) == {None: 1}
    champion = arm(1, exposure=100, test=1)
    assert shares(meetings(lineup(champion, max_exposure=100))) == {"exp-0001": 1}, "everybody is shown it anyway"


def test_traffic_goes_to_the_arm_that_is_ahead_and_a_floor_of_it_to_every_other() -> None:
    found = shares(meetings(lineup(arm(1, 60, 40), arm(2, 3, 9), arm(3, 50, 52))))
    assert found["exp-0001"] > 0.7
    assert abs(found["exp-0002"] - FLOOR) < 0.03, "it has fewer than a tenth of the votes and looks bad"
    assert found["exp-0003"] > 0.01


def test_the_floor_is_never_more_than_half_an_even_share() -> None:
    many = [arm(number, 5, 20) for number in range(1, 20)]
    found = shares(meetings(lineup(arm(20, 200, 100), *many)))
    assert found["exp-0020"] > 0.9, "a tenth for each of nineteen would leave it nothing"


def test_a_promotion_test_has_half_of_the_traffic_beside_experiments_and_all_of_it_alone() -> None:
    both = meetings(lineup(arm(1, 90, 10), arm(2, test=1), reference_share=0.4))
    assert abs(shares(both)["exp-0002"] - TESTS_SHARE) < 0.03
    assert {one.rival for one in both if one and one.arm.test} == {"exp-0000"}, "its votes rank nobody else"
    assert shares(meetings(lineup(arm(2, test=1)))) == {"exp-0002": 1}


counts = st.floats(0, 2_000, allow_nan=False)
arms = st.lists(st.tuples(counts, counts, st.integers(0, 1), st.integers(0, 20)), max_size=12)


@given(arms, st.floats(0, 1), st.floats(0, 1), st.none() | st.integers(1, 20), st.integers(0, 999))
def test_whoever_meets_is_open_and_has_room_and_never_meets_itself(
    given_arms: list[tuple[float, float, int, int]], reference: float, traffic: float, most: int | None, seed: int
) -> None:
    opened = [arm(number, w, lo, test, e) for number, (w, lo, test, e) in enumerate(given_arms, start=1)]
    wanted = lineup(*opened, reference_share=reference, traffic_share=traffic, max_exposure=most)
    meeting = next_meeting(wanted, {}, random.Random(seed))
    if meeting is None:
        return
    assert meeting.arm in opened
    assert most is None or meeting.arm.test or meeting.arm.exposure < most
    assert {meeting.model_a, meeting.model_b} == {meeting.arm.candidate, meeting.rival}
    assert meeting.rival in ("exp-0000", "reference")
