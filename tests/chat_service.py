"""A small service that speaks OpenAI's chat API and judges as it is told to, for tests of the judge."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeAlias

Reply: TypeAlias = tuple[int, dict[str, str], str]
"""Status, headers, and the message (or the error's text)."""

Behaviour: TypeAlias = Callable[[str, str, dict[str, Any]], Reply]
"""From answer A, answer B and the whole request to a reply."""

_SHOWN = re.compile(r"<<answer ([AB]) (\w+)>>\n(.*?)\n<<end of answer \1 \2>>", re.DOTALL)


def says(choice: str) -> Reply:
    return 200, {}, json.dumps({"reason": "it is so", "choice": choice})


def right(a: str, b: str, _: dict[str, Any]) -> Reply:
    """Prefers the answer with "good" in it."""
    return says("EQUAL" if ("good" in a) == ("good" in b) else "A" if "good" in a else "B")


class ChatService(ThreadingHTTPServer):
    """Answers on 127.0.0.1 until it is closed."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.behaviour: Behaviour = right
        self.requests: list[dict[str, Any]] = []
        """Every request body since the behaviour was set."""

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"

    def behave(self, behaviour: Behaviour) -> None:
        self.behaviour, self.requests = behaviour, []


@contextmanager
def chat_service() -> Iterator[ChatService]:
    with ChatService() as service:
        thread = threading.Thread(target=service.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield service
        finally:
            service.shutdown()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else a head and its body are forty milliseconds apart
    server: ChatService

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.requests.append(request)
        shown = {name: text for name, _, text in _SHOWN.findall(request["messages"][1]["content"])}
        status, headers, text = self.server.behaviour(shown["A"], shown["B"], request)
        if status == 200:
            message = {"role": "assistant", "content": text}
            choices = [{"index": 0, "finish_reason": "stop", "message": message}]
            found: Any = {"id": "1", "object": "chat.completion", "created": 1, "model": "judge", "choices": choices}
        else:
            found = {"error": {"message": text, "type": "error", "code": str(status)}}
        body = json.dumps(found).encode()
        self.send_response(status)
        for name, value in {"content-type": "application/json", "content-length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        pass
