"""Asks the agent to repair an edit that crashed: it is shown the end of the output, as data, and edits once more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

from checkpoints import writes
from checkpoints.records import Experiment, Json, Lane, Level, State
from checkpoints.store import Store
from checkpoints.thought import Purpose
from lanes.script.train_lane import NotRepaired
from runner.agent.asking import LanguageModel, Question, Unreadable, Unusable
from runner.agent.checks import vetoed
from runner.agent.quoting import RULE, quoted
from runner.change import ChangeRefused
from runner.script.space import FileSpace

ASKED = 2
"""How often it is asked for one repair: an answer that is no edit is told so."""

PATIENCE = 60.0
"""Seconds that the train lane stands still for one repair, however often is asked; then the crash stands."""

_TAIL = 12_000
"""Characters of the output's end."""

_SYSTEM = f"""\
You are the scientist of a research loop. The edit that you proposed made the script fail. Repair what is broken and
keep the idea; where the idea itself cannot work, make the smallest edit that lets the script run. The repair is one
edit of one file, on the file as it is now, with your edit in it. Everything is checked, and what does not fit is
refused.
{RULE}"""


class Mender:
    """Asks for repairs."""

    def __init__(self, store: Store, space: Callable[[], FileSpace], model: Callable[[], LanguageModel | None]) -> None:
        """Ask nothing yet.

        Args:
            store: Exchanges are said to be of the experiment.
            space: What may be edited.
            model: Whom to ask; None while nobody can be.
        """
        self._store, self._space, self._model = store, space, model

    async def __call__(self, experiment: Experiment, failure: str, tail: str) -> Json:
        """The recipe of an experiment, repaired.

        Args:
            experiment: With the recipe that crashed.
            failure: What went wrong, in a line of ours.
            tail: The end of the output: a stranger's words.

        Raises:
            NotRepaired: Nobody can be asked, nothing came in time, or what came is no edit.
        """
        model = self._model()
        if model is None:
            raise NotRepaired("there is no language model to ask")
        try:
            async with asyncio.timeout(PATIENCE):
                return await self._asked(model, experiment, failure, tail)
        except TimeoutError:
            why = f"{model.name} gave no repair in {PATIENCE:g} s, and the train lane does not wait longer"
            self._store.submit(writes.event, Level.WARNING, Lane.TRAIN, why, experiment.number)
            raise NotRepaired(why) from None

    async def _asked(self, model: LanguageModel, experiment: Experiment, failure: str, tail: str) -> Json:
        """The recipe repaired, by a model that is told what was wrong with its answer."""
        space, recipe = self._space(), experiment.recipe or {}
        messages: tuple[dict[str, str], ...] = (
            {"role": "system", "content": _SYSTEM},
            {"role": "user", "content": _report(experiment, failure, tail, space, recipe)},
        )
        schema = _schema(space.schema(recipe))
        why = ""
        for _ in range(ASKED):
            try:
                answer = await model.ask(Question(Purpose.REPAIR, messages, schema))
            except Unusable as unusable:
                raise NotRepaired(str(unusable)) from None
            except Unreadable as unreadable:
                why, said, number = str(unreadable), unreadable.text, unreadable.exchange
            else:
                said, number = answer.text, answer.exchange
                try:
                    mended = self._mended(space, answer.value or {}, experiment)
                except ChangeRefused as refused:
                    why = str(refused)
                else:
                    await self._store.do(writes.led_to, [number], experiment.number)
                    return mended
            await self._store.do(writes.led_to, [number], experiment.number)
            messages = (*messages, {"role": "assistant", "content": said[:_TAIL]}, {"role": "user", "content": why})
        raise NotRepaired(f"{model.name} gave no repair: {why}")

    def _mended(self, space: FileSpace, value: Json, experiment: Experiment) -> Json:
        """The recipe with the repair in it; what it makes of the recipe that the edit was proposed on is no veto's."""
        raw, recipe = value.get("change"), experiment.recipe or {}
        if not isinstance(raw, dict):
            raise ChangeRefused("a repair is an object with change")
        mended = space.apply(space.change(cast(Json, raw), recipe), recipe)
        known = {} if experiment.parent is None else self._store.read.recipes(experiment.parent)
        before = known.get(experiment.parent or 0, recipe)
        for one in self._store.read.experiments(State.VETOED):
            change = one.proposal.change
            if change and space.makes(before, mended, change):
                raise ChangeRefused(vetoed(change, one.number, one.note))
        return mended


def _report(experiment: Experiment, failure: str, tail: str, space: FileSpace, recipe: Json) -> str:
    proposal = experiment.proposal
    return "\n\n".join(
        [
            f"Experiment {experiment.number} failed.",
            quoted(proposal.hypothesis, "your hypothesis", 2_000),
            quoted(failure, "what went wrong", 1_000),
            quoted(tail, "the last lines of the script's output", _TAIL),
            space.describe(recipe),
        ]
    )


def _schema(change: Json) -> Json:
    properties: Json = {"why": {"type": "string", "description": "What was wrong, in a sentence."}, "change": change}
    return {"type": "object", "properties": properties, "required": [*properties], "additionalProperties": False}
