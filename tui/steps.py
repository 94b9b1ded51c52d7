"""What a person may do to the run: each action says what follows, asks where it must, and writes an intervention."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from checkpoints.records import Json, Row, RunState, Step
from tui.guest import Guest

if TYPE_CHECKING:
    from tui.screens.question import Answered, Question
    from tui.snapshot import Snapshot


class Steps(Guest):
    """The actions that change the run."""

    async def action_pause(self) -> None:
        """Pause, or go on."""
        if not (run := self.going("pause")):
            return
        if any(wanted.step in (Step.PAUSE, Step.RESUME) for wanted in self.snapshot.pending):
            self.say("the last pause or resume is still under way")
            return
        if run is RunState.PAUSED:
            await self.want(Step.RESUME)
            return
        from tui.screens.pause import pause

        self.push_screen(pause(), lambda answer: answer and self.ask_for(Step.PAUSE, detail={"when": answer.name}))

    def action_zoom_out(self) -> None:
        """Have stock taken."""
        if not self.going("zoom out of"):
            return
        from tui.screens.zoom_out import zoom_out

        self.push_screen(
            zoom_out(), lambda answer: answer and self.ask_for(Step.ZOOM_OUT, detail={"text": answer.text})
        )

    def action_veto(self) -> None:
        """Take back a keep."""
        from tui.screens.veto import BRANCH, veto

        self._ask("veto", veto, lambda answer: (Step.VETO, {"branch": answer.name == BRANCH}))

    def action_undo(self) -> None:
        """Take back what a person did."""
        if any(wanted.step not in (Step.VOTE, Step.ASK) for wanted in self.snapshot.pending):
            self.say("the last step is still under way")
            return
        from tui.screens.undo import undo

        self._agree(undo, lambda answer: self.ask_for(Step.UNDO, detail={"of": int(answer.name)}))

    async def action_inject(self) -> None:
        """Have an idea tried next."""
        if not self.going("put an idea into"):
            return
        if (champion := self.snapshot.champion) is None:
            self.say("there is no champion to change yet: the baseline is first")
            return
        import sqlite3

        from tui.screens.inject import inject, read_space

        try:
            space = await asyncio.to_thread(read_space, self.folder, champion)
        except (OSError, sqlite3.Error):
            space = []  # the form is said all the same
        self.push_screen(
            inject(space, self.size.height),
            lambda answer: answer and self.ask_for(Step.INJECT, detail={"text": answer.text}),
        )

    def action_skip(self) -> None:
        """End an experiment in flight."""
        from tui.screens.skip import skip

        self._ask("skip", skip, lambda answer: (Step.SKIP, {}))

    def action_requeue(self) -> None:
        """Try the change of an experiment that has ended once more."""
        if not self.going("try again in"):
            return
        from tui.screens.requeue import requeue

        self._ask("try again", requeue, lambda answer: (Step.REQUEUE, {}))

    def action_keep(self) -> None:
        """Overrule a verdict."""
        from tui.screens.keep import keep

        self._ask("keep", keep, lambda answer: (Step.KEEP, {}))

    def action_pin(self) -> None:
        """Hold a champion there, or let it go."""
        from tui.screens.pin import pin

        self._ask("pin", pin, lambda answer: (Step.UNPIN if answer.name == "unpin" else Step.PIN, {}))

    def _ask(
        self,
        what: str,
        question: Callable[[Snapshot, Row], Question],
        meant: Callable[[Answered], tuple[Step, Json]],
    ) -> None:
        """Say what follows from a step on the chosen experiment, and ask; a step that does not apply says why."""
        if not (row := self.chosen(what)):
            return
        number = row.experiment.number

        def use(answer: Answered) -> None:
            step, detail = meant(answer)
            self.ask_for(step, number, answer.text, detail)

        self._agree(lambda now: question(now, now.rows[number]), use)

    def _agree(
        self,
        question: Callable[[Snapshot], Question],
        use: Callable[[Answered], None],
        before: tuple[Question, Answered] | None = None,
    ) -> None:
        """Ask until the answer is to what follows now: the run goes on while a person reads."""
        from runner.interventions import Refused

        try:
            asked = question(self.snapshot)
        except Refused as refused:
            self.say(refused)
            return
        if before:
            then, answer = before
            if asked.content == then.content:
                use(answer)
                return
            asked.ask_again(answer)
        self.push_screen(asked, lambda answer: answer and self._agree(question, use, (asked, answer)))
