"""Who is answered when: models that say one letter a turn stand in for those that draw tokens."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, cast

import pytest

from lanes.troubles import Troubles
from lanes.workers import batching
from lanes.workers.batching import Batcher
from lanes.workers.chat import Ask, Busy, Said
from lanes.workers.reply import Reply

SECONDS = 10.0


class Letters:
    """An answer of `max_tokens` letters."""

    def __init__(self, reply: Reply) -> None:
        self.reply, self.ask, self.text, self.over = reply, reply.ask, "", False


class Scripted:
    """Answers with letters: a turn each time somebody says so; a model whose name begins with "whole" has weights of
    its own."""

    def __init__(self) -> None:
        self.troubles = Troubles()
        self.turns = threading.Semaphore(0)
        self.begun = threading.Semaphore(0)
        self.done: list[str] = []

    def begin(self, reply: Reply) -> Letters | None:
        return Letters(reply) if reply.begin() else None

    def together(self, rows: Sequence[Letters]) -> list[list[Letters]]:
        groups: dict[str, list[Letters]] = {}
        for row in rows:
            model = row.ask.model
            groups.setdefault(model if model.startswith("whole") else "", []).append(row)
        return list(groups.values())

    def go_on(self, rows: Sequence[Letters], pause: Callable[[], bool]) -> None:
        self.begun.release()
        while not all(row.over for row in rows):
            assert self.turns.acquire(timeout=SECONDS)
            for row in rows:
                self._say(row)
            if pause():
                return

    def _say(self, row: Letters) -> None:
        if row.over:
            return
        row.text += "x"
        row.reply.tell(row.text)
        if len(row.text) == row.ask.max_tokens or row.reply.left:
            row.over = True
            self.done.append(row.ask.model)
            row.reply.finish(Said(row.text, 1, len(row.text), "length"))


class Counter:
    """A batcher over scripted models."""

    def __init__(self, size: int) -> None:
        self.models = Scripted()
        self.batcher = Batcher(cast(Any, self.models), size)

    def ask(self, model: str, letters: int) -> Reply:
        reply = Reply(Ask(model, (), 0.0, 1.0, letters, 0))
        self.batcher.ask(reply)
        return reply

    def wait_until_begun(self) -> None:
        assert self.models.begun.acquire(timeout=SECONDS)

    def turn(self, times: int) -> None:
        self.models.turns.release(times)


def text(reply: Reply) -> str:
    return reply.said.result(SECONDS).text


def wait_until_counted(reply: Reply) -> None:
    """The batcher's own callback runs before this one."""
    counted = threading.Event()
    reply.said.add_done_callback(lambda _: counted.set())
    assert counted.wait(SECONDS)


def test_a_short_answer_neither_waits_for_a_long_one_nor_for_the_end_of_the_batch() -> None:
    counter = Counter(size=4)
    long, short = counter.ask("a", 50), counter.ask("b", 1)
    counter.turn(3)
    assert text(short) == "x"
    late = counter.ask("c", 2)
    counter.turn(4)
    assert text(late) == "xx"
    assert not long.said.done()
    counter.turn(50)
    assert text(long) == "x" * 50


def test_no_more_are_answered_together_than_the_batch_takes() -> None:
    counter = Counter(size=2)
    first = [counter.ask(name, 5) for name in "ab"]
    third = counter.ask("c", 1)
    counter.turn(8)
    assert text(third) == "x"
    assert counter.models.done == ["a", "b", "c"]
    assert all(reply.said.done() for reply in first)


def test_models_with_weights_of_their_own_take_turns() -> None:
    counter = Counter(size=4)
    long, other = counter.ask("a", 30), counter.ask("whole-b", 3)
    counter.turn(10)
    assert text(other) == "xxx"
    assert not long.said.done()
    counter.turn(30)
    assert text(long) == "x" * 30


@pytest.mark.parametrize("neighbour", ["other", "whole-other"])
def test_a_model_is_unloaded_after_those_who_asked_it_before_and_before_those_who_ask_after(neighbour: str) -> None:
    counter = Counter(size=4)
    before, other = counter.ask("before", 3), counter.ask(neighbour, 30)
    counter.wait_until_begun()
    change = counter.batcher.change("before", lambda _: counter.models.done.append("change"))
    after = counter.ask("after", 1)
    counter.turn(12)
    assert (text(before), text(after)) == ("xxx", "x")
    assert change.done()
    assert counter.models.done == ["before", "change", "after"]
    counter.turn(30)
    assert text(other) == "x" * 30


def test_a_model_is_loaded_while_others_answer() -> None:
    counter = Counter(size=4)
    other = counter.ask("other", 30)
    counter.wait_until_begun()
    change = counter.batcher.change("new", lambda _: None)
    counter.turn(2)
    change.result(SECONDS)
    new = counter.ask("new", 1)
    counter.turn(3)
    assert text(new) == "x"
    assert not other.said.done()
    counter.turn(30)
    text(other)


def test_who_went_away_before_the_turn_is_not_answered() -> None:
    counter = Counter(size=1)
    first, second = counter.ask("a", 2), counter.ask("b", 2)
    counter.wait_until_begun()
    second.leave()
    third = counter.ask("c", 1)
    counter.turn(3)
    assert (text(first), text(third)) == ("xx", "x")
    assert counter.models.done == ["a", "c"]


def test_one_too_many_is_asked_to_come_back_until_somebody_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "MOST", 2)
    counter = Counter(size=1)
    first, _ = counter.ask("a", 1), counter.ask("b", 1)
    with pytest.raises(Busy, match="ask again"):
        counter.ask("c", 1)
    assert counter.batcher.troubles.told()["troubles"] == 1
    counter.turn(1)
    wait_until_counted(first)
    third = counter.ask("c", 1)
    assert counter.batcher.is_busy
    counter.turn(2)
    wait_until_counted(third)
    assert not counter.batcher.is_busy
