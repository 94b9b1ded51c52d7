"""The simulated product as the evaluate lane sees it: it works while questions are open that it has prompts for."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from checkpoints.reader import Reader
from lanes.launch import Launcher
from lanes.order import ORDER, ProductOrder
from lanes.rows import Prompt
from lanes.terms import Terms
from lanes.worker import Worker, WorkerError

PROGRAM = "lanes.simulated_product"

PROMPTS = "prompts.jsonl"

STOPPED_SECONDS = 60.0
"""How long a product may be stopped by a signal before another one goes on."""

DEATHS = 5
"""How often it may end before its users have all come."""

Questions = Mapping[str, tuple[Terms, list[Prompt]]]
"""What is open: who meets whom, and the prompts in the question's order, by name."""


class ProductDesk:
    """One product for all questions that are open: who asks does not choose what is compared."""

    def __init__(self, folder: Path, launcher: Launcher, owner: Path, complain: Callable[[str], None]) -> None:
        """Start nothing yet.

        Args:
            folder: Of the product's process.
            launcher: Where it starts.
            owner: Lock file of the run.
            complain: Called with a line for a person.
        """
        self._worker, self._launcher, self._owner, self._complain = Worker(folder), launcher, owner, complain
        self._stopped_at: float | None = None
        """Monotonic time since which it is stopped."""

        self._used_up: set[str] = set()
        self._deaths = 0
        self._order: tuple[str, ...] | None = None

    def used_up(self, name: str) -> bool:
        """Whether all prompts were asked while a question was open."""
        return name in self._used_up

    async def keep(self, questions: Questions, arena: Path, read: Reader, seed: int) -> None:
        """Have a product at work while a question is open that it has not asked everything of.

        Args:
            questions: What is open.
            arena: Folder of the arena.
            read: Of the run's store, which must have every vote that was acknowledged.
            seed: Of the run.

        Raises:
            WorkerError: It cannot be started, or ends again and again.
            OSError: Its folder cannot be written.
        """
        self._used_up &= questions.keys()
        wanted = bool(set(self._questions()) & questions.keys())
        if self._worker.result() is not None:
            self._used_up |= set(self._questions()) & questions.keys()
            self._deaths = 0
        elif self._worker.alive:
            if wanted and not self._is_stuck():
                return
            await self.end()
        elif wanted:
            self._deaths += 1
        if self._deaths > DEATHS:
            self._deaths = 0
            raise WorkerError(f"the simulated product ends again and again: {self._worker.last_words()}")
        if due := [name for name in questions if name not in self._used_up]:
            await self._worker.kill(grace=0)
            await self._begin(questions, due, arena, read, seed)

    def _is_stuck(self) -> bool:
        """Whether it has been stopped for too long; a person is told."""
        if not self._worker.stopped:
            self._stopped_at = None
            return False
        self._stopped_at = self._stopped_at or time.monotonic()
        if time.monotonic() - self._stopped_at < STOPPED_SECONDS:
            return False
        self._stopped_at = None
        self._complain(
            f"the simulated product was stopped by somebody for {STOPPED_SECONDS:g} s; it is ended, and another goes on"
        )
        return True

    async def end(self) -> None:
        """End it: who has not voted by now does not."""
        with contextlib.suppress(WorkerError):
            await self._worker.kill(grace=0)

    async def _begin(self, questions: Questions, due: list[str], arena: Path, read: Reader, seed: int) -> None:
        terms, prompts = questions[due[0]]
        voted = {
            voter
            for each, _ in questions.values()
            for *_, voter in read.voters_on_pairs(each.experiment, each.test, 0)[1]
        }
        file = self._worker.folder / PROMPTS
        order = ProductOrder(
            arena=arena,
            prompts=file,
            rounds=terms.votes_per_prompt * len(questions),
            questions=tuple(questions),
            seed=seed,
            # Another walk for each question: fresh voters, with the tastes that the run's seed gives them.
            crowd=seed * 1_000_003 + terms.experiment + 500_000 * terms.test,
            voted=tuple(sorted(voted)),
        )
        rows = "".join(json.dumps({"messages": prompt.prompt}) + "\n" for prompt in prompts)
        await asyncio.to_thread(_write, file, rows)
        await self._worker.put_order(order.model_dump(mode="json"))
        self._order = order.questions
        await self._worker.start(PROGRAM, self._launcher, self._owner)

    def _questions(self) -> tuple[str, ...]:
        """Names of the questions that the product in hand was started for, perhaps by another runner."""
        if self._order is None:
            try:
                text = (self._worker.folder / ORDER).read_bytes()
                self._order = ProductOrder.model_validate_json(text).questions
            except (OSError, ValueError):
                self._order = ()
        return self._order


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
