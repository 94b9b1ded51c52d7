"""The voting page of people: its files, and the next pair for a voter; they vote as everybody does."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.resources import files
from typing import Literal

from pydantic import BaseModel, ConfigDict
from starlette.responses import JSONResponse, Response

from checkpoints.text import clean
from lanes.arena.ballots import Pair, Source
from lanes.arena.door import EVERYBODY, Asked, Door, Handler
from lanes.arena.entry import Kind
from lanes.arena.service import Service

FILES = {"/": ("vote.html", "text/html"), "/page/vote.css": ("vote.css", "text/css"),
         "/page/vote.js": ("vote.js", "text/javascript")}  # fmt: skip

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
"""Nothing but the page's own files and its own service: no text that is shown can load or run anything."""

PEOPLE = frozenset({Kind.PERSON})


class _Said(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class NextQuery(_Said):
    """Which pair is asked for."""

    more: Literal["true", "false"] = "false"
    """Go on although the session is over."""


class Turn(_Said):
    """One turn of the conversation that was answered."""

    role: str
    content: str


class Shown(_Said):
    """A pair as one voter sees it: without names, in an order of their own."""

    battle: str
    prompt: tuple[Turn, ...]
    first: str
    second: str


class Next(_Said):
    """What the page shows now."""

    pair: Shown | None
    done: int
    """Votes of this voter so far."""

    of: int
    """Votes of one session."""

    over: bool
    """The session has just ended."""

    more: bool
    """There are further pairs."""

    excluded: bool = False
    """This voter is asked no longer."""


def doors(service: Service) -> Iterable[Door]:
    """The page's doors."""
    booth = _Booth(service)
    for path, (name, kind) in FILES.items():
        yield Door("GET", path, _file(name, kind), EVERYBODY, f"The voting page: {name}.", gives={200: kind})
    yield Door(
        "GET", "/v1/page/next", booth.next, PEOPLE, "The pair that a voter sees now.", query=NextQuery,
        gives={200: Next}, fails=(503,),
    )  # fmt: skip


def _file(name: str, kind: str) -> Handler:
    content = files("lanes.arena").joinpath("page", name).read_bytes()

    async def give(_: Asked) -> Response:
        return Response(content, media_type=kind, headers={"content-security-policy": POLICY})

    return give


class _Booth:
    """Where people are shown what to vote on."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def next(self, asked: Asked) -> Response:
        """Show a pair, or that there is none, or that the session is over."""
        voter = _voter(asked)
        more = NextQuery.model_validate(dict(asked.request.query_params)).more == "true"
        lineup, ledger = self._service.lineup, self._service.ledger
        done, of = ledger.shown(voter), lineup.votes_per_voter if lineup else 1
        if lineup is None:
            return _said(Next(pair=None, done=done, of=of, over=False, more=False))
        if voter in lineup.excluded:
            return _said(Next(pair=None, done=done, of=of, over=True, more=False, excluded=True))
        if done and done % of == 0 and not more:
            return _said(Next(pair=None, done=done, of=of, over=True, more=self._service.showing.more(ledger, voter)))
        pair = self._service.showing.next(ledger, lineup, voter)
        if pair and pair.source is Source.ATTENTION:
            check = pair
            await self._service.write(lambda ledger: ledger.add_pairs([check]))
        shown = pair and _shown(pair, voter, ledger.secret)
        return _said(Next(pair=shown, done=done, of=of, over=False, more=pair is not None))


def _shown(pair: Pair, voter: str, secret: bytes) -> Shown:
    seen = pair.as_shown_to(voter, secret)
    turns = tuple(Turn(role=turn["role"], content=clean(turn["content"])) for turn in seen.messages)
    return Shown(battle=seen.id, prompt=turns, first=clean(seen.answer_a), second=clean(seen.answer_b))


def _voter(asked: Asked) -> str:
    assert asked.caller is not None, "the door is for people only"
    return asked.caller.name


def _said(what: BaseModel) -> Response:
    return JSONResponse(what.model_dump(mode="json"))
