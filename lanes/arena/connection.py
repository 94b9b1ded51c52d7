"""One connection to the service: uvicorn's, with bounds on how long a request takes to come, and on their number."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

REQUEST_SECONDS = 15.0
"""Most time from the first byte of a request, or from the connection, to the last byte."""

HEADER_BYTES = 16 * 1024
"""Most bytes of headers."""

MOST = 2000
"""Connections at a time; further ones are closed at once."""

_UNREADABLE = json.dumps({"error": {"code": "not_http", "message": "this is no HTTP request"}}) + "\n"


class Connection(HttpToolsProtocol):
    """Ends where a request does not come: else a few thousand half requests would keep everybody out."""

    _patience: asyncio.TimerHandle | None = None
    _header_bytes = 0
    _in_headers = True

    def connection_made(self, transport: Any) -> None:
        """See ``asyncio.Protocol``."""
        super().connection_made(transport)
        if len(self.connections) > MOST:
            transport.close()
        else:
            self._wait_for_request()

    def connection_lost(self, exc: Exception | None) -> None:
        """See ``asyncio.Protocol``."""
        self._have_request()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """See ``asyncio.Protocol``."""
        if self._in_headers:
            self._header_bytes += len(data)
            # What comes at once may hold a body, too, which has a bound of its own.
            if self._header_bytes > HEADER_BYTES and b"\r\n\r\n" not in data:
                self.send_400_response("")
                return
        super().data_received(data)

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        super().on_message_begin()
        if self._patience is None:
            self._wait_for_request()

    def on_headers_complete(self) -> None:
        """All headers are there."""
        self._in_headers = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """All of the request is there."""
        self._have_request()
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Say in JSON, too, that this is no HTTP."""
        self.transport.write(
            b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\nconnection: close\r\n"
            + f"content-length: {len(_UNREADABLE)}\r\n\r\n{_UNREADABLE}".encode()
        )
        self.transport.close()

    def _wait_for_request(self) -> None:
        self._header_bytes, self._in_headers = 0, True
        self._patience = self.loop.call_later(REQUEST_SECONDS, self._give_up)

    def _have_request(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _give_up(self) -> None:
        self._patience = None
        if not self.transport.is_closing():
            self.transport.close()
