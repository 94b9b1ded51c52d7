"""The single lines around the panels: tabs, what is pending or was found, and the keys."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from checkpoints.records import Intervention, Lane, Row, RunState, Step
from tui.keys import FOOTER, Action
from tui.signs import BRIGHT, FAINT, GREY, RED, STATES, YELLOW
from tui.snapshot import Snapshot
from tui.widgets.lines import Lines, said, styled
from tui.widgets.logs import event_line

_TABS = (
    ("1", "Win rate", "Win"),
    ("2", "Loss", "Loss"),
    ("3", "Experiments", "Table"),
    ("4", "Memory", "Memory"),
    ("5", "Events", "Log"),
)


_ABANDONED = "no process drives this run; start it again, in another terminal or after q: autoresearch-tui FOLDER"

_STAY = ("pause", "show_help", "leave")
"""Keys that are named however short the line is."""


class Tabs(Lines):
    """Which panel is shown where there is room for one."""

    def __init__(self) -> None:
        super().__init__(id="tabs")
        self.shown = 1
        self.words = ""
        """Of a filter in use in the panel shown."""

    def lines(self, width: int, height: int) -> Sequence[Text]:
        """One line."""
        text = Text("─", style=FAINT)
        for key, name, short in _TABS:
            chosen = int(key) == self.shown
            label = f"{key} {name if width >= 72 else short}"
            text.append(f"[{label}]" if chosen else f" {label} ", style=f"bold {BRIGHT}" if chosen else GREY)
            text.append("─", style=FAINT)
        if self.words:
            text.append_text(said(f" /{self.words} ", f"bold {YELLOW}"))
        return [text.append("─" * max(0, width - text.cell_len), style=FAINT)]


class Status(Lines):
    """What hinders the run, what a person has asked for and is not done yet, else the chosen experiment's verdict."""

    def __init__(self) -> None:
        super().__init__(id="status")
        self.chosen: Row | None = None
        self.compact = False

    def lines(self, width: int, height: int) -> Sequence[Text]:
        """One line, the most urgent thing."""
        snapshot = self.snapshot or Snapshot()
        if snapshot.trouble:
            return [styled(" ⚠ ", f"bold {RED}").append_text(said(snapshot.trouble, RED))]
        if not snapshot.driven:
            return [styled(" ⚠ ", f"bold {RED}").append_text(said(_ABANDONED, RED))]
        if snapshot.pending:
            waiting = " · ".join(pending(intervention, snapshot) for intervention in snapshot.pending)
            return [styled(" ◷ ", f"bold {YELLOW}").append_text(said(waiting, YELLOW))]
        if snapshot.refused:
            return [styled(" ⚠ ", f"bold {YELLOW}").append_text(_refused(snapshot))]
        if self.compact:
            return [event_line(snapshot.events[-1])] if snapshot.events else []
        return [_about(self.chosen)] if self.chosen else []


class Keys(Lines):
    """The keys that matter most, as many as fit."""

    def __init__(self) -> None:
        super().__init__(id="keys")

    def lines(self, width: int, height: int) -> Sequence[Text]:
        """One line; help and quit stay to the last."""
        shown = list(FOOTER)
        while len(shown) > len(_STAY) and sum(self._key(action).cell_len + 2 for action in shown) > width:
            shown.remove(next(action for action in reversed(shown) if action.name not in _STAY))
        return [Text(" ").append_text(Text("  ").join(self._key(action) for action in shown))]

    def _key(self, action: Action) -> Text:
        paused = self.snapshot and self.snapshot.run and self.snapshot.run.state is RunState.PAUSED
        label = "Go on" if paused and action.name == "pause" else action.label
        return Text.assemble((action.shown, f"bold {BRIGHT}"), (f" {label}", GREY))


def pending(intervention: Intervention, snapshot: Snapshot) -> str:
    """What is about to happen because a person asked for it."""
    number, detail = f"#{intervention.experiment}", intervention.detail
    match intervention.step:
        case Step.PAUSE if detail.get("when") == "now":
            return f"pausing {_after_step(snapshot)}, the training saves its state first…"
        case Step.PAUSE:
            return "pausing after this stage…"
        case Step.RESUME:
            return "going on…"
        case Step.ZOOM_OUT:
            return "zoom-out before the next proposal…"
        case Step.VETO:
            return f"taking {number}{' and what contains it' if detail.get('branch') else ''} back…"
        case Step.SKIP:
            return f"skipping {number}…"
        case Step.REQUEUE:
            return f"trying {number} again…"
        case Step.INJECT:
            return f"putting your idea first: {detail.get('text')}…"
        case Step.ASK:
            return "the agent thinks about your question…"
        case Step.NOTE:
            return "handing your note to the agent…"
        case Step.PIN:
            return f"pinning {number} as champion…"
        case Step.UNPIN:
            return f"letting the pinned champion {number} go…"
        case Step.KEEP:
            return f"keeping {number} anyway…"
        case Step.VOTE:
            return f"counting your vote on {number}…"
        case Step.EXCLUDE:
            return f"taking the votes of {detail.get('voter')} out of the count…"
        case Step.READMIT:
            return f"counting the votes of {detail.get('voter')} again…"
        case Step.PROMOTE:
            return f"promoting {number}…"
        case Step.DEMOTE:
            return f"demoting {number}…"
        case Step.UNDO:
            return f"undoing {_undone(intervention, snapshot)}…"
        case Step.STOP:
            return "stopping…"


def _after_step(snapshot: Snapshot) -> str:
    """When a training stops that is told to: after the step it is at."""
    training = snapshot.progress.get(Lane.TRAIN)
    at_a_step = training is not None and training.experiment is not None and training.doing == "steps"
    return f"after step {training.done:.0f}" if training and at_a_step else "now"


def _undone(intervention: Intervention, snapshot: Snapshot) -> str:
    of = next((one for one in snapshot.interventions if one.number == intervention.detail.get("of")), None)
    if of is None:
        return "a step"
    return f"the {of.step}{f' of #{of.experiment}' if of.experiment is not None else ''}"


def _about(row: Row) -> Text:
    sign = STATES[row.experiment.state]
    text = styled(f" {sign.mark} #{row.experiment.number} ", f"bold {sign.colour}")
    if row.verdict:
        return text.append_text(said(row.verdict.reason))
    return text.append("tests: ", style=GREY).append_text(said(row.experiment.proposal.hypothesis))


def _refused(snapshot: Snapshot) -> Text:
    assert snapshot.refused is not None
    return said(f"program.md refused, the last good one stays in force: {snapshot.refused.error}", YELLOW)
