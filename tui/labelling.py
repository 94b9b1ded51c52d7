"""Labels given in a terminal: pairs one by one, blind, each kept before the next is shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from checkpoints.records import Choice
from checkpoints.text import clean
from lanes.judge.records import Label, Pair

CHOICES = {"1": Choice.A, "2": Choice.TIE, "3": Choice.B}

_ASKED = "1 A is better · 2 about equal · 3 B is better · s skip · q stop, the labels are kept: "


def ask(pairs: Sequence[Pair], wanted: int, keep: Callable[[Label], None]) -> list[Label]:
    """Ask for labels until there are enough, the pairs are used up, or the person stops.

    Args:
        pairs: Two answers each, in the order in which they are shown.
        wanted: Labels that are missing.
        keep: Called with each label before the next pair is shown.
    """
    labels: list[Label] = []
    for pair in pairs:
        if len(labels) == wanted:
            break
        print(f"\n— {len(labels) + 1} of {wanted} —\n\n{clean(pair.prompt)}")
        print(f"\n[A]\n{clean(pair.answer_a)}\n\n[B]\n{clean(pair.answer_b)}\n")
        said = _said()
        if said == "q":
            break
        if said in CHOICES:
            label = Label(pair, CHOICES[said])
            keep(label)
            labels.append(label)
    return labels


def _said() -> str:
    """One of the choices, ``s`` or ``q``; the end of the input is a stop."""
    while True:
        try:
            said = input(_ASKED).strip().lower()
        except EOFError:
            return "q"
        if said in {*CHOICES, "s", "q"}:
            return said
