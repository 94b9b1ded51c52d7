"""Who asks, and whether they are let in: host and origin, tokens, and how often."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
import stat
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from lanes.arena.limits import PERSON, PRODUCT, STRANGER, Buckets
from lanes.arena.problems import Problem

PRODUCT_TOKEN = "product.token"
SIMULATED_TOKEN = "simulated.token"
TOKEN_BYTES = 32
LEAST_CHARACTERS = 16

LOOPBACK = ("127.0.0.1", "localhost", "::1")

_HOST = re.compile(r"(\[(?P<six>[0-9a-f:.]+)\]|(?P<name>[^\[\]:]+))(:[0-9]{1,5})?")


class Kind(StrEnum):
    """What a token makes of who shows it."""

    PERSON = "person"
    """A voter who was invited; votes under their own name on what the page shows them."""

    PRODUCT = "product"
    """Votes for its users, under whatever names it gives them."""

    SIMULATED = "simulated"
    """A product whose users are simulated: all that it makes says so."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks."""

    kind: Kind
    name: str = ""
    """The voter's; empty for a product."""

    @property
    def simulated(self) -> bool:
        """Whether what they make is."""
        return self.kind is Kind.SIMULATED


class TokenError(Exception):
    """A token file cannot be used; the message says what to do."""


def keep_token(file: Path) -> str:
    """The token in a file, which is made where there is none.

    Raises:
        TokenError: It cannot be read or made, others can read it, or it is too short to be one.
    """
    try:
        try:
            handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            pass
        else:
            with os.fdopen(handle, "w", encoding="utf-8") as writer:
                writer.write(secrets.token_urlsafe(TOKEN_BYTES))
        open_to_others = stat.S_IMODE(file.stat().st_mode) & 0o077
        token = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise TokenError(f"Token file {file} cannot be used ({error}): delete it, or write a token there") from error
    if open_to_others:
        raise TokenError(f"Token file {file} can be read by others: chmod 600 it")
    if len(token) < LEAST_CHARACTERS:
        raise TokenError(f"Token file {file} holds {len(token)} characters: delete it, and a new one is made")
    return token


class Entry:
    """The door of the service."""

    def __init__(self, folder: Path, names: Collection[str], voter_of: Callable[[str], str | None]) -> None:
        """Read the tokens of an arena's folder; they are made where there are none.

        Args:
            folder: Of the arena.
            names: Host names under which it may be asked.
            voter_of: Whose token one is.

        Raises:
            TokenError: A token file cannot be used.
        """
        self._names = frozenset(name.lower() for name in (*LOOPBACK, *names))
        self._tokens = {
            Kind.PRODUCT: _digest(keep_token(folder / PRODUCT_TOKEN)),
            Kind.SIMULATED: _digest(keep_token(folder / SIMULATED_TOKEN)),
        }
        self._voter_of = voter_of
        self._buckets = Buckets()

    def check_place(self, headers: Mapping[str, str]) -> None:
        """See that the service is asked under its own name, and by no other web page.

        A name that an attacker's DNS points here is none of ours, and a page of another origin says so.

        Raises:
            Problem: 400 or 403.
        """
        host = headers.get("host", "").lower()
        if _name(host) not in self._names:
            raise Problem(400, "bad_host", "the Host header names another host than this one", "host")
        origin = headers.get("origin")
        if origin is not None and origin.lower() not in (f"http://{host}", f"https://{host}"):
            raise Problem(403, "foreign_origin", "requests from another page are not answered", "origin")

    def caller(self, headers: Mapping[str, str], address: str) -> Caller | None:
        """Who asks; None for a stranger.

        Raises:
            Problem: 429, they ask too often.
        """
        caller = self._known(headers.get("authorization", ""))
        if caller is None:
            wait = self._buckets.take(address, STRANGER)
        else:
            wait = self._buckets.take(caller, PERSON if caller.kind is Kind.PERSON else PRODUCT)
        if wait:
            raise Problem(429, "flood", "too many requests: wait a moment", retry_after=wait)
        return caller

    def _known(self, authorization: str) -> Caller | None:
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token:
            return None
        digest = _digest(token)
        for kind, known in self._tokens.items():
            if hmac.compare_digest(digest, known):
                return Caller(kind)
        name = self._voter_of(token)
        return None if name is None else Caller(Kind.PERSON, name)


def must_be(caller: Caller | None, kinds: Collection[Kind]) -> None:
    """Let in only some kinds of callers; everybody where no kind is named.

    Raises:
        Problem: 401 for strangers, 403 for others.
    """
    if not kinds:
        return
    if caller is None:
        line = "the bearer token is missing or wrong"
        raise Problem(401, "unauthorized", line, headers={"www-authenticate": "Bearer"})
    if caller.kind not in kinds:
        raise Problem(403, "forbidden", f"this is not for the token of a {caller.kind}")


def _name(host: str) -> str:
    """The name in a Host header, without the port; empty where it is in no form that is known."""
    found = _HOST.fullmatch(host)
    return (found["six"] or found["name"]) if found else ""


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="surrogateescape")).digest()
