"""All that a checkup finds of a run, as findings of the doctor: one line each, with what to do."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from checkpoints.reader import Reader
from checkpoints.store import StoreError
from checkpoints.trouble import PUT_BACK
from checkpoints.visitor import reading
from lanes.room import shortage
from lanes.train_orders import WORK
from runner.checkup.database import database_findings, unusable
from runner.checkup.folders import broken_checkpoints, elsewhere, leftovers, models, needed, uploads
from runner.checkup.laws import broken
from runner.checkup.ledger import ledger_findings
from runner.checkup.processes import process_findings
from runner.findings import Finding, healthy

MOST = 20
"""Breaches and leftovers that are listed one by one."""

REPAIR = "autoresearch-tui doctor --repair"


def check_up(run: Path) -> list[Finding]:
    """Look at a run: its database, its laws, its folders, its processes, its room. Changes nothing.

    Args:
        run: Its folder, with the store.
    """
    found = list(database_findings(run))
    if not healthy(found):
        return [*found, _room(run)]  # what a damaged store says of the rest is not to be trusted
    try:
        with reading(run) as read:
            found += _laws(read)
            found += ledger_findings(run, read)
            found += process_findings(run, read)
            found += _models(run, read)
            found += _leftovers(run, read)
    except StoreError as error:
        found.append(unusable(run, error))
    return [*found, _room(run)]


def _laws(read: Reader) -> Iterator[Finding]:
    breaches = broken(read)
    if not breaches:
        yield Finding("laws", "ok", f"all hold, for {read.count()} experiments")
    for law, what in breaches[:MOST]:
        remedy = f"{REPAIR} {read.folder} mends what is certain; else {PUT_BACK}"
        yield Finding("laws", "missing", f"{law}: {what}", remedy)
    if len(breaches) > MOST:
        yield Finding("laws", "missing", f"{len(breaches) - MOST} breaches more")


def _models(run: Path, read: Reader) -> Iterator[Finding]:
    whole, published = 0, uploads(read)
    for model in models(published):
        if not model.lacks:
            whole += 1
            continue
        what = f"{model.place} is damaged: {model.lacks[0]}"
        if model.can_be_put_back:
            yield Finding("models", "missing", what, f"{REPAIR} {run} publishes it again from {model.trained}")
        else:
            status = "missing" if needed(model) else "warn"
            yield Finding("models", status, what, f"{model.trained} is not whole either: put it back from a backup")
    yield Finding("models", "ok", f"{whole} published on this machine are whole")
    if away := elsewhere(published):
        what = f"{len(away)} published elsewhere were not looked at; the first is {away[0]}"
        yield Finding("models", "warn", what, "whoever uses one compares it with its manifest when it is fetched")
    for folder, why in broken_checkpoints(run):
        yield Finding("models", "warn", f"{folder} is not whole: {why}", "none: its training passes it over")


def _leftovers(run: Path, read: Reader) -> Iterator[Finding]:
    left = list(leftovers(run, read))
    if not left:
        yield Finding("leftovers", "ok", "nothing that the run does not know")
    for path, why in left[:MOST]:
        yield Finding("leftovers", "warn", f"{path} {why}", f"{REPAIR} {run} moves it aside")
    if len(left) > MOST:
        yield Finding("leftovers", "warn", f"{len(left) - MOST} more")


def _room(run: Path) -> Finding:
    if lack := shortage(run):
        return Finding("room", "missing", lack, f"make room: {run / WORK} has checkpoints of what has ended")
    return Finding("room", "ok", f"{shutil.disk_usage(run).free / 2**30:.1f} GiB free for the run")
