"""One connection to a server of ours: uvicorn's, with bounds on its time and its size, and on how many there are."""

from __future__ import annotations

import asyncio
import json
import resource
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

REQUEST_SECONDS = 15.0
"""Most time from the first byte of a request, or from the connection, to the last byte; an answer of which nothing is
read for as long is given up by the second look after that."""

HEADER_BYTES = 16 * 1024
"""Most bytes of headers."""

REQUEST_BYTES = 512 * 1024
"""Most bytes of a request in all: a body that is refused, what is between its chunks, and what trails it."""

MOST = 2000
"""Connections at a time. A further one takes the place of the one that has waited longest for its client."""

OPEN_FILES = 8192
"""Each connection is one."""

SAFETY = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)
"""Headers of everything that says nothing else."""

_UNREADABLE = json.dumps({"error": {"code": "not_http", "message": "this is no HTTP request"}}) + "\n"
_NOT_HTTP = b"".join(
    (
        b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\nconnection: close\r\n",
        *(name + b": " + value + b"\r\n" for name, value in SAFETY),
        f"content-length: {len(_UNREADABLE)}\r\n\r\n{_UNREADABLE}".encode(),
    )
)


def allow_open_files() -> None:
    """Let this process have as many connections at a time as ``MOST``, where the machine lets it."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if most == resource.RLIM_INFINITY else min(OPEN_FILES, most)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


class Connection(HttpToolsProtocol):
    """Ends where no request comes or no answer is read: else a few thousand such would keep everybody out."""

    waiting: ClassVar[dict[Connection, None]] = {}
    """Those who wait for their client, to ask or to read; the longest first."""

    _patience: asyncio.TimerHandle | None = None
    _next_look: asyncio.TimerHandle | None = None
    _unread = 0
    """Bytes of the answer that were not taken at the last look."""

    _header_bytes = 0
    _request_bytes = 0
    _in_headers = True

    def connection_made(self, transport: Any) -> None:
        """See ``asyncio.Protocol``."""
        super().connection_made(transport)
        if len(self.connections) > MOST:
            longest = next(iter(self.waiting), self)
            self.waiting.pop(longest, None)
            longest.transport.abort()
            if longest is self:
                return
        self._wait_for_request()
        self._next_look = self.loop.call_later(REQUEST_SECONDS, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        """See ``asyncio.Protocol``."""
        self._have_request()
        if self._next_look is not None:
            self._next_look.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """See ``asyncio.Protocol``."""
        if self.transport.is_closing():
            return
        if self._in_headers:
            self._header_bytes += len(data)
            # What comes at once may hold a body, too, which has a bound of its own.
            if self._header_bytes > HEADER_BYTES and b"\r\n\r\n" not in data:
                self.send_400_response("")
                return
        self._request_bytes += len(data)
        super().data_received(data)
        if self._request_bytes > REQUEST_BYTES:
            self.transport.close()

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        super().on_message_begin()
        if self._patience is None:
            self._wait_for_request()

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header; what trails a body is none, though it looks like one."""
        if self._in_headers:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """All headers are there."""
        self._in_headers = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """All of the request is there."""
        self._have_request()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """All of the answer is written, read or not."""
        self._wait_for_client()
        super().on_response_complete()

    def pause_writing(self) -> None:
        """See ``asyncio.Protocol``."""
        self._wait_for_client()
        super().pause_writing()

    def resume_writing(self) -> None:
        """See ``asyncio.Protocol``."""
        super().resume_writing()
        if not self.cycle.response_complete:
            self.waiting.pop(self, None)

    def send_400_response(self, msg: str) -> None:
        """Say in JSON, too, that this is no HTTP."""
        self.transport.write(_NOT_HTTP)
        self.transport.close()

    def _wait_for_request(self) -> None:
        self._header_bytes, self._request_bytes, self._in_headers = 0, 0, True
        self._patience = self.loop.call_later(REQUEST_SECONDS, self._give_up)
        self._wait_for_client()

    def _have_request(self) -> None:
        self._request_bytes = 0
        self.waiting.pop(self, None)
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _wait_for_client(self) -> None:
        self.waiting.pop(self, None)
        self.waiting[self] = None

    def _give_up(self) -> None:
        self._patience = None
        if not self.transport.is_closing():
            self.transport.close()

    def _look(self) -> None:
        """See that the client reads: what is closed, too, is held for as long as something is to be sent."""
        before, self._unread = self._unread, self.transport.get_write_buffer_size()
        if self._unread and self._unread == before:
            self.transport.abort()
            return
        self._next_look = self.loop.call_later(REQUEST_SECONDS, self._look)
