"""A product in a hundred lines: show two answers to a prompt, ask which is better, and report it to the arena.

Needs nothing but Python. Copy what you need, or try it from the folder of a run:

    python arena_client.py http://127.0.0.1:8710 run/arena/product.token "How do I bake bread?"
    python arena_client.py --stream http://127.0.0.1:8710 run/arena/product.token "How do I bake bread?"
"""

from __future__ import annotations

import http.client
import json
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

CHOICES = {"1": "a", "2": "tie", "3": "b"}


class ArenaError(Exception):
    """The arena says no; the text is its reason."""


class Arena:
    """One arena, asked with a product's token."""

    def __init__(self, url: str, token: str) -> None:
        self._place = urlsplit(url)
        self._headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}

    def battle(self, messages: list[dict[str, str]], consent: bool = False) -> dict[str, Any]:
        """Have a conversation answered: two answers and the battle's id, or one answer and no id."""
        return self._ask("/v1/battles", {"messages": messages, "consent": consent})

    def stream(self, messages: list[dict[str, str]], consent: bool = False) -> Iterator[tuple[str, Any]]:
        """The same while the models speak: events battle, piece, withdrawn, error, and at last done."""
        connection, response = self._sent("/v1/battles", {"messages": messages, "consent": consent, "stream": True})
        try:
            if response.status != 200:
                raise ArenaError(_reason(json.loads(response.read())))
            name = ""
            for line in response:
                kind, _, said = line.decode().rstrip("\n").partition(": ")
                if kind == "event":
                    name = said
                elif kind == "data":
                    yield name, json.loads(said)
        finally:
            connection.close()  # who closes early ends both answers

    def vote(self, battle: str, choice: str, voter: str) -> bool:
        """Report a vote: a (the first answer), tie or b. Returns whether it was new.

        The key is made once, before the first try: however often it is sent, the vote counts once.
        """
        body = {"battle": battle, "choice": choice, "voter": voter, "key": uuid.uuid4().hex}
        return bool(self._ask("/v1/votes", body)["counted"])

    def _ask(self, path: str, body: dict[str, Any], tries: int = 8) -> dict[str, Any]:
        for attempt in range(tries):
            try:
                connection, response = self._sent(path, body)
                said: dict[str, Any] = json.loads(response.read())
                connection.close()
                if response.status == 200:
                    return said
                if response.status not in (429, 503):
                    raise ArenaError(_reason(said))
                time.sleep(float(response.headers.get("retry-after", 1)))
            except (OSError, http.client.HTTPException):  # the arena is being started again
                time.sleep(min(10.0, 0.5 * 2**attempt))
        raise ArenaError(f"{self._place.netloc} does not answer")

    def _sent(self, path: str, body: dict[str, Any]) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        secure = self._place.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        connection = kind(self._place.netloc, timeout=180)
        connection.request("POST", path, json.dumps(body), self._headers)
        return connection, connection.getresponse()


def _reason(said: dict[str, Any]) -> str:
    return str(said.get("error", {}).get("message", said))


def _shown(arena: Arena, messages: list[dict[str, str]], stream: bool) -> dict[str, Any]:
    """Show the answers; returns the battle."""
    battle: dict[str, Any] = {}
    if not stream:
        battle = arena.battle(messages)
    for name, said in arena.stream(messages) if stream else ():
        if name == "piece":
            print(f"[{said['id']}] {said['text']}", flush=True)
        elif name == "withdrawn":
            print(f"[{said['id']}] is taken back")
        elif name == "error":
            raise ArenaError(_reason(said))
        elif name == "done":
            battle = said
    for answer in battle["answers"]:
        print(f"\n--- {answer['id']} ---\n{answer['text']}")
    return battle


def main() -> int:
    """Show one prompt's answers in the terminal and take a vote; returns the exit status."""
    stream = "--stream" in sys.argv
    arguments = [argument for argument in sys.argv[1:] if argument != "--stream"]
    if len(arguments) != 3:
        print(__doc__)
        return 2
    url, token_file, prompt = arguments
    try:
        arena = Arena(url, Path(token_file).read_text().strip())
        battle = _shown(arena, [{"role": "user", "content": prompt}], stream)
        if battle["battle"] is None:
            return 0  # one answer alone: there is nothing to vote on
        choice = CHOICES.get(input("\n1: a is better, 2: about equal, 3: b is better? ").strip())
        if choice is None:
            print("no vote")
            return 0
        counted = arena.vote(battle["battle"], choice, voter="me@example.com")
        print("counted, thank you" if counted else "it was counted before")
    except (ArenaError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
