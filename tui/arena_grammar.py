"""What can be asked of ``autoresearch-tui arena``; without its work, which takes longer to import than a screen."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

STEPS = ("serve", "invite", "voters", "exclude", "readmit")

_FOLDER = "folder of program.md (default: this one)"


def with_step(arguments: Sequence[str]) -> list[str]:
    """The arguments of ``arena`` with the step that they mean: a folder alone is to be served."""
    if arguments and arguments[0] in (*STEPS, "-h", "--help"):
        return list(arguments)
    return ["serve", *arguments]


def grammar(arena: argparse.ArgumentParser) -> None:
    """Add the steps."""
    add = arena.add_subparsers(dest="step", metavar="STEP", required=True).add_parser
    serve = add("serve", help="serve arena and models without the loop; without a step, this one")
    serve.add_argument("folder", nargs="?", type=Path, default=Path(), help=_FOLDER)
    invite = add("invite", help="print links to vote by, one a line", usage="%(prog)s (N | --names A,B) [FOLDER]")
    invite.set_defaults(many=None, folder=Path())
    invite.add_argument("words", nargs="*", action=_NumberAndFolder, metavar="N [FOLDER]", help="how many; " + _FOLDER)
    invite.add_argument("--names", help="of the voters, with commas between them, instead of N (default: voter-001, …)")
    voters = add("voters", help="who was invited, who votes how, who is doubtful, who is excluded")
    voters.add_argument("folder", nargs="?", type=Path, default=Path(), help=_FOLDER)
    for name, done in (("exclude", "count a voter's votes no longer"), ("readmit", "count them again")):
        settle = add(name, help=done)
        settle.add_argument("voter")
        settle.add_argument("folder", nargs="?", type=Path, default=Path(), help=_FOLDER)
        settle.add_argument("--reason", default="", required=name == "exclude", help="for the record")


class _NumberAndFolder(argparse.Action):
    """Reads ``[N] [FOLDER]``: either may be left out."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option: str | None = None
    ) -> None:
        words: list[str] = list(values)
        if words and words[0].isdecimal():
            namespace.many = int(words.pop(0))
        if len(words) > 1:
            parser.error(f"a number and a folder are all that it takes, not {' '.join(words)}")
        if words:
            namespace.folder = Path(words[0])
