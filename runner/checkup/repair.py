"""What can be repaired of a run without loss, after a copy of its store; nothing is deleted, and all of it is said."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from checkpoints import copies, schema, strokes, writes
from checkpoints.ownership import Owner, StoreError
from checkpoints.reader import DATABASE, Reader
from checkpoints.records import BASELINE, Lane, Level, State, model_name
from checkpoints.visitor import check, reading
from checkpoints.writes.counts import recount
from lanes.places import PlaceError, Transfer, publish
from runner.checkup.champions import never_crowned
from runner.checkup.database import complaints, is_of_an_index
from runner.checkup.facts import facts_of
from runner.checkup.folders import Model, leftovers, models, uploads
from runner.checkup.names import ASIDE, BEFORE_A_REPAIR
from runner.checkup.processes import end, left_over
from runner.checkup.votes import are_miscounted


def repair(run: Path) -> Iterator[str]:
    """Repair a run that nobody has; each line says what was done, or what cannot be.

    Args:
        run: Its folder, with the store.

    Raises:
        Held: A process has the run; the message names it.
        StoreError: The folder or the copy cannot be written; nothing was changed.
    """
    owner = Owner(run, "to repair it")
    try:
        yield from _repair(run)
    finally:
        owner.release()


def certain_champion(read: Reader) -> tuple[int, str] | None:
    """Who must reign where nobody does, and why; None where somebody reigns, or where it is not certain."""
    facts = facts_of(read)
    reigns, uncrowned = facts.reigns, never_crowned(facts)
    if any(reign.until is None for reign in reigns):
        return None
    if not reigns:
        alone = read.done_stage(BASELINE, Lane.TRAIN) and all(one.experiment == BASELINE for one in uncrowned)
        return (BASELINE, "the baseline, trained: its reign was lost") if alone else None
    if len(uncrowned) != 1:
        return None
    heir, last = facts.experiments[uncrowned[0].experiment], reigns[-1].experiment
    rightful = heir.state is State.KEPT and heir.opponent == last
    return (heir.number, f"it beat {model_name(last)}: its reign was lost") if rightful else None


def _repair(run: Path) -> Iterator[str]:
    at = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    try:
        check(run)
    except StoreError as error:
        yield f"not repaired: {error}; {copies.way_back(run)}"
        return
    wrong = complaints(run)
    if not all(map(is_of_an_index, wrong)):
        yield f"not repaired: {run / DATABASE} is damaged ({wrong[0]}); {copies.way_back(run)}"
        return
    with reading(run) as read:
        outlive = left_over(run, read)
    database, folders = [*_of_the_database(run, bool(wrong))], [*_of_the_folders(run, at)]
    if not (outlive or database or folders):
        yield "nothing to repair"
        return
    yield f"copied the store to {_copied(run, at)}"
    for folder, pids in outlive.items():
        yield f"the worker in {folder} outlives the run, and is ended: process {', '.join(map(str, sorted(pids)))}"
    done = [end(folder) for folder in outlive]
    if outlive:  # what they were making is nobody's only now
        folders = [*_of_the_folders(run, at)]
    done += [task() for task in (*database, *folders)]
    yield from done
    _note(run, done)


def _copied(run: Path, at: str) -> Path:
    try:
        return copies.copy_to(run / DATABASE, run / copies.FOLDER / f"{BEFORE_A_REPAIR}{at}.db", whole=False)
    except (OSError, sqlite3.Error) as error:
        raise StoreError(f"nothing was repaired: the store cannot be copied first ({error})") from error


def _of_the_database(run: Path, indexes: bool) -> Iterator[Callable[[], str]]:
    log = run / f"{DATABASE}-wal"
    if log.exists() and log.stat().st_size:
        yield lambda: _checkpoint(run)
    if indexes:
        yield lambda: _reindex(run)
    with reading(run) as read:
        if crowned := certain_champion(read):
            yield lambda: _crown(run, *crowned)
        if are_miscounted(read):
            yield lambda: _recount(run)


def _of_the_folders(run: Path, at: str) -> Iterator[Callable[[], str]]:
    with reading(run) as read:
        damaged = [model for model in models(uploads(read)) if model.lacks and model.can_be_put_back]
        left = [path for path, _ in leftovers(run, read)]
    yield from (lambda model=model: _put_back(run, at, model) for model in damaged)
    yield from (lambda path=path: f"moved {path} to {_aside(run, at, path)}" for path in left)


def _checkpoint(run: Path) -> str:
    with closing(_writing(run)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return f"wrote what was in the log of {run / DATABASE} into the file itself"


def _reindex(run: Path) -> str:
    try:
        with closing(_writing(run)) as connection:
            connection.execute("REINDEX")
    except sqlite3.IntegrityError as error:
        return f"not repaired: an index cannot be built anew ({error}); {copies.way_back(run)}"
    left = complaints(run)
    return f"not repaired: {left[0]}; {copies.way_back(run)}" if left else f"built the indexes of {run / DATABASE} anew"


def _crown(run: Path, number: int, reason: str) -> str:
    with closing(_writing(run)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        writes.change_champion(schema.database(connection), number, reason)
        strokes.commit(connection)
    return f"{model_name(number)} is champion again: {reason}"


def _recount(run: Path) -> str:
    with closing(_writing(run)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        recount(schema.database(connection))
        strokes.commit(connection)
    return "counted all votes anew: their counts were not those of the votes"


def _put_back(run: Path, at: str, model: Model) -> str:
    aside = f"{_aside(run, at, model.place)} and " if model.place.exists() else ""
    try:
        publish(model.trained, str(model.place), Transfer())
    except (PlaceError, OSError) as error:
        return f"not repaired: {model.place} cannot be published again from {model.trained}: {error}"
    return f"moved {model.place} to {aside}published it again" if aside else f"published {model.place} again"


def _aside(run: Path, at: str, path: Path) -> Path:
    """Move what is in the run's folder below the one for such things, and what is elsewhere to a name beside it."""
    inside = path.absolute().is_relative_to(run.absolute())
    if inside:
        target = run / ASIDE / at / path.absolute().relative_to(run.absolute())
    else:
        target = path.with_name(f"{path.name}.{ASIDE}-{at}")
    target.parent.mkdir(parents=True, exist_ok=True)
    strokes.put(path, target)
    return target


def _note(run: Path, done: list[str]) -> None:
    """Say it in the run's log, too."""
    with closing(_writing(run)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        for line in done:
            writes.event(schema.database(connection), Level.WARNING, "run", f"doctor: {line}")
        strokes.commit(connection)


def _writing(run: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(run / DATABASE, isolation_level=None, timeout=5.0)
    connection.execute("PRAGMA synchronous = FULL")
    return connection
