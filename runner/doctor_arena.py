"""What the doctor says of where votes come from: the arena's place, and a product's own store of votes."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Iterator

from lanes.pull import Pull, SourceDown, feed_of
from runner.findings import Finding
from runner.program import Program


def examine_votes(program: Program) -> Iterator[Finding]:
    """Look at where votes are cast or fetched; a source of votes is asked for one page and nothing is kept."""
    if program.evaluate.judge != "votes":
        return
    yield _place(program.arena.host, program.arena.port)
    if program.evaluate.pull is not None:
        yield _source(program.evaluate.pull)


def _place(host: str, port: int) -> Finding:
    where = f"{host}:{port}" if port else f"a free port of {host}"
    try:
        with socket.create_server((host, port), reuse_port=False):
            pass
    except OSError as error:
        if port and error.errno is not None and _can_listen(host):
            what = f"port {port} is taken, perhaps by this run's own arena: the arena takes a free one and says which"
            return Finding("arena", "warn", what, "end what listens there, or change arena.port")
        remedy = "arena.host: 127.0.0.1, or an address of this machine"
        return Finding("arena", "missing", f"nothing can listen on {host}: {error.strerror or error}", remedy)
    if not _is_loopback(host):
        remedy = "put something that speaks TLS before it, or arena.host: 127.0.0.1"
        return Finding(
            "arena", "warn", f"{where} can be reached from elsewhere, and tokens go there unencrypted", remedy
        )
    return Finding("arena", "ok", f"votes are cast at {where}")


def _can_listen(host: str) -> bool:
    try:
        with socket.create_server((host, 0)):
            return True
    except OSError:
        return False


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _source(pull: Pull) -> Finding:
    try:
        page = asyncio.run(feed_of(pull).read(""))
    except SourceDown as down:
        return Finding("pull", "missing", str(down), "correct evaluate.pull in program.md, or the source")
    return Finding("pull", "ok", f"{pull.name} answers: {len(page.rows)} votes on its first page")
