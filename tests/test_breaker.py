"""The circuit breaker: who is asked when, by how the last questions went."""

from __future__ import annotations

from runner.agent.breaker import FAILURES, LONGEST_SECONDS, Breaker


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def fail(breaker: Breaker, **how: float) -> float:
    return breaker.failed("no answer", breaker.enter(), **how)  # type: ignore[arg-type]


def test_it_opens_after_failures_in_a_row_and_for_longer_each_time() -> None:
    clock = Clock()
    breaker = Breaker(clock)
    opened = [fail(breaker) for _ in range(FAILURES)]
    assert opened == [0.0, 0.0, 30.0] and breaker.rests == 30.0 and breaker.why == "no answer"
    pauses: list[float] = []
    for _ in range(7):
        clock.now += breaker.rests
        pauses.append(fail(breaker))
    assert pauses == [60.0, 120.0, 240.0, 480.0, LONGEST_SECONDS, LONGEST_SECONDS, LONGEST_SECONDS]
    clock.now += 600
    assert breaker.worked(breaker.enter()) and not breaker.rests
    assert [fail(breaker) for _ in range(FAILURES)] == [0.0, 0.0, 30.0]


def test_an_answer_in_between_starts_the_count_anew() -> None:
    breaker = Breaker(Clock())
    for _ in range(5):
        fail(breaker), fail(breaker)
        assert not breaker.worked(breaker.enter()) and not breaker.rests


def test_one_question_probes_and_one_that_is_taken_back_leaves_it_to_the_next() -> None:
    clock = Clock()
    breaker = Breaker(clock)
    for _ in range(FAILURES):
        fail(breaker)
    clock.now = 30.0
    assert not breaker.rests
    probe = breaker.enter()
    assert probe and breaker.rests
    breaker.withdraw(probe)
    assert not breaker.rests and breaker.enter()


def test_what_a_service_wishes_and_what_nobody_can_mend_opens_it_at_once() -> None:
    assert fail(Breaker(Clock()), wait=45.0) == 45.0
    assert fail(Breaker(Clock()), wait=1e9) == 3600.0
    assert fail(Breaker(Clock()), hopeless=True) == LONGEST_SECONDS
