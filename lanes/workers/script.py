"""The worker that runs a script: ``python -m lanes.workers.script order.json``; result.json last. It needs no torch.

It outlives who has started it, and the script does not outlive it. SIGTERM, and ``pause`` in its folder, end the
script with all that it has started.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from checkpoints import strokes
from checkpoints.artifacts import write_json
from checkpoints.records import FailureKind
from lanes.order import METRICS, PAUSE, RESULT
from lanes.script.inside import opened_inside
from lanes.script.noticed import believed, left, refusals
from lanes.script.order import OUTPUT, ScriptOrder, ScriptResult
from lanes.script.protected import Snapshot, altered, remember, remembered, snapshot
from lanes.script.reading import is_measurement, metrics, named
from lanes.script.running import Job, Ran, run
from lanes.script.sandbox import FREE, NotConfined, Rights, secrets
from lanes.script.screen import LINES, read
from lanes.script.shadows import Shadows, imported
from lanes.tail import last_words
from lanes.worker import MARK
from lanes.workers.failures import classify, one_line, out_of_memory
from lanes.workers.metrics import Metrics
from lanes.workers.presence import introduce, take_lock

PROGRAM = "lanes.workers.script"

TAKEN = 3
"""Exit status when another worker has the folder."""


def main(arguments: list[str]) -> int:
    """Run what the order file says that ``arguments`` name; returns the exit status."""
    if len(arguments) != 1:
        print("usage: python -m lanes.workers.script ORDER.json", file=sys.stderr)
        return 2
    place = Path(arguments[0]).resolve()
    lock = take_lock(place.with_name("worker.lock"))
    if lock is None:
        print(f"Another worker has {place.parent}", file=sys.stderr)
        return TAKEN
    introduce(place.with_name("worker.json"), PROGRAM)
    stopping = _Stopping(place.with_name(PAUSE))
    found = _carry_out(place, stopping, lock)
    if found and not stopping.told:
        write_json(place.with_name(RESULT), found.model_dump(mode="json"))
    return 0


class _Stopping:
    """Whether the script should end early: by a signal, which wants no result, or by a file."""

    def __init__(self, pause: Path) -> None:
        self._pause = pause
        self.told = False
        signal.signal(signal.SIGTERM, self._tell)

    def __call__(self) -> bool:
        return self.told or self._pause.exists()

    def _tell(self, *_: object) -> None:
        self.told = True


def _carry_out(place: Path, stopping: _Stopping, lock: int) -> ScriptResult | None:
    try:
        order = ScriptOrder.model_validate_json(place.read_bytes())
        paths = [path for one in order.protected if (path := order.top / one) != order.place / OUTPUT]
        before, there = _before(order, paths), believed(order.top)
        sealed = _without_compiled(order, before)
        with closing(Shadows(order.top, before, imported(before, order.env))) as shadows:
            ran = _run(order, place.parent, stopping, lock, sealed, shadows)
            tampered = tuple(dict.fromkeys((*_tampered(order, before, paths), *shadows.found())))
        said = _output(order, place.parent, ran)
        found = _judge(order, ran, said, tampered)
        return found.model_copy(update={"notes": _notes(ran, said, left(there, believed(order.top)))})
    except NotConfined as error:
        return ScriptResult(status="failed", failure=FailureKind.INPUT, error=f"the command was not run: {error}")
    except Exception as error:
        kind, line = classify(error)
        return ScriptResult(status="failed", failure=kind, error=line)


def _before(order: ScriptOrder, paths: list[Path]) -> Snapshot:
    """The protected files as they are.

    Those beside the worktree may be gigabytes of data: where the kernel keeps every script from writing them, one that
    has the size, the place and the times that it had at the run before is not read again.
    """
    if not (order.confined and order.confined.files):
        return snapshot(paths)
    table = order.scratch.with_name("protected.json")
    inside = snapshot(path for path in paths if path.is_relative_to(order.top))
    beside = snapshot((path for path in paths if not path.is_relative_to(order.top)), remembered(table))
    remember(table, beside)
    return {**inside, **beside}


def _without_compiled(order: ScriptOrder, protected: Iterable[Path]) -> tuple[Path, ...]:
    """Folders in which Python would keep compiled what is protected, made empty: what lies there is believed."""
    if not (order.confined and order.confined.files and order.confined.network):
        return ()
    folders = {path.parent for path in protected if path.suffix == ".py" and path.is_relative_to(order.top)}
    compiled = tuple(folder / "__pycache__" for folder in sorted(folders) if folder.is_dir())
    for folder in compiled:
        strokes.clear(folder, quietly=True)
        folder.mkdir(exist_ok=True)
    return compiled


def _run(
    order: ScriptOrder, folder: Path, stopping: _Stopping, lock: int, sealed: tuple[Path, ...], shadows: Shadows
) -> Ran:
    strokes.clear(order.scratch, quietly=True)
    order.scratch.mkdir(parents=True)
    _fill_cache(order)
    strokes.take(order.place / OUTPUT)
    argv = ("/bin/sh", "-c", order.command)
    job = Job(argv, order.place, _marked(order.env), _rights(order, sealed), order.seconds, order.bounds)
    log = Metrics(folder / METRICS)

    def look(line: str) -> None:
        shadows.look()
        log.note(line or _own_words(order))

    try:
        return run(job, folder / OUTPUT, stopping, look, (lock,))
    finally:
        strokes.clear(order.scratch, quietly=True)


def _fill_cache(order: ScriptOrder) -> None:
    """Have the cache be there: as all runs share it, or as a copy in the temporary folder, which nobody finds later."""
    if order.cached and order.cached.is_dir():
        shutil.copytree(order.cached, order.cache, symlinks=True)
    order.cache.mkdir(parents=True, exist_ok=True)


def _own_words(order: ScriptOrder) -> str:
    """The line that it is at, where the command writes its log itself."""
    with opened_inside(order.top, order.place / OUTPUT) as own:
        return last_words(own) if own else ""


def _marked(env: dict[str, str]) -> dict[str, str]:
    """With the mark by which a worker's family is known."""
    return env | ({MARK: os.environ[MARK]} if MARK in os.environ else {})


def _rights(order: ScriptOrder, sealed: tuple[Path, ...]) -> Rights:
    confined = order.confined
    if confined is None:
        return FREE
    write = (order.top, order.scratch, order.cache, *confined.write)
    hidden = (*secrets(Path.home()), *confined.hidden)
    return Rights(confined.network, confined.files, write, hidden, confined.processes and confined.network, sealed)


def _output(order: ScriptOrder, folder: Path, ran: Ran) -> str:
    """What the script said; where the command writes ``run.log`` itself, that is it, and is put in the log's place."""
    text = ran.screen.text()
    with opened_inside(order.top, order.place / OUTPUT) as own:
        if own is None:
            return text
        text = read(own) + text
    (folder / OUTPUT).write_text(text, encoding="utf-8")
    return text


def _tampered(order: ScriptOrder, before: Snapshot, paths: list[Path]) -> tuple[str, ...]:
    found = altered(before, paths, order.top)
    return tuple(str(path.relative_to(order.top) if path.is_relative_to(order.top) else path) for path in found)


def _judge(order: ScriptOrder, ran: Ran, said: str, tampered: tuple[str, ...]) -> ScriptResult:
    values, numbers = metrics(said, order.metric, order.pattern) if order.metric else [], named(said)
    value = values[-1] if values else None
    lines = said.splitlines()
    printed = numbers.get("peak_vram_mb", 0.0)
    found = ScriptResult(
        status="done",
        tampering=tampered,
        value=value if is_measurement(value) else None,
        different=len(set(values)),
        numbers=numbers,
        exit_status=ran.status if ran.status >= 0 else None,
        signal=ran.signal,
        seconds=ran.seconds,
        peak_memory=int(printed * 2**20) if printed > 0 else ran.gpu_memory or ran.memory,
        gpu=printed > 0 or ran.gpu_memory > 0,
        tail="\n".join(lines[-LINES:]),
    )
    if ran.ended == "stopped":
        return found.model_copy(update={"status": "paused"})
    failure = _failure(order, ran, lines, value, tampered)
    if failure is None:
        return found
    kind, line = failure
    return found.model_copy(update={"status": "failed", "failure": kind, "error": line})


def _notes(ran: Ran, said: str, files: tuple[str, ...]) -> tuple[str, ...]:
    """What a person should hear of a run, whether it counts or not."""
    ended = (f"{name} went on after the command and was ended" for name in ran.left)
    cut = ("it said more than is kept of it in run.log",) if ran.screen.is_cut else ()
    return (*ended, *cut, *files, *refusals(said))


def _failure(
    order: ScriptOrder, ran: Ran, lines: list[str], value: float | None, tampered: tuple[str, ...]
) -> tuple[FailureKind, str] | None:
    """Why a run is none that counts; None where it is one."""
    words = one_line(next((line for line in reversed(lines) if line.strip()), "it said nothing"))
    if tampered:
        return FailureKind.CRASH, f"tampering: the run altered what is protected: {one_line(', '.join(tampered))}"
    if ran.ended == "time":
        return FailureKind.TIMEOUT, f"not done after {order.seconds:g} s and ended: {words}"
    if ran.ended == "bounds":
        kind = FailureKind.OOM if out_of_memory(RuntimeError(ran.overstepped)) else FailureKind.CRASH
        return kind, f"ended: {ran.overstepped}"
    if ran.status:
        if ran.starved:
            return FailureKind.OOM, f"{_how(ran)}, out of memory: the kernel ended a process of it: {words}"
        kind = FailureKind.OOM if out_of_memory(RuntimeError("\n".join(lines[-LINES:]))) else FailureKind.CRASH
        return kind, f"{_how(ran)}: {words}"
    if order.metric and value is None:
        return FailureKind.CRASH, f"{_wanted(order)} is nowhere in its output; the last line is: {words}"
    if order.metric and not is_measurement(value):
        return FailureKind.NAN, f"{order.metric} is {value}, which is no measurement"
    return None


def _how(ran: Ran) -> str:
    return f"ended by {ran.signal}" if ran.signal else f"exit status {ran.status}"


def _wanted(order: ScriptOrder) -> str:
    return f"the pattern {order.pattern}" if order.pattern else f"the line {order.metric}: number"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
