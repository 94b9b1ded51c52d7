"""What ``autoresearch-tui arena`` does: serve it alone, invite people, list voters, exclude and admit them again."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from checkpoints.artifacts import write_json
from checkpoints.records import PERSON, Step
from checkpoints.text import clean
from checkpoints.visitor import reading
from lanes.arena.ledger import Ledger, LedgerError
from lanes.arena_desk import ARENA, arena_order
from lanes.arena_votes import voter_name
from lanes.evaluate_settings import ArenaSettings
from lanes.order import ORDER, RESULT, ArenaResult
from lanes.worker import Worker
from runner.asked import NotDone, ask_for
from runner.lane_settings import evaluate_settings
from runner.program import Program
from tui.run_error import RunError
from tui.voter_lines import lines_of

MOST = 10_000
"""People that are invited at once."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def serve(asked: argparse.Namespace, run: Path) -> int:
    """Serve the arena of a run until Ctrl+C.

    Raises:
        RunError: Another process does, or it cannot be served.
    """
    folder, order = run / ARENA, arena_order(_settings(run))
    if Worker(folder).alive:
        raise RunError(f"{_who_serves(folder)} serves this arena already")
    with _ledger(folder) as ledger:
        for line in _standing(ledger):
            print(line)
    if not _is_loopback(order.host):
        line = f"it listens on {order.host}: put something that speaks TLS before it, or tokens and answers are sent as"
        print(f"{line} they are, for everybody on the way to read", file=sys.stderr)
    (folder / RESULT).unlink(missing_ok=True)
    write_json(folder / ORDER, order.model_dump(mode="json"))
    print(f"invite people: autoresearch-tui arena invite 20 {asked.folder}; Ctrl+C ends the arena", flush=True)
    from lanes.arena.serve import main

    os.umask(0o077)
    try:
        return main(folder / ORDER)
    except KeyboardInterrupt:
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
    base = _base(folder, _settings(run))
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


def _settings(run: Path) -> ArenaSettings:
    """Where the run's program has the arena listen, and under which address it is reached."""
    return evaluate_settings(Program.read(run.absolute().parent)).arena


def _standing(ledger: Ledger) -> list[str]:
    """What can be voted on, and what is missing."""
    lineup, pairs = ledger.lineup(), ledger.open_pairs()
    lines = [f"{pairs} pairs are open for people to vote on" if pairs else "no pair is open for people to vote on yet"]
    if lineup is None or lineup.server is None or not Worker(lineup.server).alive:
        lines.append("no model server is up: a product that asks for a battle gets 503 until the run has started one")
    return lines


def _who_serves(folder: Path) -> str:
    identity, place = Worker(folder).identity(), _place(folder)
    return f"process {identity.pid if identity else '?'}{f' on {place}' if place else ''}"


def _place(folder: Path) -> str:
    """Where the arena listens; empty where it does not, or not yet."""
    worker = Worker(folder)
    found = worker.result() if worker.alive else None
    if found is None:
        return ""
    result = ArenaResult.model_validate(found)
    return _url(result.host, result.port)


def _base(folder: Path, said: ArenaSettings) -> str:
    """What links begin with: what the program says, or where the arena is served or will be."""
    if place := said.url or _place(folder):
        return place
    if said.port == 0:
        raise RunError("arena.port is 0, so the port of the links is not known yet: start the arena, or give it one")
    return _url(said.host, said.port)


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


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
