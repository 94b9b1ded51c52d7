"""The votes: handed in, each counted once and durable before it is acknowledged; read by cursor; one's own standing."""

from __future__ import annotations

import time
from typing import Any, TypeVar, cast

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import from_json, to_json
from starlette.responses import Response

from checkpoints.records import Choice, Json
from checkpoints.text import clean
from lanes.arena.ballots import Ballot, Fate, Pair, Source, Taken
from lanes.arena.door import EVERYBODY, PRODUCTS, VOTERS, Asked, Door
from lanes.arena.entry import Caller, Kind
from lanes.arena.problems import Problem, invalid
from lanes.arena.service import Service
from lanes.arena.vote_body import (
    MOST_VOTES,
    BattleVote,
    Counted,
    Feed,
    FeedQuery,
    Health,
    KnownVote,
    OwnStanding,
    ReportedVote,
    Results,
    StandingQuery,
    Vote,
    Votes,
)
from lanes.rows import prompt_key

Q = TypeVar("Q", bound=BaseModel)

_BATTLE_VOTE, _REPORTED_VOTE = TypeAdapter(BattleVote), TypeAdapter(ReportedVote)


def doors(service: Service) -> list[Door]:
    """Where votes are handed in and read."""
    votes = _Votes(service)
    return [
        Door(
            "POST", "/v1/votes", votes.hand_in, VOTERS, "Hand in a vote, or a list of up to 100.", takes=Votes,
            gives={200: Results}, fails=(404, 409, 503),
        ),
        Door(
            "GET", "/v1/votes", votes.feed, PRODUCTS, "Votes in the order in which they came.", query=FeedQuery,
            gives={200: Feed},
        ),
        Door(
            "GET", "/v1/standing", votes.standing, VOTERS, "How many votes one voter has cast.", query=StandingQuery,
            gives={200: OwnStanding},
        ),
        Door("GET", "/health", votes.health, EVERYBODY, "Whether votes can be kept.", gives={200: Health}),
    ]  # fmt: skip


class _Votes:
    def __init__(self, service: Service) -> None:
        self._service = service

    async def hand_in(self, asked: Asked) -> Response:
        """``POST /v1/votes``."""
        caller = cast(Caller, asked.caller)
        try:
            sent = from_json(asked.body, allow_inf_nan=False)
        except ValueError as error:
            raise Problem(400, "not_json", f"the body is no JSON: {error}") from None
        key = asked.header("idempotency-key")
        if not isinstance(sent, list):
            return _json(await self._one(_vote(sent, caller, key), caller))
        rows = cast(list[Any], sent)
        if not 1 <= len(rows) <= MOST_VOTES:
            raise Problem(422, "invalid", f"a list has 1 to {MOST_VOTES} votes, this one {len(rows)}")
        return _json(await self._many(_votes(rows, caller, key), caller))

    async def feed(self, asked: Asked) -> Response:
        """``GET /v1/votes``."""
        query = _query(FeedQuery, asked)
        ballots = self._service.ledger.ballots(query.after, query.limit)
        known = tuple(_known(ballot) for ballot in ballots if ballot.source is not Source.ATTENTION)
        return _json(Feed(votes=known, next=ballots[-1].seq if ballots else query.after))

    async def standing(self, asked: Asked) -> Response:
        """``GET /v1/standing``."""
        caller, lineup = cast(Caller, asked.caller), self._service.lineup
        own = {"voter": caller.name} if caller.kind is Kind.PERSON else {}
        voter = self._voter(_query(StandingQuery, asked, own).voter, caller)
        wanted = lineup.votes_per_voter if lineup and lineup.arms else None
        return _json(OwnStanding(voter=voter, votes=self._service.ledger.votes_of(voter), wanted=wanted))

    async def health(self, _: Asked) -> Response:
        """``GET /health``."""
        writer = self._service.writer
        return _json(
            Health(
                status="waiting" if writer.trouble else "ok", trouble=writer.trouble,
                troubles=writer.troubles.times, last_trouble=writer.troubles.last,
            )
        )  # fmt: skip

    async def _one(self, vote: Vote, caller: Caller) -> Counted:
        ballot = self._ballot(vote, caller)
        return _counted((await self._add([ballot]))[0])

    async def _many(self, votes: list[Vote], caller: Caller) -> list[Json]:
        """What became of each; one that cannot be counted takes no other along."""
        read = [self._read(vote, caller) for vote in votes]
        ballots = [each for each in read if isinstance(each, Ballot)]
        taken = iter(await self._add(ballots) if ballots else [])
        return [each.body if isinstance(each, Problem) else _result(next(taken)) for each in read]

    async def _add(self, ballots: list[Ballot]) -> list[Taken]:
        taken = await self._service.write(lambda ledger: ledger.add_ballots(ballots))
        if any(each.fate is Fate.COUNTED for each in taken):
            self._service.wanted.used()
        return taken

    def _read(self, vote: Vote, caller: Caller) -> Ballot | Problem:
        try:
            return self._ballot(vote, caller)
        except Problem as problem:
            return problem

    def _ballot(self, vote: Vote, caller: Caller) -> Ballot:
        """A vote as it is kept.

        Raises:
            Problem: 403, 404 or 422.
        """
        voter = self._voter(vote.voter, caller)
        if isinstance(vote, BattleVote):
            return self._on_battle(vote, voter, caller)
        return self._reported(vote, voter, caller)

    def _on_battle(self, vote: BattleVote, voter: str, caller: Caller) -> Ballot:
        pair = self._service.ledger.pair(vote.battle)
        if pair is None or not _is_for(caller, pair.source, pair.simulated):
            raise Problem(404, "unknown_battle", "there is no such battle", "battle")
        seconds = vote.seconds
        if caller.kind is Kind.PERSON:
            seconds = self._looked_for(vote, pair, voter)
            pair = pair.as_shown_to(voter, self._service.ledger.secret)
        return Ballot(
            _key(vote.key, caller), pair.id, pair.source, pair.prompt, pair.model_a, pair.model_b, pair.experiment,
            pair.test, voter, Choice(vote.choice), clean(vote.comment), seconds,
            pair.consent if vote.consent is None else vote.consent, caller.simulated, time.time(),
        )  # fmt: skip

    def _looked_for(self, vote: BattleVote, pair: Pair, voter: str) -> float | None:
        """How long a person looked before they voted: what they say, but no longer than it was there to be seen.

        Raises:
            Problem: 404 where it was never there for them, 422 where it was too short.
        """
        lineup, ledger = self._service.lineup, self._service.ledger
        least = lineup.min_seconds if lineup else 0.0
        shown = self._service.showing.seconds(voter, pair.id)
        if shown is None and pair.closed and not ledger.has_voted(voter, pair.id):
            raise Problem(404, "unknown_battle", "this battle is open no longer", "battle")
        seconds = min((each for each in (vote.seconds, shown) if each is not None), default=None)
        # After a restart nobody knows what was shown when: what the page says is all that there is.
        if least and (vote.seconds is None or seconds is None or seconds < least):
            line = f"please look at both answers for {least:g} s at least, then vote again"
            raise Problem(422, "too_fast", line, "seconds")
        return seconds

    def _voter(self, name: str, caller: Caller) -> str:
        """Who votes: nobody under another's name, and no user of a product under that of who was invited."""
        if caller.kind is not Kind.PERSON:
            known = clean(name)
            return f"reported {known}" if self._service.ledger.is_invited(known) else known
        if name != caller.name:
            raise Problem(403, "forbidden", "this token is another voter's", "voter")
        return clean(name)

    def _reported(self, vote: ReportedVote, voter: str, caller: Caller) -> Ballot:
        if caller.kind is Kind.PERSON:
            raise Problem(403, "forbidden", "votes with model names are for products: name the battle")
        for param, model in (("model_a", vote.model_a), ("model_b", vote.model_b)):
            if model not in self._service.models:
                raise Problem(422, "unknown_model", f"{param}: no model of this run has this name", param)
        if vote.model_a == vote.model_b:
            raise Problem(422, "same_model", "model_b: a vote is on two models", "model_b")
        lineup, now = self._service.lineup, time.time()
        arm = lineup.arm_of(vote.model_a, vote.model_b) if lineup else None
        return Ballot(
            _key(vote.key, caller), None, Source.REPORT, _prompt(vote), vote.model_a, vote.model_b,
            arm.experiment if arm else None, arm.test if arm else 0, voter, Choice(vote.choice), clean(vote.comment),
            vote.seconds, bool(vote.consent), caller.simulated, now if vote.at is None else min(vote.at, now),
        )  # fmt: skip


def _vote(row: object, caller: Caller, key: str | None) -> Vote:
    """What was sent, with the name and the key that the request says beside it."""
    if not isinstance(row, dict):
        raise Problem(422, "invalid", "a vote is an object")
    said = cast(dict[str, Any], row)
    if key is not None:
        said = {"key": key} | said
    if caller.kind is Kind.PERSON:
        said = {"voter": caller.name} | said
    try:
        return (_REPORTED_VOTE if "model_a" in said else _BATTLE_VOTE).validate_python(said)
    except ValidationError as error:
        raise invalid(error) from None


def _votes(rows: list[Any], caller: Caller, key: str | None) -> list[Vote]:
    """All of a list; where one is none, none is taken, and the message says which."""
    votes: list[Vote] = []
    for place, row in enumerate(rows):
        try:
            votes.append(_vote(row, caller, f"{key}:{place}" if key else None))
        except Problem as problem:
            param = f"{place}.{problem.param}" if problem.param else str(place)
            line = f"vote {place} of the list: {problem.message}; none was counted"
            raise Problem(problem.status, problem.code, line, param) from None
    return votes


def _is_for(caller: Caller, source: Source, simulated: bool) -> bool:
    """Whether a caller may vote on a pair: people on the page's, a product on its own."""
    if caller.kind is Kind.PERSON:
        return source in (Source.HELDOUT, Source.ATTENTION)
    return source is Source.PRODUCT and simulated == caller.simulated


def _key(key: str, caller: Caller) -> str:
    """The key in the ledger, where nobody can take another's."""
    return f"{caller.kind}/{caller.name}/{key}" if caller.name else f"{caller.kind}/{key}"


def _prompt(vote: ReportedVote) -> str:
    """Id of the prompt: the product's own, a hash of the text, or one that no other vote has."""
    if vote.prompt_id is not None:
        return clean(vote.prompt_id)
    return f"report/{vote.key}" if vote.prompt is None else prompt_key(({"role": "user", "content": vote.prompt},))


def _counted(taken: Taken) -> Counted:
    if taken.fate is Fate.CONFLICT:
        line = f"the key, or this voter's vote on the pair, is taken by vote {taken.seq}, which says otherwise"
        raise Problem(409, "conflict", line, "key")
    return Counted(vote=taken.seq, counted=taken.fate is Fate.COUNTED)


def _result(taken: Taken) -> Json:
    try:
        return _counted(taken).model_dump()
    except Problem as problem:
        return problem.body


def _known(ballot: Ballot) -> KnownVote:
    return KnownVote(
        vote=ballot.seq, key=ballot.key, battle=ballot.battle, model_a=ballot.model_a, model_b=ballot.model_b,
        choice=ballot.choice.value, voter=ballot.voter, prompt=ballot.prompt, comment=ballot.comment,
        simulated=ballot.simulated, at=ballot.at,
    )  # fmt: skip


def _query(kind: type[Q], asked: Asked, beside: dict[str, str] | None = None) -> Q:
    """The query's parameters, with what is known ``beside`` them."""
    pairs = asked.request.query_params.multi_items()
    said = dict(pairs)
    if len(said) < len(pairs):
        raise Problem(422, "invalid", "a parameter is there more than once")
    return kind.model_validate((beside or {}) | said)


def _json(value: object) -> Response:
    return Response(to_json(value), media_type="application/json")
