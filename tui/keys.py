"""Every action of a person: its keys, its words. Bindings, footer, help and palette are made from this one table."""

from __future__ import annotations

from dataclasses import dataclass

from textual.binding import Binding


@dataclass(frozen=True, slots=True)
class Action:
    """Something that a key does."""

    name: str
    """Name of the app's ``action_`` method, with its arguments."""

    keys: tuple[str, ...]
    """Textual's names, the one that is shown first; none for what only the palette offers."""

    shown: str
    """How the key is written for a person."""

    label: str
    help: str
    footer: int | None = None
    """Place in the footer; where room is short the highest goes first. None keeps it out."""

    palette: bool = True

    @property
    def bindings(self) -> list[Binding]:
        """As Textual wants them."""
        return [Binding(key, self.name, self.label, show=False, key_display=self.shown) for key in self.keys]


ACTIONS = (
    Action("pause", ("p",), "p", "Pause", "Pause the run, after this stage or now; again: go on", 1),
    Action("detail", ("enter",), "⏎", "Detail", "Everything about the selected experiment", 2),
    Action("zoom_out", ("z",), "z", "Zoom-out", "Have stock taken before the next proposal; you may steer it", 3),
    Action("veto", ("v",), "v", "Veto", "Take back the selected keep; says what follows before it asks", 4),
    Action("undo", ("u",), "u", "Undo", "Take back what was done last; says which step, and what follows", 5),
    Action("inject", ("i",), "i", "Inject", "An idea of yours becomes the next experiment", 6),
    Action("skip", ("x",), "x", "Skip", "End the selected experiment, which has not ended yet"),
    Action("requeue", ("t",), "t", "Try again", "The change of the selected experiment once more, as a new one"),
    Action("keep", ("o",), "o", "Keep anyway", "Overrule the verdict on the selected experiment, with a reason"),
    Action("pin", ("c",), "c", "Pin champion", "Hold the selected model as champion; on the pinned one: let it go"),
    Action("arena", ("a",), "a", "Arena", "Vote yourself: two answers, blind; which model gave which is told after", 7),
    Action("report", ("r",), "r", "Report", "The night on one page: what was kept, what is noise, what to try next", 8),
    Action("ranking", ("R",), "R", "Ranking", "Whom the votes place where, what that is worth; which metric agrees"),
    Action("zoom_outs", ("Z",), "Z", "Stock taken", "What was said when stock was taken, and what came of it"),
    Action("memory_page", ("M",), "M", "Memory", "What the agent is handed each time; write your notes to it there"),
    Action("ask", ("A",), "A", "Ask", "Ask the agent about the run; what it would try becomes the next experiment"),
    Action("tree", ("T",), "T", "Tree", "Who was branched from whom, and what became of it"),
    Action("exchanges", ("E",), "E", "Exchanges", "What the agent was asked, and its answers; of one on its page"),
    Action("wheel", ("w",), "w", "Steer here", "Change the run from this dashboard; of several, one may at a time"),
    Action("panel(1)", ("1",), "1", "Win rate", "Go to the win rates"),
    Action("panel(2)", ("2",), "2", "Loss", "Go to the loss of the training under way"),
    Action("panel(3)", ("3",), "3", "Experiments", "Go to the table of experiments"),
    Action("panel(4)", ("4",), "4", "Memory", "Go to what the agent believes"),
    Action("panel(5)", ("5",), "5", "Events", "Go to the log"),
    Action("panel(6)", ("6",), "6", "Lanes", "Go to the lanes"),
    Action("maximise", ("m",), "m", "Maximise", "Give the panel in focus the whole screen, or back", 9),
    Action("view", ("d",), "d", "Display", "The plot in focus shows the next thing: Elo, votes, losses; other series"),
    Action("logarithm", ("l",), "l", "Log axis", "The curves of a training on a logarithmic axis, or not"),
    Action("sort", ("s",), "s", "Sort", "Sort the experiments by the next column"),
    Action("filter", ("slash",), "/", "Filter", "Show only experiments, or events, with certain words; empty: all"),
    Action("copy", ("y",), "y", "Copy", "Copy the panel in focus, or the page, as text; a file has it too"),
    Action("export", ("e",), "e", "Export", "Files of the panel in focus: a plot as PNG and SVG, a table as TSV, JSON"),
    Action("theme", (), "", "Theme", "Colours for the night or for the day"),
    Action("move(1)", ("down", "j"), "↓ j", "Down", "Next experiment, next line", palette=False),
    Action("move(-1)", ("up", "k"), "↑ k", "Up", "Previous experiment, previous line", palette=False),
    Action("move(10)", ("pagedown",), "PgDn", "Ten down", "Ten lines down", palette=False),
    Action("move(-10)", ("pageup",), "PgUp", "Ten up", "Ten lines up", palette=False),
    Action("move(-1000000)", ("home", "g"), "Home g", "First", "To the top", palette=False),
    Action("move(1000000)", ("end", "G"), "End G", "Last", "To the bottom", palette=False),
    Action("show_help", ("question_mark", "f1"), "?", "Help", "This page", 10),
    Action("command_palette", ("ctrl+p",), "^p", "Palette", "Find an action by its name", 11, palette=False),
    Action("leave", ("q", "ctrl+q"), "q", "Quit…", "Leave the screen; asks what becomes of the run", 12),
)
"""In the order of the help page."""

PANELS = ("win-rate", "loss", "experiments", "memory", "events", "lanes")
"""Ids of the panels that the keys 1 to 6 go to."""

BINDINGS = [binding for action in ACTIONS for binding in action.bindings]

FOOTER = sorted((action for action in ACTIONS if action.footer is not None), key=lambda action: action.footer or 0)
