"""What each command does, given what was asked; everything heavy is imported by the command that needs it."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from checkpoints.collection import no_collection
from checkpoints.ownership import ALONE, RUN, Held, StoreError, holder
from runner.program_error import ProgramError
from tui.leaving import signals_held_back
from tui.run_error import RunError

if TYPE_CHECKING:
    from runner.init import Name
    from runner.score import Score

__all__ = ["EXPECTED", "Held"]

TEMPLATES = ("demo", "study", "online")

_BEGINS = 3.0
"""Seconds within which an owner has made or brought up to date its store."""

EXPECTED = (ProgramError, StoreError, RunError)
"""What a person can mend: shown as one line, never as a trace."""


def dashboard(asked: argparse.Namespace) -> int:
    """Start or resume with the dashboard, or attach where another process has the run; headless without a terminal.

    Raises:
        RunError: There is no such folder.
    """
    folder = _folder(asked.folder)
    _let_be_unsafe(asked)
    if why := _no_terminal():
        print(f"headless: {why}", file=sys.stderr)
        return _headless(folder)
    if held := _held(folder):
        _refuse_beside_the_arena(held, folder)
        return _visit(held, folder)
    try:
        with signals_held_back():
            with no_collection():
                from tui.owner import own

            return own(_to_drive(folder))
    except Held:  # somebody was faster
        return _visit(_held(folder) or folder, folder)


def run(asked: argparse.Namespace) -> int:
    """Start or resume."""
    _let_be_unsafe(asked)
    return _headless(asked.folder) if asked.headless else dashboard(asked)


def _let_be_unsafe(asked: argparse.Namespace) -> None:
    """Said to this process and to the one that goes on with the run when the screen is left."""
    if getattr(asked, "unsafe", False):
        os.environ["AUTORESEARCH_UNSAFE"] = "yes"


def attach(asked: argparse.Namespace) -> int:
    """Look at a run that another process drives."""
    folder = _held(asked.folder) or _run_folder(asked.folder)
    if why := _no_terminal():
        raise RunError(f"attach needs a terminal ({why}); ask for: autoresearch-tui status")
    return _visit(folder, asked.folder)


def status(asked: argparse.Namespace) -> int:
    """What the run is doing."""
    from checkpoints.visitor import reading
    from runner import results

    folder = _run_folder(asked.folder)
    with reading(folder) as read:
        now = results.status(folder, read)
    print(json.dumps(now, indent=2) if asked.json else results.status_line(now))
    return 0


def results(asked: argparse.Namespace) -> int:
    """All experiments as TSV, or the whole run as JSON."""
    from checkpoints.visitor import reading
    from runner.results import results_tsv

    with reading(_run_folder(asked.folder)) as read:
        if asked.json:
            from runner.results_json import results_json

            print(json.dumps(results_json(read), indent=2))
        else:
            print(results_tsv(read), end="")
    return 0


def report(asked: argparse.Namespace) -> int:
    """The night on one page.

    Raises:
        RunError: The run has not begun, or the file cannot be written.
    """
    from runner.report.facts import NoRun
    from runner.report.written import write, written

    try:
        text = written(_run_folder(asked.folder), asked.html)
    except NoRun as error:
        raise RunError(str(error)) from None
    if not asked.output:
        encoding = sys.stdout.encoding or "utf-8"
        print(text.encode(encoding, errors="replace").decode(encoding), end="")
        return 0
    try:
        write(text, asked.output)
    except OSError as error:
        raise RunError(f"{asked.output} cannot be written: {error.strerror}") from error
    print(f"wrote {asked.output}")
    return 0


def init(asked: argparse.Namespace) -> int:
    """Write a program to start from; without a template the checklist for choosing a score picks one."""
    if asked.template == "script":
        return _init_script(asked.folder or Path())
    names = ("model", "pairs", "chats", "heldout", "prompts")
    places = {name: value for name in names if (value := getattr(asked, name))}
    template, folder, score = asked.template, asked.folder or Path(), None
    if template not in TEMPLATES:
        if (template and asked.folder) or not sys.stdin.isatty():
            wrong = f"{template} is no template" if template else "name a template"
            print(f"autoresearch-tui: {wrong}; ask for: autoresearch-tui init {'|'.join(TEMPLATES)}", file=sys.stderr)
            return 2
        from tui.checklist import ask_for_score

        folder = Path(template or ".")
        score = ask_for_score(folder)
        template = score.template
    for path in _write(template, folder, places, score):
        print(f"wrote {path}")
    print(f"next: autoresearch-tui doctor {folder}, then autoresearch-tui {folder}")
    return 0


def _init_script(folder: Path) -> int:
    """Write front matter in front of a clone's program, and say what was guessed.

    Raises:
        RunError: Something is in the way.
    """
    from runner.init import InitError
    from runner.script.front_matter import init_script

    try:
        file, guesses = init_script(folder)
    except InitError as error:
        raise RunError(str(error)) from None
    print(f"wrote front matter into {file}; your text stays as it was. Guessed, so look at it:")
    for guess in guesses:
        print(f"  {guess.field:10} {guess.value:24} {guess.why}")
    print(f"next: name a model in agent.model, git commit, autoresearch-tui doctor {folder}, autoresearch-tui {folder}")
    return 0


def doctor(asked: argparse.Namespace) -> int:
    """Check the machine, the program and its data, and the run where there is one; repair it where that is asked.

    Raises:
        Held: A process has the run that is to be repaired.
        RunError: There is no run to repair.
        StoreError: The run cannot be repaired without loss.
    """
    from checkpoints.text import clean
    from runner.checkup.findings import check_up
    from runner.checkup.repair import repair
    from runner.doctor import examine, healthy, program_of, render, run_in

    run = run_in(asked.folder)
    if asked.repair:
        for line in repair(run or _run_folder(asked.folder)):
            print(clean(line))
    findings, columns = examine(program_of(asked.folder)), _columns()
    print(render(findings, columns))
    found = check_up(run) if run else []
    if run:
        print(f"\nthe run in {clean(str(run))}:\n{render(found, columns)}")
    elif healthy(findings):
        print(f"\nno run has begun here; start one: autoresearch-tui {clean(str(asked.folder))}")
    return 0 if healthy([*findings, *found]) else 1


def demo(asked: argparse.Namespace) -> int:
    """Try it in a new folder, or go on with the demo that is there."""
    from runner.program import FILE

    if not (asked.folder / FILE).exists():
        _write("demo", asked.folder, {})
        print(f"the demo is in {asked.folder}", file=sys.stderr)
    return dashboard(asked)


def judge(asked: argparse.Namespace) -> int:
    """Calibrate the language model that judges, or say whether it may vote."""
    from tui import judge_commands

    return {"calibrate": judge_commands.calibrate, "status": judge_commands.status}[asked.step](asked)


def promote(asked: argparse.Namespace) -> int:
    """Serve the champion for good, or say what that lacks."""
    from tui import promotion_commands

    return promotion_commands.promote(asked, _run_folder(asked.folder))


def demote(asked: argparse.Namespace) -> int:
    """Take the promotion back."""
    from tui import promotion_commands

    return promotion_commands.demote(asked, _run_folder(asked.folder))


def arena(asked: argparse.Namespace) -> int:
    """Serve the arena of a run without its loop, invite voters, list them, exclude them or admit them again."""
    from tui import arena_commands

    steps = {
        "serve": arena_commands.serve, "invite": arena_commands.invite, "voters": arena_commands.voters,
        "exclude": arena_commands.exclude, "readmit": arena_commands.readmit,
    }  # fmt: skip
    return steps[asked.step](asked, _run_folder(asked.folder))


def votes(asked: argparse.Namespace) -> int:
    """Analyze a file of votes, or write one of simulated votes."""
    from tui import vote_commands

    return {"analyze": vote_commands.analyze, "simulate": vote_commands.simulate}[asked.step](asked)


def replay(asked: argparse.Namespace) -> int:
    """Judge the history of a loop."""
    from tui import replay_commands

    return replay_commands.replay(asked)


def screenshot(asked: argparse.Namespace) -> int:
    """A picture of any screen.

    Raises:
        RunError: There is no such screen, its key does not apply, or the file cannot be written.
    """
    from tui.picture import picture

    seen = asyncio.run(picture(_run_folder(asked.folder), asked.screen, asked.size, asked.theme))
    try:
        asked.output.write_text(seen.svg if asked.output.suffix == ".svg" else seen.text, encoding="utf-8")
    except OSError as error:
        raise RunError(f"{asked.output} cannot be written: {error.strerror}") from error
    print(f"wrote {asked.output}")
    return 0


def _write(template: Name, folder: Path, places: dict[str, str], score: Score | None = None) -> list[Path]:
    # What writes programs knows all their fields, which takes as long to import as a screen to paint.
    from runner.init import InitError, init

    try:
        return init(template, folder, places, score)
    except InitError as error:
        raise RunError(str(error)) from None


def _refuse_beside_the_arena(run_folder: Path, folder: Path) -> None:
    who = holder(run_folder)
    if who and ALONE in who:
        raise Held(f"this run is held by {who}; look at it with: autoresearch-tui attach {folder}")


def _visit(run_folder: Path, folder: Path) -> int:
    from checkpoints.reader import DATABASE

    if (run_folder / DATABASE).exists():  # else its owner has just begun
        _check(run_folder)
    with no_collection():
        from tui.visitor import Visitor

    return asyncio.run(Visitor(run_folder, f"autoresearch-tui {folder}").look())


def _check(run_folder: Path) -> None:
    """Refuse what cannot be shown; a store that its owner is just making is waited for."""
    from checkpoints.visitor import Outdated, check

    deadline = time.monotonic() + _BEGINS
    while True:
        try:
            return check(run_folder)
        except Outdated:
            if time.monotonic() > deadline or not holder(run_folder):
                raise
        time.sleep(0.05)


def _headless(folder: Path) -> int:
    """Drive the run without a screen.

    Raises:
        Held: Another process has it; said at once, before anything heavy is imported.
    """
    _refuse_beside_the_arena(folder / RUN, folder)
    if held := holder(folder / RUN):
        raise Held(f"this run is held by {held}; look at it with: autoresearch-tui {folder}")
    from tui.headless import headless

    return asyncio.run(headless(_to_drive(folder)))


def _to_drive(folder: Path) -> Path:
    """A folder whose run this user may drive.

    Raises:
        RunError: It is somebody else's.
    """
    from checkpoints.reader import DATABASE
    from checkpoints.trouble import whose

    run = folder / RUN
    for place in (run / DATABASE, run, folder):
        if place.exists():
            if not os.access(place, os.W_OK):
                look = f"; to look: autoresearch-tui attach {folder}" if place != folder else ""
                raise RunError(f"{place} belongs to {whose(place)}, and you may not write it: nothing runs here{look}")
            return folder
    return folder


def _folder(folder: Path) -> Path:
    """A folder that a program may be in.

    Raises:
        RunError: There is none.
    """
    if not folder.exists():
        raise RunError(f"{folder} is neither a folder nor a command; autoresearch-tui --help shows the commands")
    if not folder.is_dir():
        raise RunError(f"{folder} is a file; give the folder of a program.md: autoresearch-tui {folder.parent}")
    return folder


def _columns() -> int:
    """Of the terminal that is written to; 0 where there is none."""
    return os.get_terminal_size(sys.stdout.fileno()).columns if sys.stdout.isatty() else 0


def _held(folder: Path) -> Path | None:
    """The run folder that a process drives: the program's run, or the folder itself."""
    return next((candidate for candidate in (folder / RUN, folder) if holder(candidate)), None)


def _no_terminal() -> str | None:
    """Why there can be no screen; None when there can."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return "input or output is no terminal"
    if os.environ.get("TERM", "dumb") == "dumb":
        return "TERM is dumb"
    return None


def _run_folder(folder: Path) -> Path:
    """The run of a program's folder, or the run folder itself.

    Raises:
        RunError: There is no run.
    """
    from checkpoints.reader import DATABASE

    _folder(folder)
    for candidate in (folder / RUN, folder):
        if (candidate / DATABASE).exists():
            return candidate
    hint = f"; {held} has just begun" if (held := holder(folder / RUN)) else f"; start one: autoresearch-tui {folder}"
    raise RunError(f"there is no run in {folder}{hint}")
