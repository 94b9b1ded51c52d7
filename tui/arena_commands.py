"""What ``autoresearch-tui arena`` does: serve it alone, invite people, list voters, exclude and admit them again."""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from checkpoints.ownership import Held, holder
from checkpoints.records import PERSON, Step
from checkpoints.text import clean
from checkpoints.visitor import reading
from lanes.arena.ledger import Ledger, LedgerError
from lanes.arena_desk import ARENA, url_of, where_it_serves
from lanes.arena_votes import voter_name
from lanes.evaluate_settings import ArenaSettings
from lanes.lane import StageFailed
from lanes.worker import Worker
from runner.asked import NotDone, ask_for
from runner.lane_settings import evaluate_settings
from runner.program import Program
from tui.leaving import signals_held_back
from tui.run_error import RunError
from tui.voter_lines import lines_of

MOST = 10_000
"""People that are invited at once."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def serve(asked: argparse.Namespace, run: Path) -> int:
    """Serve the arena of a run and the models that it answers with until Ctrl+C.

    Raises:
        Held: Another process has the run, and serves the arena.
        RunError: It cannot be served.
        StoreError: The store cannot be used.
    """
    folder, settings = run / ARENA, evaluate_settings(_program(run))
    if held := holder(run):
        raise Held(f"{held} has this run: {_where_it_serves(folder)}")
    with _ledger(folder) as ledger:
        pairs = ledger.open_pairs()
    print(f"{pairs} pairs are open for people to vote on" if pairs else "no pair is open for people to vote on yet")
    if not _is_loopback(host := settings.arena.host):
        line = f"it listens on {host}: put something that speaks TLS before it, or tokens and answers are sent as"
        print(f"{line} they are, for everybody on the way to read", file=sys.stderr)
    print(f"invite people: autoresearch-tui arena invite 20 {asked.folder}; Ctrl+C ends the arena", flush=True)
    with signals_held_back():
        from tui.arena_alone import serve_alone

    try:
        asyncio.run(serve_alone(run, settings))
    except (StageFailed, LedgerError) as error:
        raise RunError(str(error)) from None
    print("the arena has ended; every vote that it acknowledged is kept")
    return 0


def invite(asked: argparse.Namespace, run: Path) -> int:
    """Print a link for each voter, and nothing else, to the output.

    Raises:
        RunError: It is not said whom, or they cannot be named so.
    """
    folder = run / ARENA
    with _ledger(folder) as ledger:
        before = set(ledger.invited())
        names = _named(asked.names) if asked.names is not None else _numbered(asked.many, before)
        tokens = ledger.invite(names)
    base = _base(folder, evaluate_settings(_program(run)).arena)
    for name in names:
        print(f"{base}/#{tokens[name]}")
    sys.stdout.flush()
    who = names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}, in this order"
    print(f"{who}; the links are shown this once: who has one votes under that name", file=sys.stderr)
    if again := [name for name in names if name in before]:
        print(f"the links that {', '.join(again)} had before are worth nothing from now on", file=sys.stderr)
    if not Worker(folder).alive:
        print(f"the arena is not served now: autoresearch-tui arena {run.parent}, or start the run", file=sys.stderr)
    return 0


def voters(_: argparse.Namespace, run: Path) -> int:
    """Who was invited, who has voted and how, who is doubtful, who is excluded."""
    with _ledger(run / ARENA) as ledger:
        invited, figures = set(ledger.invited()), ledger.voter_figures()
    with reading(run) as read:
        excluded = {one.voter: one.reason for one in read.exclusions()}
    print("\n".join(clean(line) for line in lines_of(figures, invited, excluded)))
    return 0


def exclude(asked: argparse.Namespace, run: Path) -> int:
    """Count a voter's votes no longer."""
    return _settle(asked, run, Step.EXCLUDE)


def readmit(asked: argparse.Namespace, run: Path) -> int:
    """Count an excluded voter's votes again."""
    return _settle(asked, run, Step.READMIT)


def _settle(asked: argparse.Namespace, run: Path, step: Step) -> int:
    voter = voter_name(asked.voter)
    if not _is_known(run, asked.voter, voter):
        raise RunError(f"nobody called {clean(asked.voter)} was invited or has voted: see `arena voters`")
    try:
        done = ask_for(run, step, asked.reason, {"voter": voter})
    except NotDone as error:
        raise RunError(str(error)) from None
    if done.refused:
        raise RunError(clean(done.effect))
    print(clean(done.effect))
    return 0


def _is_known(run: Path, name: str, voter: str) -> bool:
    with reading(run) as read:
        if read.votes(voter=voter):
            return True
    with _ledger(run / ARENA) as ledger:
        return name in ledger.invited()


@contextmanager
def _ledger(folder: Path) -> Generator[Ledger]:
    try:
        with Ledger(folder) as ledger:
            yield ledger
    except LedgerError as error:
        raise RunError(str(error)) from None


def _program(run: Path) -> Program:
    return Program.read(run.absolute().parent)


def _where_it_serves(folder: Path) -> str:
    place = where_it_serves(folder)
    return f"its arena is on {place}" if place else "its arena comes up there when there is something to vote on"


def _base(folder: Path, said: ArenaSettings) -> str:
    """What links begin with: what the program says, or where the arena is served or will be."""
    if place := said.url or where_it_serves(folder):
        return place
    if said.port == 0:
        raise RunError("arena.port is 0, so the port of the links is not known yet: start the arena, or give it one")
    return url_of(said.host, said.port)


def _is_loopback(host: str) -> bool:
    return host in ("localhost", "::1") or host.startswith("127.")


def _named(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if not _NAME.fullmatch(name):
            word = clean(name) or "nothing"
            raise RunError(f"{word} is no name for a voter: letters, digits, . _ -, at most 64 of them")
        if name.startswith(PERSON):
            raise RunError(f"{name} is no name for a voter: what begins with {PERSON} is somebody at a dashboard")
    if twice := {name for name in names if names.count(name) > 1}:
        raise RunError(f"{', '.join(sorted(twice))}: each voter needs a name of their own")
    return names


def _numbered(many: int | None, taken: set[str]) -> list[str]:
    if many is None or not 1 <= many <= MOST:
        raise RunError(f"say how many to invite, 1 to {MOST:,}, or their names: arena invite --names anna,ben")
    free = (name for number in range(1, MOST + len(taken) + 1) if (name := f"voter-{number:03}") not in taken)
    return [next(free) for _ in range(many)]
