"""What a person may do to the run: each action says what follows, asks where it must, and writes an intervention."""

from __future__ import annotations

from checkpoints.records import RunState, Step
from tui.guest import Guest


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
        if not (row := self.chosen("veto")):
            return
        from runner.interventions import Refused
        from tui.screens.veto import BRANCH, veto

        try:
            question = veto(self.snapshot, row)
        except Refused as refused:
            self.say(refused)
            return
        number = row.experiment.number
        self.push_screen(
            question,
            lambda answer: answer and self.ask_for(Step.VETO, number, answer.text, {"branch": answer.name == BRANCH}),
        )
