"""Requests that mean no good, by what they try, as the bytes that are sent; the same again from the same seed."""

from __future__ import annotations

import random
from collections.abc import Iterator

from hostile_votes import VALUES, VOTES, Hostile, Kind, Loot, as_json, good, request

ENDLESS = b"5\r\n     \r\n" * 20_000
"""Chunks of a body that goes on."""


def hostile(loot: Loot, count: int, seed: int) -> Iterator[Hostile]:
    """So many requests, all kinds in turn."""
    chance = random.Random(seed)
    for number in range(count):
        make = KINDS[number % len(KINDS)]
        made = make(loot, chance)
        sent, complete = made if isinstance(made, tuple) else (made, True)
        yield Hostile(make.__name__.strip("_"), sent, sent.split(b" ", 1)[0], complete)


def _twice_headed(loot: Loot, chance: random.Random) -> bytes:
    """Two values of one header: who stands before us may have looked at the other."""
    vote = as_json(good(loot, chance))
    name, value = chance.choice((
        ("host", "evil.example"), ("origin", "http://127.0.0.1"), ("authorization", f"Bearer {loot.product}"),
        ("content-type", "application/json"), ("content-length", "3"), ("idempotency-key", "k"),
    ))  # fmt: skip
    first = {"origin": "http://evil.example", "authorization": "Bearer x", "content-type": "text/plain",
             "idempotency-key": "j"}.get(name)  # fmt: skip
    whole = request(vote, token=loot.product, **({name.replace("-", "_"): first} if first else {}))
    return whole.replace(b"connection: close", f"connection: close\r\n{name}: {value}".encode(), 1)


def _smuggled(loot: Loot, chance: random.Random) -> tuple[bytes, bool]:
    """Lengths that two readers of the same bytes would understand in two ways."""
    inner = request(as_json(good(loot, chance)), token="x")
    head = f"POST /v1/votes HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {loot.product}\r\n"
    head += "content-type: application/json\r\n"
    lengths = chance.choice((
        "content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n{}",
        f"content-length: 2\r\ncontent-length: {len(inner)}\r\n\r\n{{}}", "content-length: -2\r\n\r\n{}",
        "content-length: +2\r\n\r\n{}", "content-length: 0x2\r\n\r\n{}", "content-length: 2, 2\r\n\r\n{}",
        f"content-length: {'9' * 40}\r\n\r\n{{}}", "transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        "transfer-encoding: xchunked\r\n\r\n0\r\n\r\n", "transfer-encoding : chunked\r\n\r\n0\r\n\r\n",
        "transfer-encoding:\x0bchunked\r\n\r\n0\r\n\r\n", "transfer-encoding: chunked\r\n\r\n-1\r\n\r\n",
        "transfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\n", "content-length: 2\n\n{}",
        "transfer-encoding: chunked\r\n\r\n2;x=y\r\n{}\r\n0\r\nhost: evil.example\r\n\r\n",
        "content-length: 2\r\n folded: x\r\n\r\n{}", "content-length: 2\r\nx: a\rb\r\n\r\n{}",
    ))  # fmt: skip
    return (head + lengths).encode("latin-1") + inner, False


def _length(loot: Loot, chance: random.Random) -> tuple[bytes, bool]:
    """A body shorter or longer than it is said to be."""
    body = as_json(good(loot, chance))
    length = chance.choice((0, 1, len(body) - 1, len(body) + 1, 10**6))
    return request(body, token=loot.product, content_length=str(length)), False


def _endless(loot: Loot, chance: random.Random) -> tuple[bytes, bool]:
    """Chunks, or what trails them, without an end."""
    head = request(b"", token=chance.choice((loot.product, "x")), method=chance.choice(("POST", "GET")),
                   without="content-length", content_type="application/json", transfer_encoding="chunked")  # fmt: skip
    trailing = b"0\r\n" + b"".join(b"x-%d: %s\r\n" % (n, b"y" * 90) for n in range(2000))
    return head + chance.choice((ENDLESS, trailing)), False


def _headers(loot: Loot, chance: random.Random) -> tuple[bytes, bool]:
    """A flood of headers, or ones that are none."""
    flood = chance.choice((
        b"".join(b"x-%d: 1\r\n" % n for n in range(9000)), b"x: " + b"y" * 100_000 + b"\r\n", b"x" * 20_000,
        b": \r\n", b"a b: c\r\n", b"\x00: x\r\n", b"x: \x00\r\n", b"x\r\n", b"cookie: " + b"a=b; " * 4000 + b"\r\n",
    ))  # fmt: skip
    return b"POST /v1/votes HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n" + flood + b"\r\n", False


def _pipelined(loot: Loot, chance: random.Random) -> bytes:
    """Many at once on one connection, one of them a vote that is counted already."""
    many = request(as_json({}), token=loot.product).replace(b"connection: close", b"connection: keep-alive")
    again = request(as_json(chance.choice(loot.spent)), token=loot.product)
    return many * chance.choice((2, 10, 40)) + again


def _garbage(loot: Loot, chance: random.Random) -> tuple[bytes, bool]:
    sent = (
        b"GET /\r\n", b"GET /v1/votes HTTP/0.9\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00",
        b"\r\n" * 50,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\x00" * 100, chance.randbytes(300), b"HELO evil\r\n",
        b"*1\r\n$4\r\nPING\r\n",
        b"GET http://[::1 HTTP/1.1\r\n\r\n", b"CONNECT evil.example:80 HTTP/1.1\r\nhost: localhost\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n", b"POST", b"",
        b"get / http/1.1\r\n\r\n", b"GET /\xff HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n",
    )  # fmt: skip
    return chance.choice(sent), False


def _path(loot: Loot, chance: random.Random) -> bytes:
    paths = (
        "/../product.token", "/page/../../product.token", "/page/%2e%2e/%2e%2e/product.token", "/..%2fledger.db", "//",
        "/page/..%5c..%5cproduct.token", "/page/%00", "/page/vote.js%00.css", "/page/....//product.token",
        "/ledger.db",
        "/%ff%fe", "/%", "/%zz", "/v1/votes/", "/v1//votes", "/V1/VOTES", "/v1/votes;x", "/v1/%76otes/..",
        "/.git/config",
        "/" + "a" * 9000, "/" + "%41" * 3000, "/v1/votes%0d%0aset-cookie:x", "http://evil.example/v1/votes", "/page/",
        "/product.token", "/%252e%252e/product.token", "/docs", "/health/../v1/votes", "/v1/openapi.json/..%2f",
    )  # fmt: skip
    return request(method=chance.choice(("GET", "HEAD", "POST", "PUT")), path=chance.choice(paths), token=loot.product)


def _query(loot: Loot, chance: random.Random) -> bytes:
    queries = (
        "after=-1", "after=" + "9" * 4000, "after=1e3", "after=%00", "after[]=1", "after=1&after=2", "limit=0",
        "limit=501",
        "&" * 5000, "a=b&" * 3000, "after=%ff%fe", "limit=nan", "=%", "after=1;limit=2", "voter=x",
        "after=%F0%9F%98%80",
        "%61fter=1&after=2", "more=%22", "voter=%1b%5b2J&voter=y",
    )  # fmt: skip
    path = chance.choice(("/v1/votes", "/v1/standing", "/v1/page/next", "/"))
    return request(method="GET", path=f"{path}?{chance.choice(queries)}", token=chance.choice((loot.product, "x")))


def _other_page(loot: Loot, chance: random.Random) -> bytes:
    """A page of another site in a browser that has our address."""
    origin = chance.choice((
        "http://evil.example", "null", "", "http://127.0.0.1.evil.example", "http://127.0.0.1:1", "file://",
        "http://localhost", "https://127.0.0.1@evil.example", "http://127.0.0.1/", "*",
    ))  # fmt: skip
    return request(as_json(good(loot, chance)), token=loot.product, origin=origin, referer="http://evil.example/x",
                   sec_fetch_site="cross-site")  # fmt: skip


def _host(loot: Loot, chance: random.Random) -> bytes:
    """A name that another's DNS leads here."""
    host = chance.choice((
        "evil.example", "evil.example:80", "127.0.0.1.evil.example", "localhost.evil.example", "", "@127.0.0.1",
        "evil.example@127.0.0.1", "127.1", "2130706433", "0.0.0.0", "[::1", "[::ffff:127.0.0.1]", "127.0.0.1,evil",
        "[::1]evil.example", "127.0.0.1:x", "127.0.0.1:80@evil.example",
        "127.0.0.1/evil", "localhost.", "\x7f", "127.0.0.2", "xn--localhost-9ya",
    ))  # fmt: skip
    return request(as_json(good(loot, chance)), token=loot.product, host=host, x_forwarded_host="localhost")


def _no_host(loot: Loot, chance: random.Random) -> bytes:
    return request(as_json(good(loot, chance)), token=loot.product, without="host")


def _method(loot: Loot, chance: random.Random) -> bytes:
    method = chance.choice(("HEAD", "OPTIONS", "TRACE", "PUT", "PATCH", "DELETE", "PROPFIND", "LOCK", "MKCOL", "PURGE"))
    path = chance.choice(("/v1/votes", "/", "/health", "/page/vote.js", "/v1/battles", "/v1/openapi.json"))
    said = {"x_http_method_override": "POST", "access_control_request_method": "POST"}
    return request(as_json(good(loot, chance)), method, path, loot.product, **said)


def _upgraded(loot: Loot, chance: random.Random) -> tuple[bytes, bool]:
    said = {"connection": "Upgrade, close", "upgrade": chance.choice(("websocket", "h2c", "TLS/1.0", "x" * 999))}
    key = {"sec_websocket_key": "dGhlIHNhbXBsZSBub25jZQ==", "sec_websocket_version": "13"}
    return request(method="GET", path="/v1/votes", token=loot.product, **said, **key) + b"\x81\x85abcd", False


def _model_request(loot: Loot, chance: random.Random) -> bytes:
    """Battles and chats with what no model takes."""
    value = chance.choice(VALUES)
    path, body = chance.choice((
        ("/v1/battles", {"prompt": value}), ("/v1/battles", {"messages": value}),
        ("/v1/battles", {"prompt": "x", "voter": value}), ("/v1/battles", {"prompt": value, "stream": True}),
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": value}], "stream": True}),
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": value}]}),
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": "x"}], "seed": value}),
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": "x"}], "model": value}),
    ))  # fmt: skip
    return request(as_json(body), path=path, token=loot.product)


TRANSPORT: tuple[Kind, ...] = (
    _twice_headed,
    _smuggled,
    _length,
    _endless,
    _headers,
    _pipelined,
    _garbage,
    _path,
    _query,
    _other_page,
    _host,
    _no_host,
    _method,
    _upgraded,
)
"""By the way they are sent, whatever is asked."""

KINDS: tuple[Kind, ...] = (*VOTES, *TRANSPORT, _model_request)
