"""The outside ledger: what a run has acknowledged to others, remembered where no fault reaches it."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from itertools import count
from pathlib import Path

import httpx
from laws import Breach, Law, Seen

from checkpoints.reader import Reader
from checkpoints.records import Step
from checkpoints.visitor import intervene_from_outside
from lanes.arena_desk import ARENA, where_it_serves

VOTE_SECONDS = 0.05
"""From one vote to the next."""


class Outside:
    """Votes and steps that were acknowledged, and what the store said between faults."""

    def __init__(self, run: Path) -> None:
        self.votes: list[str] = []
        """Keys of votes that the door said are counted."""

        self.steps: dict[int, Step] = {}
        """Steps of a person that are on record, by number."""

        self._run = run
        self._seen = Seen()

    def step(self, step: Step, experiment: int | None = None) -> None:
        """Do something as a person does from another process.

        Raises:
            sqlite3.Error, StoreError: It was not taken, and nothing is acknowledged.
        """
        number = intervene_from_outside(self._run, step, experiment, "in a storm")
        self.steps[number] = step

    def look(self) -> None:
        """Remember what the store says now."""
        with closing(Reader(self._run)) as read:
            self._seen.look(read)

    def breaches(self, read: Reader) -> Iterator[Breach]:
        """What was acknowledged and is not there, or more than once.

        No step may be pending: after the last of them the run was driven once more, to a good end.
        """
        yield from self._seen.breaches(read)
        there = Counter(vote.key for vote in read.votes())
        for key in self.votes:
            if there[f"arena:product/{key}"] != 1:
                yield Breach(
                    Law.VOTES, f"vote {key} was acknowledged and is there {there[f'arena:product/{key}']} times"
                )
        known = {one.number: one for one in read.interventions()}
        for number, step in self.steps.items():
            if number not in known or known[number].step is not step:
                yield Breach(Law.LOST, f"{step} {number} of a person is not on record")
            elif known[number].acknowledged_at is None:
                yield Breach(Law.HANGS, f"{step} {number} of a person was never taken up")


class Voter(threading.Thread):
    """Votes over the door for as long as it is told to; each vote is sent until it is acknowledged."""

    def __init__(self, run: Path, outside: Outside) -> None:
        super().__init__(daemon=True)
        self._folder, self._outside = run / ARENA, outside
        self._over = threading.Event()
        self._client = httpx.Client(timeout=5, trust_env=False, verify=False)  # no certificates: it speaks to loopback

    def run(self) -> None:
        for number in count():
            while not self._over.is_set() and not self._sent(number):
                self._over.wait(VOTE_SECONDS)
            if self._over.wait(VOTE_SECONDS):
                return

    def end(self) -> None:
        """Vote no more."""
        self._over.set()
        self.join()
        self._client.close()

    def _sent(self, number: int) -> bool:
        key = f"storm-{number}"
        vote = {
            "model_a": "exp-0001", "model_b": "exp-0000", "choice": "tie", "voter": f"user-{number}", "key": key,
        }  # fmt: skip
        try:
            token = (self._folder / "product.token").read_text(encoding="utf-8")
            url = where_it_serves(self._folder)
            if not url:
                return False
            head = {"authorization": f"Bearer {token}"}
            answer = self._client.post(f"{url}/v1/votes", json=vote, headers=head)
            if not answer.is_success or not answer.json()["counted"]:
                return False
        except (OSError, httpx.HTTPError):
            return False
        self._outside.votes.append(key)
        return True
