"""The checklist for choosing a score, asked in a terminal: at most five questions, Enter takes the default."""

from __future__ import annotations

from pathlib import Path

from runner.init import InitError, must_be_free
from runner.program import FILE
from runner.score import JUDGE, JUDGE_QUESTION, QUESTIONS, Question, Score, judged
from tui.run_error import RunError

_INTRODUCTION = """\
What judges an experiment? Five questions at most, the best kind of score first; Enter takes the answer in capitals.
To try it without any data of yours: autoresearch-tui demo
"""


def ask_for_score(folder: Path) -> Score:
    """Ask until one kind of score fits.

    Args:
        folder: Where the program is going to be written.

    Raises:
        RunError: The input ended, or there is a program already: nobody is asked in vain.
    """
    try:
        must_be_free(folder / FILE)
    except InitError as error:
        raise RunError(str(error)) from None
    print(_INTRODUCTION)
    for question in QUESTIONS:
        if _agreed(question):
            return question.score
    score = judged(_said(f"{JUDGE_QUESTION}: "))
    print(f"  → {JUDGE}\n")
    return score


def _agreed(question: Question) -> bool:
    keys = {"y": True, "yes": True, "n": False, "no": False, "": question.default}
    shown = "[Y/n]" if question.default else "[y/N]"
    while (said := _said(f"{question.text} {shown} ").strip().lower()) not in keys:
        print("  y or n, please")
    print(f"  → {question.yes if keys[said] else question.no}\n")
    return keys[said]


def _said(prompt: str) -> str:
    try:
        return input(prompt)
    except EOFError:
        print()
        raise RunError(
            "nothing was written; to begin without questions: autoresearch-tui init demo, study or online"
        ) from None
