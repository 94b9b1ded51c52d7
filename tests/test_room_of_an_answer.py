"""An answer's length is limited, and what the caps leave is held before each request that a question leads to."""

from __future__ import annotations

import pytest
from scripted_model import breaks_off, fails, says
from test_language_model import FITS, PROPOSE, Run, loop, run, service, shared

from lanes.workers.agent_room import MOST_OUT
from runner.agent.asking import Question, Unreadable, Unusable

__all__ = ["loop", "run", "service", "shared"]

LONG = Question(PROPOSE.purpose, ({"role": "user", "content": "word " * 2500},), PROPOSE.schema)


def cap(run: Run, more: int) -> int:
    """A cap that leaves so many tokens."""
    most = run.store.read.spent().tokens + more
    run.set(max_tokens=most)
    return most


def sent(run: Run) -> list[int | None]:
    """The limit that each request has named."""
    return [asked.body.get("max_tokens") for asked in run.service.asked]


def test_each_request_names_how_long_the_answer_may_be(run: Run) -> None:
    run.service.script(says(FITS))
    run.ask()
    cap(run, 4000)
    run.ask()
    free, capped = sent(run)
    assert free == MOST_OUT and capped is not None and 3000 < capped < 4000


def test_half_answers_are_not_asked_for_again_past_the_cap(run: Run) -> None:
    most = cap(run, 4400)
    run.service.script(breaks_off({"field": "x" * 4000}, after=3000))
    with pytest.raises(Unreadable, match=r"agent.max_tokens leaves no room for another answer"):
        run.ask(LONG)
    assert len(run.service.asked) == 1 and run.store.read.spent().tokens <= most
    with pytest.raises(Unusable) as unusable:
        run.ask(LONG)
    assert unusable.value.spent


def test_no_further_form_is_tried_past_the_cap(run: Run) -> None:
    cap(run, 4400)
    run.service.script(says("not a word of JSON", usage=(2600, 900)))
    with pytest.raises(Unreadable, match=r"agent.max_tokens leaves no room"):
        run.ask(LONG)
    assert [asked.form for asked in run.service.asked] == ["json_schema"]


def test_an_answer_that_heeds_no_limit_is_broken_off_soon_after_it(run: Run) -> None:
    cap(run, 1000)
    run.service.script(says("drip " * 100_000, piece=4000))
    with pytest.raises(Unreadable, match="cut off at"):
        run.ask()
    assert run.store.read.exchanges(last=1)[0].tokens_out < 4000


def test_a_service_that_takes_no_such_limit_is_asked_without_it(run: Run) -> None:
    refused = "max_tokens is too large: this model supports at most 4096 completion tokens"
    run.service.script(fails(400, refused), says(FITS))
    assert run.ask().value == FITS
    assert sent(run) == [MOST_OUT, None] and run.service.asked[1].form == "json_schema"
