"""A streamed answer as OpenAI's Server-Sent Events."""

from __future__ import annotations

import json

from lanes.workers.api import ChatRequest, failure, head, usage
from lanes.workers.chat import Said
from lanes.workers.failures import classify


class Events:
    """The events of one answer, each with the name of the model that gives it."""

    def __init__(self, wanted: ChatRequest) -> None:
        self._head: dict[str, object] = {**head(wanted, "chat.completion.chunk")}
        self._counts = wanted.stream_options is not None and wanted.stream_options.include_usage
        if self._counts:
            self._head["usage"] = None
        self._is_first = True

    def piece(self, text: str) -> str:
        """More of the text."""
        role = {"role": "assistant"} if self._is_first else {}
        self._is_first = False
        return self._chunk(role | {"content": text}, None)

    def end(self, said: Said) -> str:
        """Why the text ends, the tokens where they are asked for, and that nothing more comes."""
        last: dict[str, object] = {"choices": (), "usage": usage(said)}
        counts = _event(self._head | last) if self._counts else ""
        return self._chunk({}, said.finish) + counts + "data: [DONE]\n\n"

    def failure(self, error: BaseException) -> str:
        """That the rest of the text cannot be had; nothing comes after it."""
        return _event(failure(500, classify(error)[1], "server_error"))

    def _chunk(self, delta: dict[str, str], finish: str | None) -> str:
        return _event(self._head | {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})


def _event(data: object) -> str:
    # ASCII, as some clients take U+2028 and its like for the end of a line.
    return f"data: {json.dumps(data)}\n\n"
