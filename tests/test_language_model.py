"""The language model of a run, asked through litellm at a real service: what services do wrong, and what is kept."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from scripted_model import NAME, Reply, ScriptedModel, breaks_off, fails, hangs, refuses, says, scripted_model

from checkpoints.store import Store
from checkpoints.thought import Exchange, Purpose
from runner.agent.asking import Answer, Question, Unreadable, Unusable
from runner.agent.model import FOLDER, Model
from runner.agent.process import LOG
from runner.settings import Agent

SECRET = "sk-a-secret-of-a-person-0123456789"

SCHEMA = {
    "type": "object",
    "properties": {"field": {"type": "string"}, "value": {"type": "number", "minimum": 0}},
    "required": ["field", "value"],
    "additionalProperties": False,
}
FITS = {"field": "training.beta", "value": 0.2}

TWO = 'Either\n```json\n{"field": "a", "value": 1}\n```\nor\n```json\n{"field": "b", "value": 1}\n```'

MESSAGES = ({"role": "system", "content": "Be brief."}, {"role": "user", "content": "What to change?"})
PROPOSE = Question(Purpose.PROPOSE, MESSAGES, SCHEMA)
ASK = Question(Purpose.ASK, ({"role": "user", "content": "What now?"},))


class Run:
    """A run with an agent, and the model that it asks."""

    def __init__(self, service: ScriptedModel, store: Store, loop: asyncio.Runner) -> None:
        self.service, self.store, self.loop = service, store, loop
        self.settings = Agent(model=NAME, api_base=service.base, timeout_seconds=10)
        self.model = Model(store, lambda: self.settings)

    def set(self, **fields: object) -> None:
        self.settings = self.settings.model_copy(update=fields)

    def ask(self, question: Question = PROPOSE) -> Answer:
        return self.loop.run(self.model.ask(question))

    def last(self) -> Exchange:
        return self.store.read.exchanges(last=1)[0]

    def said(self) -> list[str]:
        self.store.submit(lambda _: None).result()  # done when all before it are
        return [event.text for event in self.store.read.events() if event.kind == "agent"]


@contextmanager
def run_in(folder: Path, service: ScriptedModel, loop: asyncio.Runner) -> Iterator[Run]:
    with Store(folder) as store:
        run = Run(service, store, loop)
        yield run
        loop.run(run.model.close())


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="module")
def service() -> Iterator[ScriptedModel]:
    with scripted_model() as service:
        yield service


@pytest.fixture(scope="module")
def shared(service: ScriptedModel, loop: asyncio.Runner, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """One process for all tests that leave it alive: litellm takes seconds to import."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("OPENAI_API_KEY", raising=False)
        patch.setenv("SOME_API_KEY", SECRET)
        with run_in(tmp_path_factory.mktemp("run"), service, loop) as run:
            service.script(says("ready"))
            run.ask(ASK)
            yield run


@pytest.fixture
def run(shared: Run) -> Run:
    """The same, with nothing learnt and nothing held against it."""
    shared.set(timeout_seconds=10.0, max_tokens=None, max_usd=None)
    shared.service.script(says(FITS))
    shared.ask()
    shared.model._connection._form = None  # type: ignore[union-attr]
    return shared


def test_an_answer_that_fits_the_schema_is_kept_with_what_was_sent_and_used(run: Run) -> None:
    run.service.script(says(FITS, usage=(321, 45)))
    answer = run.ask()
    kept = run.store.read.exchange(answer.exchange)
    assert kept and answer.value == FITS
    assert (kept.purpose, kept.model, kept.form, kept.error) == (Purpose.PROPOSE, NAME, "json_schema", "")
    assert (kept.tokens_in, kept.tokens_out, kept.usd) == (321, 45, None)
    assert "Be brief." in kept.request and kept.answer == answer.text
    [asked] = run.service.asked
    assert asked.body["stream"] and asked.body["response_format"]["json_schema"]["strict"] and asked.schema == SCHEMA


def test_words_are_shown_while_they_come_and_not_after(run: Run) -> None:
    run.service.script(says("one two three four five six " * 2, piece=4, piece_pause=0.1))

    async def watch() -> list[str]:
        seen: list[str] = []
        asking = asyncio.create_task(run.model.ask(ASK))
        while not asking.done():
            if (speech := run.store.read.speech()) and speech.purpose is Purpose.ASK:
                seen.append(speech.text)
            await asyncio.sleep(0.05)
        assert (await asking).text == "one two three four five six " * 2
        return seen

    seen = run.loop.run(watch())
    assert seen[0] == "" and len(set(seen)) >= 3 and all(text[:8] in ("", "one", "one ", "one two ") for text in seen)
    run.said()
    assert run.store.read.speech() is None


@pytest.mark.parametrize(
    ("takes", "form"),
    [({"tool", "json_mode"}, "tool"), ({"json_mode"}, "json_mode"), (set[str](), "fenced")],
)
def test_a_form_that_the_service_does_not_take_is_left_out_from_then_on(run: Run, takes: set[str], form: str) -> None:
    run.service.script(says(f"```json\n{says(FITS).text}\n```" if form == "fenced" else FITS))
    run.service.takes = frozenset(takes)
    assert run.ask().value == FITS and run.last().form == form
    tried = len(run.service.asked)
    assert tried == 2 + ["tool", "json_mode", "fenced"].index(form)
    assert run.ask().value == FITS and len(run.service.asked) == tried + 1
    if form != "tool":
        assert '"minimum": 0' in run.service.asked[-1].prompt


def test_a_model_that_answers_a_form_in_words_is_asked_in_the_next_one(run: Run) -> None:
    run.service.script(says("beta, I think"), says("beta!", calls=False), says(FITS))
    assert run.ask().value == FITS
    assert [asked.form for asked in run.service.asked] == ["json_schema", "tool", "json_mode"]
    assert run.last().tokens_in == 300


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (says({"field": 3, "value": -1}), "field: 3 is not of type 'string'\nvalue: -1 is less than the minimum of 0"),
        (says('{"field": "x", "value": NaN}'), "NaN is no number"),
        (says('{"field": "x", '), "the JSON in it is broken at line 1, column"),
        (says('{"field": "x", ', finish="length"), "it was cut off where the model's answers end; say it shorter"),
        (says(TWO), "it holds 2 different answers; give one"),
        (says("[" * 100_000 + "{", piece=5000), "the JSON in it is"),
        (says("so " * 1000, piece=3), "it says the same over and over"),
        (refuses("I will not."), "it was declined: I will not."),
        (says("x" * 1_000_000, piece=10_000), "it was cut off at 200,000 bytes; say it shorter"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_an_answer_is_said_to_whoever_gave_it(run: Run, reply: Reply, why: str) -> None:
    run.service.script(says(FITS), reply)
    run.ask()
    with pytest.raises(Unreadable) as raised:
        run.ask()
    assert why in str(raised.value) and len(str(raised.value)) < 1000
    kept = run.store.read.exchange(raised.value.exchange)
    assert kept and why in kept.error and len(run.service.asked) == 2


def test_a_busy_service_is_asked_again_when_it_says_and_half_an_answer_is_none(run: Run) -> None:
    run.service.script(fails(429, retry_after="1.5"), breaks_off(FITS), says(FITS))
    assert run.ask().value == FITS
    first, second, _ = (asked.at for asked in run.service.asked)
    assert second - first >= 1.5
    assert f"{NAME} was asked again, and answered: " in run.said()[-1]
    assert run.last().seconds >= 1.5


@pytest.mark.parametrize(
    ("reply", "line"),
    [
        (fails(429, retry_after="3600"), f"{NAME} asks to be left alone for 3600 s"),
        (fails(401, f"Incorrect key: {SECRET[:8]}*****{SECRET[-4:]}"), "asks for a key: set OPENAI_API_KEY"),
        (fails(404, "The model `scripted` does not exist"), "there is no such model, or no service"),
        (fails(400, "This model's maximum context length is 8 tokens"), "the question is too long for it"),
        (fails(400, f"not {SECRET}, nor {SECRET[:14]}"), f"{NAME} refused the request: not …, nor …"),
        (hangs(), "gave no whole answer in 1 s, agent.timeout_seconds"),
        (says("drip " * 100, piece=1, piece_pause=0.05), "gave no whole answer in 1 s, agent.timeout_seconds"),
    ],
)  # fmt: skip
def test_who_cannot_be_asked_says_why_in_one_line_and_no_key(run: Run, reply: Reply, line: str) -> None:
    run.set(timeout_seconds=1.0)
    run.service.script(reply)
    with pytest.raises(Unusable) as raised:
        run.ask()
    assert line in str(raised.value) and "\n" not in str(raised.value) and not raised.value.spent
    assert run.last().error == str(raised.value) and len(run.service.asked) == 1
    log = (run.store.folder / FOLDER / LOG).read_text()
    assert not [text for text in (str(raised.value), log, *run.said()) if SECRET[:8] in text]
    run.model._connection._breaker.worked(True)  # type: ignore[union-attr]


def test_a_cap_is_held_before_it_is_passed_and_said_once(run: Run) -> None:
    run.service.script(says(FITS, usage=(1000, 100)))
    run.ask()
    run.set(max_tokens=run.store.read.spent().tokens + 1500)
    asked = 0
    for _ in range(4):
        try:
            run.ask()
            asked += 1
        except Unusable as unusable:
            assert unusable.spent and "tokens, agent.max_tokens" in str(unusable)
    assert asked == 1 and len([line for line in run.said() if "agent.max_tokens" in line]) == 1
    assert run.store.read.spent().tokens <= (run.settings.max_tokens or 0)


def test_a_price_that_nobody_knows_is_none_and_is_said_once_where_it_matters(run: Run) -> None:
    run.set(max_usd=0.01)
    for _ in range(2):
        run.ask()
    assert run.last().usd is None
    assert len([line for line in run.said() if f"nobody knows the price of {NAME}" in line]) == 1


def test_two_questions_at_once_do_not_wait_for_each_other(run: Run) -> None:
    run.service.script(lambda asked: says(FITS, pause=1.5) if asked.form == "json_schema" else says("at once"))

    async def both() -> tuple[Answer, Answer, float]:
        proposing = asyncio.create_task(run.model.ask(PROPOSE))
        await asyncio.sleep(0.3)
        began = time.monotonic()
        words = await run.model.ask(ASK)
        seconds = time.monotonic() - began
        await asyncio.sleep(0.1)
        speech = run.store.read.speech()
        assert speech and speech.purpose is Purpose.PROPOSE
        return words, await proposing, seconds

    words, proposed, seconds = run.loop.run(both())
    assert (words.text, proposed.value) == ("at once", FITS) and seconds < 1.0


def test_a_question_that_is_taken_back_is_kept_and_leaves_nothing_to_the_next(run: Run) -> None:
    run.service.script(says("never mind " * 100, piece=4, piece_pause=0.05))

    async def take_back() -> None:
        asking = asyncio.create_task(run.model.ask(ASK))
        await asyncio.sleep(0.8)
        asking.cancel()
        await asyncio.wait([asking])
        assert asking.cancelled()

    run.loop.run(take_back())
    run.said()
    kept = run.last()
    assert kept.error == "it was taken back" and kept.answer.startswith("never mind") and kept.tokens_in > 0
    assert run.store.read.speech() is None
    wait_for(lambda: bool(run.service.broken_off), seconds=4)
    run.service.script(says(FITS))
    assert run.ask().value == FITS


def test_after_failures_in_a_row_nobody_is_asked_until_a_probe_is_answered(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runner.agent.breaker.FIRST_SECONDS", 0.5)
    run.service.script(fails(400, "no"))
    for _ in range(5):
        with pytest.raises(Unusable) as raised:
            run.ask(ASK)
    assert len(run.service.asked) == 3 and f"{NAME} is left alone for" in str(raised.value)
    assert run.said()[-1] == f"{NAME} is left alone for 0 s: it refused the request: no"
    time.sleep(0.6)
    run.service.script(says("back"))
    assert run.ask(ASK).text == "back" and run.said()[-1] == f"{NAME} answers again"


@pytest.mark.slow
def test_a_process_that_dies_is_started_again(run: Run) -> None:
    run.service.script(says("slow", pause=1.0), says("again"))

    async def kill() -> Answer:
        asking = asyncio.create_task(run.model.ask(ASK))
        await asyncio.sleep(0.5)
        [child] = workers()
        os.kill(child, signal.SIGKILL)
        return await asking

    assert run.loop.run(kill()).text == "again" and len(workers()) == 1
    assert f"{NAME} is asked once more, in another process: the agent's process has ended" in run.said()[-1]


@pytest.mark.slow
def test_another_model_gets_a_process_of_its_own_and_its_price_is_held(run: Run) -> None:
    [before] = workers()
    run.set(model="openai/gpt-4o-mini")
    run.service.script(says("cheap", usage=(1_000_000, 100_000)))
    run.ask(ASK)
    assert run.last().model == run.model.name == "openai/gpt-4o-mini"
    assert run.last().usd == pytest.approx(0.15 + 0.06)
    wait_for(lambda: before not in workers(), run.loop)
    run.set(max_usd=0.2100001)
    with pytest.raises(Unusable, match="has used 0.21 of 0.21 USD, agent.max_usd") as raised:
        run.ask(ASK)
    assert raised.value.spent and len(run.service.asked) == 1


def test_a_key_that_is_missing_is_named_and_nothing_is_sent(
    tmp_path: Path, service: ScriptedModel, loop: asyncio.Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    with run_in(tmp_path, service, loop) as run:
        run.set(model="anthropic/claude-x", api_base=None)
        with pytest.raises(Unusable) as raised:
            run.ask()
        line = "anthropic/claude-x needs ANTHROPIC_API_KEY in the environment; set it"
        assert str(raised.value) == f"{line}, or go on with agent: {{model: playbook}}" == run.last().error
        with pytest.raises(Unusable, match="anthropic/claude-x is left alone for 600 s more"):
            run.ask()


def workers() -> list[int]:
    return [child.pid for child in psutil.Process().children() if "lanes.workers.agent" in child.cmdline()]


def wait_for(come: Callable[[], bool], loop: asyncio.Runner | None = None, seconds: float = 10) -> None:
    until = time.monotonic() + seconds
    while not come():
        assert time.monotonic() < until
        loop.run(asyncio.sleep(0.02)) if loop else time.sleep(0.02)
