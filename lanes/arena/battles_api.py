"""Battles for a product: it says what a user asked, and shows the two answers that it is given. Whatever happens to a
candidate, the user gets an answer as long as one model has one.
"""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import AsyncGenerator, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from starlette.responses import Response

from lanes.arena.allocation import Meeting, next_meeting
from lanes.arena.answers import Answers, question
from lanes.arena.ballots import Exposure, Pair, Source
from lanes.arena.battle_body import Answer, Battle, ChatRequest, PromptRequest, Turn, json_object, turns
from lanes.arena.door import PRODUCTS, Asked, Door
from lanes.arena.duel import Hear, Patience, Said, ask_all, not_heard
from lanes.arena.events import Events, Say, event, while_there
from lanes.arena.exposure import Shown, exposures
from lanes.arena.lineup import Lineup
from lanes.arena.problems import Problem
from lanes.arena.service import Service
from lanes.rows import prompt_key

Side = Literal["a", "b"]

RETRY_SECONDS = 2.0
"""When to ask again, for who found no model that answers."""


@dataclass(frozen=True, slots=True)
class _Bout:
    """One request on its way."""

    id: str
    lineup: Lineup
    server: Path
    messages: tuple[dict[str, str], ...]
    meeting: Meeting | None
    """None where the serving model answers alone."""

    models: dict[Side, str]
    consent: bool
    simulated: bool

    @property
    def candidate(self) -> Side:
        """The candidate's side."""
        return "a" if self.meeting and self.models["a"] == self.meeting.arm.candidate else "b"


def doors(service: Service, answers: Answers, patience: Patience) -> Iterable[Door]:
    """Where battles are asked for.

    Args:
        service: Of the arena.
        answers: Asks the models.
        patience: How long they have.
    """
    battles = _Battles(service, answers, patience)
    yield Door(
        "POST", "/v1/battles", battles.make, PRODUCTS, "Have a prompt answered by two models, or by one.",
        takes=PromptRequest | ChatRequest, gives={200: Battle}, streams=True, fails=(503,),
    )  # fmt: skip


class _Battles:
    def __init__(self, service: Service, answers: Answers, patience: Patience) -> None:
        self._service, self._answers, self._patience = service, answers, patience
        self._shown = Shown(service.ledger)
        self._chance = random.Random()
        self._complained: set[str] = set()

    async def make(self, asked: Asked) -> Response:
        """``POST /v1/battles``."""
        wanted = _wanted(json_object(asked.body))
        bout = self._bout(wanted, asked)
        if wanted.stream:
            return Events(lambda say: self._tell(bout, say))
        battle = await while_there(asked.request.receive, self._fight(bout, not_heard, in_pieces=False))
        return _json(battle)

    def _bout(self, wanted: PromptRequest | ChatRequest, asked: Asked) -> _Bout:
        lineup = self._service.lineup
        if lineup is None or lineup.server is None:
            raise Problem(503, "no_model", "no model is deployed now", retry_after=RETRY_SECONDS)
        meeting = next_meeting(lineup, self._shown.of(lineup), self._chance)
        models: dict[Side, str] = {"a": lineup.promoted or lineup.champion}
        if meeting:
            models = {"a": meeting.model_a, "b": meeting.model_b}
        simulated = asked.caller is not None and asked.caller.simulated
        return _Bout(
            secrets.token_urlsafe(12), lineup, lineup.server, _messages(wanted), meeting, models, wanted.consent,
            simulated,
        )  # fmt: skip

    async def _tell(self, bout: _Bout, say: Say) -> None:
        """The battle as events."""
        begun, gone = False, False

        def hear(side: str, piece: str | None) -> None:
            nonlocal begun, gone
            gone = gone or piece is None
            if piece is not None and not begun:
                begun = True
                say(event("battle", {"battle": None if gone or bout.meeting is None else bout.id}))
            if begun:
                say(event("withdrawn", {"id": side}) if piece is None else event("piece", {"id": side, "text": piece}))

        try:
            battle = await self._fight(bout, hear, in_pieces=True)
        except Problem as problem:
            if not begun:
                raise
            say(event("error", problem.body))
        else:
            say(event("done", battle.model_dump(exclude_none=True) | {"battle": battle.battle}))

    async def _fight(self, bout: _Bout, hear: Hear, in_pieces: bool) -> Battle:
        """Have the answers; what is returned with a battle's id can be voted on.

        Raises:
            Problem: 503 where nobody answers, 422 where no model takes the messages.
        """
        if bout.meeting is None:
            said = await ask_all(self._sides(bout, in_pieces), self._patience, hear)
            return self._alone(bout, said)
        arm, given, begun = bout.meeting.arm, False, False

        def hear_too(side: str, piece: str | None) -> None:
            nonlocal begun
            begun = begun or (in_pieces and piece is not None and side == bout.candidate)
            hear(side, piece)

        self._shown.add(arm.candidate, 1)
        try:
            said = await ask_all(self._sides(bout, in_pieces), self._patience, hear_too)
            given = not said[bout.candidate].failure
            return await self._judged(bout, bout.meeting, said, hear)
        finally:
            if not given and begun:
                await self._seen_in_part(Exposure(arm.experiment, arm.candidate, begun=1))
            elif not given:
                self._shown.add(arm.candidate, -1)

    async def _seen_in_part(self, exposure: Exposure) -> None:
        """Count what somebody saw the beginning of: the write is in its queue at once, whoever goes away meanwhile."""
        with suppress(Problem):
            await self._service.write(lambda ledger: ledger.add_exposure(exposure))

    def _sides(self, bout: _Bout, in_pieces: bool) -> dict[str, AsyncGenerator[str]]:
        ask = self._answers.pieces if in_pieces else self._answers.whole
        return {
            side: ask(bout.server, question(bout.lineup, model, bout.messages, self._chance.getrandbits(62)))
            for side, model in bout.models.items()
        }

    async def _judged(self, bout: _Bout, meeting: Meeting, said: dict[str, Said], hear: Hear) -> Battle:
        """Two answers to vote on, durable by then, or the one that there is."""
        mine = bout.candidate
        counted = exposures(meeting, said[mine], said["b" if mine == "a" else "a"])
        pairs = [] if any(each.failure for each in said.values()) else [_pair(bout, meeting, said)]
        try:
            await self._service.write(
                lambda ledger: (ledger.add_pairs(pairs), [ledger.add_exposure(each) for each in counted])
            )
        except Problem:
            # What cannot be kept cannot be voted on, but the user waits for an answer.
            if not pairs:
                return self._alone(bout, said)
            hear(mine, None)
            return self._alone(bout, {side: each for side, each in said.items() if side != mine})
        if not pairs:
            return self._alone(bout, said)
        self._service.wanted.used()
        return Battle(battle=bout.id, answers=tuple(Answer(id=side, text=said[side].text) for side in bout.models))

    def _alone(self, bout: _Bout, said: dict[str, Said]) -> Battle:
        """The one answer that there is."""
        for side, each in said.items():
            if each.failure:
                self._complain(f"{bout.models[cast(Side, side)]} gave no answer: {each.failure}")
        for side, model in bout.models.items():
            if side in said and not said[side].failure:
                self._service.wanted.used()
                return Battle(battle=None, answers=(Answer(id=side, text=said[side].text, model=model),))
        if all(each.refused for each in said.values()):
            raise Problem(422, "unanswerable", f"the models do not take this: {next(iter(said.values())).failure}")
        raise Problem(503, "no_answer", "no model answers now: ask again in a moment", retry_after=RETRY_SECONDS)

    def _complain(self, line: str) -> None:
        """Say once in the service's log why a model gave no answer."""
        if line not in self._complained and len(self._complained) < 1000:
            self._complained.add(line)
            print(line, flush=True)


def _wanted(said: dict[str, Any]) -> PromptRequest | ChatRequest:
    # One of the two is chosen first, so that a failure is said of what was meant.
    return (ChatRequest if "messages" in said else PromptRequest).model_validate(said)


def _messages(wanted: PromptRequest | ChatRequest) -> tuple[dict[str, str], ...]:
    asked = [Turn(role="user", content=wanted.prompt)] if isinstance(wanted, PromptRequest) else wanted.messages
    return turns(asked)


def _pair(bout: _Bout, meeting: Meeting, said: dict[str, Said]) -> Pair:
    return Pair(
        bout.id, meeting.arm.experiment, meeting.arm.test, prompt_key(bout.messages), bout.messages, bout.models["a"],
        bout.models["b"], said["a"].text, said["b"].text, Source.PRODUCT, bout.consent, bout.simulated, time.time(),
    )  # fmt: skip


def _json(battle: Battle) -> Response:
    whole = battle.model_dump_json(exclude={"answers": {"__all__": {"model"}}} if battle.battle else None)
    return Response(whole, media_type="application/json")
