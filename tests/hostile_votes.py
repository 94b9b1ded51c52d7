"""Votes that must not count, by what they try, as the bytes of a request."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import quote


@dataclass(frozen=True)
class Loot:
    """What an attacker has got hold of."""

    product: str
    """The token of a product; what is sent with it may be well-formed, but must not be a vote that counts."""

    voters: dict[str, str]
    """Tokens of people by name."""

    worthless: list[str]
    """Tokens that were withdrawn, forged, or are another arena's."""

    spent: list[dict[str, object]]
    """Votes of the product that are counted by now, with their keys."""

    foreign: list[str]
    """Battles that the product may not vote on: others', and people's."""

    closed: list[str]
    """Battles that nobody may vote on."""

    battles: list[str] = field(default_factory=list[str])
    """Battles that the product may vote on."""


@dataclass(frozen=True)
class Hostile:
    """One request, or several on one connection."""

    kind: str
    sent: bytes
    asked: bytes = b""
    """Method of the first, which decides whether an answer has a body."""

    complete: bool = True
    """False where the rest never comes."""


def request(
    body: bytes = b"", method: str = "POST", path: str = "/v1/votes", token: str = "", without: str = "", **said: str
) -> bytes:
    """A request whose connection ends with it; a header says what ``said`` says, ``_`` for ``-``."""
    headers = {"host": "127.0.0.1", "connection": "close"}
    if body or method == "POST":
        headers |= {"content-type": "application/json", "content-length": str(len(body))}
    if token:
        headers["authorization"] = f"Bearer {token}"
    headers |= {name.replace("_", "-"): value for name, value in said.items()}
    lines = [f"{name}: {value}" for name, value in headers.items() if name != without]
    return "\r\n".join([f"{method} {path} HTTP/1.1", *lines, "", ""]).encode("latin-1", "replace") + body


def good(loot: Loot, chance: random.Random) -> dict[str, object]:
    """A vote that would count if nothing was wrong with it."""
    battle = chance.choice(loot.battles)
    return {"battle": battle, "choice": "a", "voter": f"mallory{chance.random()}", "key": f"evil-{chance.random()}"}


def as_json(value: object) -> bytes:
    return json.dumps(value).encode()


VALUES: tuple[object, ...] = (
    None, True, False, -1, 0, 1e308, 10**400, -(10**19), 2**63, [], {}, [[]], {"a": {}}, "", " ", "\t\n", "x" * 201,
    "x" * 8001, "\x00", "\x1b[2J", "\u202e", "\ud800", "\udfff\ud800", "\ufeff", "🏴" * 99, "a\u0301" * 2000,
    "' OR 1=1 --",
    "../../etc/passwd", "${jndi:ldap://x}", "%s%n", "{{7*7}}", "<script>", "[red]", 0.1, "NaN", "é",
)  # fmt: skip


def _wrong_value(loot: Loot, chance: random.Random) -> bytes:
    """A field, of choice or battle or key, that cannot be so."""
    field_name = chance.choice(("battle", "choice", "key"))
    values = [each for each in VALUES if each not in ("' OR 1=1 --", "é", "x" * 8001) or field_name != "key"]
    values = [each for each in values if field_name != "key" or not _might_be_key(each)]
    return request(as_json(good(loot, chance) | {field_name: chance.choice(values)}), token=loot.product)


def _might_be_key(value: object) -> bool:
    return isinstance(value, str) and value.isascii() and value.isprintable() and 0 < len(value) <= 200 and value != " "


def _unknown_field(loot: Loot, chance: random.Random) -> bytes:
    names = ("simulated", "experiment", "seq", "source", "test", "__class__", "Choice", "x" * 300, "\x1b", "")
    return request(as_json(good(loot, chance) | {chance.choice(names): 1}), token=loot.product)


def _missing_field(loot: Loot, chance: random.Random) -> bytes:
    vote = good(loot, chance)
    del vote[chance.choice(("battle", "choice", "voter", "key"))]
    return request(as_json(vote), token=loot.product)


def _number(loot: Loot, chance: random.Random) -> bytes:
    """Numbers that JSON has not, or nobody can hold."""
    number = chance.choice(("NaN", "Infinity", "-Infinity", "1e999", "-1", "1" * 5000, "0x10", "1_0", "01", "86401"))
    body = as_json(good(loot, chance))[:-1] + f', "seconds": {number}}}'.encode()
    return request(body, token=loot.product)


def _no_json(loot: Loot, chance: random.Random) -> bytes:
    bodies = (
        b"", b"\x00", b"\xff\xfe{}", b"null", b"[]", b"{}", b"1", b'"x"', b"{" * 9000, b"[" * 16_000, b"[[]" * 5000,
        b'{"a":' * 3000, b"{,}", b"{'choice': 'a'}", b"\xef\xbb\xbf{}", b'{"choice": "\xff"}', chance.randbytes(2000),
        b"choice=a&battle=product-1", b"<vote/>", b"//\n{}",
    )  # fmt: skip
    return request(chance.choice(bodies), token=loot.product)


def _too_large(loot: Loot, chance: random.Random) -> bytes:
    vote = good(loot, chance) | {"comment": "x" * chance.choice((2001, 16_384, 100_000, 1_000_000))}
    return request(as_json(vote), token=loot.product)


def _bad_list(loot: Loot, chance: random.Random) -> bytes:
    """A list with one vote that is none, or too many: none of it counts."""
    whole = [good(loot, chance) for _ in range(chance.choice((1, 3, 20)))]
    wrong = chance.choice(([{}], [None], [[]], [good(loot, chance) | {"choice": "c"}], [{}] * 101))
    return request(as_json(whole + wrong), token=loot.product)


def _content_type(loot: Loot, chance: random.Random) -> bytes:
    """What a page of another site can send without asking first, and others."""
    kinds = ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "", "json",
             "application/json5", "text/json", "application/jsonp", "*/*", "application/json\x0b")  # fmt: skip
    return request(as_json(good(loot, chance)), token=loot.product, content_type=chance.choice(kinds))


def _forged(loot: Loot, chance: random.Random) -> bytes:
    token = loot.product
    tokens = (
        token[:-1], token + "x", token.swapcase(), token[::-1], f"{token},", f"{token} {token}", "x" * 9000, "null",
        *loot.worthless, chance.randbytes(9).hex(), "\xff\xfe", "' OR ''='", "Bearer", quote("\x00" + token),
    )  # fmt: skip
    return request(as_json(good(loot, chance)), token=chance.choice(tokens))


def _elsewhere(loot: Loot, chance: random.Random) -> bytes:
    """The right token where no token belongs."""
    token, vote = loot.product, as_json(good(loot, chance))
    return chance.choice((
        request(vote, path=f"/v1/votes?token={token}"), request(vote, path=f"/v1/votes?access_token={token}"),
        request(vote, cookie=f"token={token}; session={token}"), request(vote, x_api_key=token),
        request(vote, proxy_authorization=f"Bearer {token}"), request(vote, authorization=f"Basic {token}"),
        request(vote, authorization=token), request(vote, x_forwarded_for="127.0.0.1"),
        request(vote, path=f"/{token}@127.0.0.1/v1/votes"),
    ))  # fmt: skip


def a_person(loot: Loot, chance: random.Random) -> tuple[str, str]:
    return chance.choice(list(loot.voters.items()))


def _anothers_name(loot: Loot, chance: random.Random) -> bytes:
    """A person's token, and another person's name on the vote."""
    name, token = a_person(loot, chance)
    others = [other for other in loot.voters if other != name]
    voter = chance.choice([*others, name.upper(), f"{name} ", f"{name}\u200b", f"reported {name}", f"\x1b{name}"])
    return request(as_json(good(loot, chance) | {"voter": voter}), token=token)


def _anothers_battle(loot: Loot, chance: random.Random) -> bytes:
    """A product on people's battles, people on a product's, anybody on one that is closed or never was."""
    vote = good(loot, chance)
    if chance.random() < 0.5:
        name, token = a_person(loot, chance)
        battle = chance.choice([*loot.battles[:9], *loot.closed, "nowhere"])
        return request(as_json(vote | {"voter": name, "battle": battle}), token=token)
    return request(
        as_json(vote | {"battle": chance.choice([*loot.foreign, "", "nowhere", "%", "*"])}), token=loot.product
    )


def _model_names(loot: Loot, chance: random.Random) -> bytes:
    """A reported vote of who may not report, or on models that are none."""
    vote = good(loot, chance)
    del vote["battle"]
    names = chance.choice((("exp-9999", "exp-0000"), ("exp-0001", "exp-0001"), ("", ""), ("exp-0001\x00", "exp-0000")))
    if chance.random() < 0.5:
        name, token = a_person(loot, chance)
        return request(as_json(vote | {"voter": name, "model_a": "exp-0001", "model_b": "exp-0000"}), token=token)
    return request(as_json(vote | dict(zip(("model_a", "model_b"), names, strict=True))), token=loot.product)


def _replayed(loot: Loot, chance: random.Random) -> bytes:
    """A vote that is counted: again as it was, under another key, with its key but another text."""
    vote = chance.choice(loot.spent)
    changes: tuple[dict[str, object], ...] = (
        {}, {"key": f"fresh-{chance.random()}"}, {"choice": "b"}, {"comment": "else"}, {"voter": "mallory"},
        {"battle": chance.choice(loot.battles)}, {"key": f"fresh-{chance.random()}", "choice": "tie"},
    )  # fmt: skip
    return request(as_json(vote | chance.choice(changes)), token=loot.product)


def _replayed_by_header(loot: Loot, chance: random.Random) -> bytes:
    vote = dict(chance.choice(loot.spent))
    key = str(vote.pop("key"))
    return request(
        as_json(vote), token=loot.product, idempotency_key=chance.choice((key, f"{key} ", "", "\xff", key * 99))
    )


def _replayed_list(loot: Loot, chance: random.Random) -> bytes:
    vote = chance.choice(loot.spent)
    return request(as_json([vote] * 50 + [vote | {"choice": "b"}] * 30), token=loot.product)


def _twice_said(loot: Loot, chance: random.Random) -> bytes:
    """Two values of one field of a vote that is counted already; whichever is read, nothing is added."""
    body = as_json(chance.choice(loot.spent))
    return request(body[:-1] + b', "choice": "b", "choice": "a", "choice": "tie"}', token=loot.product)


Kind = Callable[[Loot, random.Random], bytes | tuple[bytes, bool]]
"""Makes one request; with it whether it is whole."""

VOTES: tuple[Kind, ...] = (
    _wrong_value,
    _unknown_field,
    _missing_field,
    _number,
    _no_json,
    _too_large,
    _bad_list,
    _content_type,
    _forged,
    _elsewhere,
    _anothers_name,
    _anothers_battle,
    _model_names,
    _replayed,
    _replayed_by_header,
    _replayed_list,
    _twice_said,
)
