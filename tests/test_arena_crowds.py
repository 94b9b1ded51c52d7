"""Connections that wait, drip or do not read: who votes is served beside them, and they are not kept for ever."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from arena_crowded import MOST
from arena_served import Arena, fill, pair, serving
from attacking import open_files
from hostile_votes import request
from voting_meanwhile import BATTLES, SECONDS, until, voting


@contextmanager
def connections(arena: Arena, number: int, said: bytes = b"") -> Iterator[list[socket.socket]]:
    """So many, each of which has said a little."""
    with ExitStack() as stack:
        held = [stack.enter_context(socket.create_connection(("127.0.0.1", arena.port), 20)) for _ in range(number)]
        for each in held:
            each.sendall(said)
        yield held


def drip(held: list[socket.socket], over: threading.Event) -> None:
    """One letter more on each, again and again."""
    while not over.wait(0.1):
        for each in held:
            try:
                each.send(b"x")
            except OSError:
                return


@pytest.mark.slow
def test_hundreds_of_requests_that_drip_keep_no_voter_waiting(tmp_path: Path) -> None:
    folder, over = tmp_path / "arena", threading.Event()
    fill(folder, [pair(n) for n in range(BATTLES)])
    with serving(folder) as arena:
        head = b"POST /v1/votes HTTP/1.1\r\nhost: localhost\r\nx: "
        body = request(b"{}", token=arena.token(), content_length="9000")
        with connections(arena, 300, head) as heads, connections(arena, 300, body) as bodies:
            dripping = threading.Thread(target=drip, args=([*heads, *bodies], over))
            dripping.start()
            try:
                with voting(arena) as honest:
                    until(lambda: len(honest.counted) >= 15)
            finally:
                over.set()
                dripping.join()
        assert honest.slowest < SECONDS


def test_a_house_full_of_silent_guests_has_room_for_who_votes(tmp_path: Path) -> None:
    folder = tmp_path / "arena"
    fill(folder, [pair(n) for n in range(BATTLES)])
    with serving(folder, "arena_crowded") as arena, connections(arena, 2 * MOST), voting(arena) as honest:
        until(lambda: len(honest.counted) >= 5)
    assert honest.slowest < SECONDS


@pytest.mark.slow
def test_an_answer_that_nobody_reads_is_not_kept_for_ever(tmp_path: Path) -> None:
    with serving(tmp_path / "arena", "arena_impatient") as arena, ExitStack() as held:
        before = open_files(arena.process.pid)
        document = request(method="GET", path="/v1/openapi.json", token=arena.token())
        for _ in range(5):
            unread = held.enter_context(socket.socket())
            unread.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
            unread.connect(("127.0.0.1", arena.port))
            unread.sendall(document.replace(b"close", b"keep-alive") * 400)
        until(lambda: open_files(arena.process.pid) >= before + 5)
        until(lambda: open_files(arena.process.pid) <= before)
