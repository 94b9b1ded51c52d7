"""A product whose users are simulated: it asks the arena for answers and reports votes over HTTP, as any product would.

``python -m lanes.simulated_product order.json``. Each user comes once, asks one held-out prompt, reads the two answers
and votes by the rules of ``lanes.simulated_voters``.
"""

from __future__ import annotations

import http.client
import itertools
import json
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from checkpoints.artifacts import write_json
from lanes import simulated_voters
from lanes.order import LOCK, RESULT, WORKER, ProductOrder, ProductResult
from lanes.prompts import display
from lanes.workers.presence import Owner, introduce, take_lock

IN_FLIGHT = 24
"""Users at a time, so that the model server answers many together."""

ALONE = 40
"""How often a user asks again where the arena has nothing to compare right now."""

AGAIN_SECONDS = 0.25
SECONDS = 240.0
"""Most time for one response."""

HELPLESS = frozenset({400, 401, 403, 404, 405, 409, 413, 415, 422})
"""Status of a response that is the same however often one asks."""


@dataclass(frozen=True, slots=True)
class User:
    """One visit."""

    name: str
    messages: list[dict[str, str]]


class Refused(Exception):
    """The arena does not want this, however often it is asked."""


class Arena:
    """The arena as one user's connection to it."""

    def __init__(self, folder: Path, gone: threading.Event) -> None:
        self._folder, self._gone = folder, gone
        self._connection: http.client.HTTPConnection | None = None
        self._headers: dict[str, str] = {}

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """The response's JSON, through restarts of the arena.

        Raises:
            Refused: It says no for good.
        """
        text = json.dumps(body).encode()
        while not self._gone.is_set():
            try:
                status, wait, said = self._posted(path, text)
            except (OSError, http.client.HTTPException, ValueError, KeyError):
                self._hang_up()
                time.sleep(AGAIN_SECONDS)
                continue
            if status == 200:
                return said
            if status in HELPLESS:
                raise Refused(f"{path}: {status} {said}")
            time.sleep(wait)
        raise Refused("nobody owns the run any more")

    def _posted(self, path: str, text: bytes) -> tuple[int, float, dict[str, Any]]:
        if self._connection is None:
            place = json.loads((self._folder / RESULT).read_bytes())
            token = (self._folder / "simulated.token").read_text(encoding="utf-8").strip()
            self._headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
            self._connection = http.client.HTTPConnection(place["host"], place["port"], timeout=SECONDS)
        self._connection.request("POST", path, text, self._headers)
        response = self._connection.getresponse()
        said = json.loads(response.read())
        wait = response.headers.get("retry-after", "")
        return response.status, min(5.0, float(wait)) if wait.isdigit() else AGAIN_SECONDS, said

    def _hang_up(self) -> None:
        if self._connection:
            self._connection.close()
        self._connection = None


class Product:
    """All users of one order, several at a time."""

    def __init__(self, order: ProductOrder) -> None:
        self._order = order
        self._users = _users(order)
        self._lock = threading.Lock()
        self.gone = threading.Event()
        """Nobody owns the run any more."""

        self.asked, self.voted = 0, 0

    def serve(self) -> None:
        """Let users come, one after the other, until there are no more."""
        arena = Arena(self._order.arena, self.gone)
        while not self.gone.is_set() and (user := self._next()) is not None:
            try:
                voted = self._visit(arena, user)
            except Refused as refused:
                print(f"{user.name}: {refused}", flush=True)
                voted = False
            with self._lock:
                self.asked += 1
                self.voted += voted

    def _next(self) -> User | None:
        with self._lock:
            return next(self._users, None)

    def _visit(self, arena: Arena, user: User) -> bool:
        """One user's visit; returns whether they voted."""
        for _ in range(ALONE):
            shown = arena.post("/v1/battles", {"messages": user.messages, "voter": user.name})
            if shown["battle"] is not None:
                break
            time.sleep(AGAIN_SECONDS)
        else:
            return False
        texts = {answer["id"]: answer["text"] for answer in shown["answers"]}
        question = display(tuple(user.messages))
        choice = simulated_voters.cast(self._order.seed, user.name, question, texts["a"], texts["b"])
        battle = shown["battle"]
        vote = {"battle": battle, "choice": choice, "voter": user.name, "key": f"{battle}:{user.name}"}
        arena.post("/v1/votes", vote)
        return True


def main(path: Path) -> int:
    """Serve an order to its end, or until nobody owns the run."""
    folder = path.parent
    lock = take_lock(folder / LOCK)
    if lock is None:
        print("another process is this product already")
        return 1
    introduce(folder / WORKER, "lanes.simulated_product")
    product = Product(ProductOrder.model_validate_json(path.read_bytes()))
    owner = Owner()
    with ThreadPoolExecutor(IN_FLIGHT) as pool:
        users = [pool.submit(product.serve) for _ in range(IN_FLIGHT)]
        while not all(each.done() for each in users):
            time.sleep(0.1)
            if owner.is_gone():
                product.gone.set()
    for each in users:
        each.result()
    if not product.gone.is_set():
        done = ProductResult(status="done", asked=product.asked, voted=product.voted)
        write_json(folder / RESULT, done.model_dump())
    return 0


def _users(order: ProductOrder) -> Iterator[User]:
    """Everybody who comes, in order, but for those who have voted before."""
    with order.prompts.open(encoding="utf-8") as lines:
        prompts: list[list[dict[str, str]]] = [json.loads(line)["messages"] for line in lines]
    visits = itertools.chain.from_iterable(itertools.repeat(prompts, order.rounds))
    known = frozenset(order.voted)
    for name, messages in zip(simulated_voters.voters(order.crowd), visits, strict=False):
        if name not in known:
            yield User(name, messages)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
