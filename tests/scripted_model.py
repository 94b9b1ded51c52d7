"""A language model that says what a test scripts: a real service on 127.0.0.1 that speaks OpenAI's chat API.

with scripted_model() as model:
    model.script(says({"x": 1}), fails(429, retry_after="1"), says("text"))  # in turn; the last one stays
    model.script(lambda asked: says(propose_from(asked.prompt)))  # or what to say from what was asked
    ...  # agent: {model: openai/scripted, api_base: <model.base>}
    assert model.asked[0].form == "json_schema"
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeAlias

NAME = "openai/scripted"
"""Its litellm model string."""

FORMS = frozenset({"json_schema", "tool", "json_mode"})


@dataclass(frozen=True)
class Asked:
    """A request as it came."""

    body: dict[str, Any]
    headers: Mapping[str, str]
    at: float
    """Monotonic."""

    @property
    def messages(self) -> list[dict[str, str]]:
        return self.body["messages"]

    @property
    def prompt(self) -> str:
        """All messages, one after the other."""
        return "\n\n".join(message["content"] or "" for message in self.messages)

    @property
    def form(self) -> str:
        """json_schema, tool, json_mode, or text where nothing is asked for but words."""
        if self.body.get("tools"):
            return "tool"
        kind = self.body.get("response_format", {}).get("type")
        return {"json_schema": "json_schema", "json_object": "json_mode"}.get(kind, "text")

    @property
    def schema(self) -> dict[str, Any] | None:
        """The JSON schema that came with it."""
        if self.form == "tool":
            return self.body["tools"][0]["function"]["parameters"]
        return self.body.get("response_format", {}).get("json_schema", {}).get("schema")


@dataclass(frozen=True)
class Reply:
    """What it does with one request."""

    text: str = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict[str, str])
    usage: tuple[int, int] | None = (100, 20)
    """Tokens in and out that it says it used; None says nothing of them."""

    refusal: str = ""
    finish: str = "stop"
    pause: float = 0.0
    """Seconds before the first word."""

    piece: int = 40
    """Characters of a piece, where it streams."""

    piece_pause: float = 0.0
    """Seconds after each piece."""

    breaks_after: int | None = None
    """Characters after which the connection is cut."""

    calls: bool = True
    """Calls the tool, where it is given one; else it answers in words all the same."""


Script: TypeAlias = Reply | Callable[[Asked], Reply]


def says(said: object, **how: Any) -> Reply:
    """An answer: a text as it is, anything else as JSON."""
    return Reply(said if isinstance(said, str) else json.dumps(said), **how)


def fails(status: int, text: str = "sorry", retry_after: str | None = None, **how: Any) -> Reply:
    """An error of the service."""
    return Reply(text, status=status, headers={} if retry_after is None else {"Retry-After": retry_after}, **how)


def hangs(seconds: float = 600.0) -> Reply:
    """Nothing comes for so long."""
    return Reply("at last", pause=seconds)


def breaks_off(said: object, after: int = 20, **how: Any) -> Reply:
    """The connection is cut in the middle of the answer."""
    return replace(says(said, **how), breaks_after=after, piece=max(1, after))


def refuses(why: str = "I cannot help with that.") -> Reply:
    """The model declines."""
    return Reply(refusal=why)


class ScriptedModel(ThreadingHTTPServer):
    """Answers on 127.0.0.1 until it is closed."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[Asked] = []
        """Every request since the script was set."""

        self.takes = FORMS
        """Forms that it knows; it answers 400 to the others."""

        self.key: str | None = None
        """The one that it lets in; None lets everybody in."""

        self.broken_off: list[int] = []
        """Bytes of each answer that were sent when whoever asked went away."""

        self.over = threading.Event()
        self._lock = threading.Lock()
        self._script: list[Script] = [says("hello")]

    @property
    def base(self) -> str:
        """For ``agent.api_base``."""
        return f"http://127.0.0.1:{self.server_port}/v1"

    def script(self, *script: Script) -> None:
        """What it says from now on, in turn; the last one stays. Forgets what was asked before."""
        with self._lock:
            self._script, self.asked, self.broken_off = list(script), [], []
            self.takes, self.key = FORMS, None

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Whoever asked may go away; all else is shown."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)

    def answer(self, asked: Asked) -> Reply:
        if self.key is not None and asked.headers.get("authorization") != f"Bearer {self.key}":
            return fails(401, f"Incorrect API key provided: {asked.headers.get('authorization')}")
        with self._lock:
            self.asked.append(asked)
            if asked.form != "text" and asked.form not in self.takes:
                what = "tools" if asked.form == "tool" else "response_format"
                return fails(400, f"'{what}' of this kind is not supported by this model")
            said = self._script.pop(0) if len(self._script) > 1 else self._script[0]
        return said(asked) if callable(said) else said


@contextmanager
def scripted_model() -> Iterator[ScriptedModel]:
    with ScriptedModel() as model:
        thread = threading.Thread(target=model.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield model
        finally:
            model.over.set()
            model.shutdown()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else a head and its body are forty milliseconds apart
    server: ScriptedModel

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        asked = Asked(body, {name.lower(): value for name, value in self.headers.items()}, time.monotonic())
        reply = self.server.answer(asked)
        self.server.over.wait(reply.pause) if reply.pause else None
        with suppress(BrokenPipeError, ConnectionResetError):
            if self.path != "/v1/chat/completions":
                reply = fails(404, "no such page")
            if reply.status != 200:
                error = {"message": reply.text, "type": "error", "code": str(reply.status)}
                self._whole(json.dumps({"error": error}), reply)
            elif body.get("stream"):
                self._stream(asked, reply)
            else:
                self._whole(json.dumps(_completion(asked, reply)), reply)

    def _whole(self, text: str, reply: Reply) -> None:
        content = text.encode()
        self.send_response(reply.status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content if reply.breaks_after is None else content[: len(content) // 2])
        self.close_connection = self.close_connection or reply.breaks_after is not None

    def _stream(self, asked: Asked, reply: Reply) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        sent = 0
        text = reply.text if reply.breaks_after is None else reply.text[: reply.breaks_after]
        try:
            for event in _events(asked, replace(reply, text=text)):
                if reply.breaks_after is not None and event["choices"] and event["choices"][0]["finish_reason"]:
                    self.close_connection = True
                    return
                sent += self._event(json.dumps(event))
                self.server.over.wait(reply.piece_pause) if reply.piece_pause else None
            self._event("[DONE]")
            self.wfile.write(b"0\r\n\r\n")
        except (BrokenPipeError, ConnectionResetError):
            self.server.broken_off.append(sent)
            self.close_connection = True

    def _event(self, said: str) -> int:
        line = f"data: {said}\n\n".encode()
        self.wfile.write(f"{len(line):x}\r\n".encode() + line + b"\r\n")
        self.wfile.flush()
        return len(line)

    def log_message(self, format: str, *arguments: object) -> None:
        pass


def _message(asked: Asked, reply: Reply) -> dict[str, Any]:
    if reply.refusal:
        return {"role": "assistant", "content": None, "refusal": reply.refusal}
    if asked.form == "tool" and reply.calls:
        function = {"name": asked.body["tools"][0]["function"]["name"], "arguments": reply.text}
        call = {"index": 0, "id": "call_1", "type": "function", "function": function}
        return {"role": "assistant", "content": None, "tool_calls": [call]}
    return {"role": "assistant", "content": reply.text}


def _completion(asked: Asked, reply: Reply) -> dict[str, Any]:
    choice = {"index": 0, "finish_reason": reply.finish, "message": _message(asked, reply)}
    return _frame("chat.completion", [choice]) | _usage(reply)


def _events(asked: Asked, reply: Reply) -> Iterator[dict[str, Any]]:
    """The same in pieces."""
    if not reply.refusal:
        yield _delta({"role": "assistant", "content": ""})
    for start in range(0, len(reply.text), reply.piece) or [0]:
        delta = _message(asked, replace(reply, text=reply.text[start : start + reply.piece]))
        if start:
            del delta["role"]
            for call in delta.get("tool_calls", []):
                call["function"]["name"], call["id"] = None, None
        yield _delta(delta)
    yield _delta({}, reply.finish)
    if asked.body.get("stream_options", {}).get("include_usage") and reply.usage:
        yield _frame("chat.completion.chunk", []) | _usage(reply)


def _delta(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    return _frame("chat.completion.chunk", [{"index": 0, "delta": delta, "finish_reason": finish}])


def _usage(reply: Reply) -> dict[str, Any]:
    if reply.usage is None:
        return {}
    into, out = reply.usage
    return {"usage": {"prompt_tokens": into, "completion_tokens": out, "total_tokens": into + out}}


def _frame(kind: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
    return {"id": "1", "object": kind, "created": 1, "model": "scripted", "choices": choices}
