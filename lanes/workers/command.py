"""The command worker: ``python -m lanes.workers.command ORDER.json`` has a person's command measure a model.

The command's output goes into ``command.txt`` beside the order. What it started is ended with it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from checkpoints.artifacts import write_json
from checkpoints.records import FailureKind
from lanes.order import CommandOrder, CommandResult
from lanes.script.reading import is_measurement, metric, named
from lanes.script.screen import Screen
from lanes.workers.presence import introduce, take_lock

PROGRAM = "lanes.workers.command"
TAKEN = 3
"""Exit status when another worker has the folder."""

MODEL = "AUTORESEARCH_MODEL"
"""Environment variable with the folder of the model to measure."""

OUTPUT = "command.txt"


def main(arguments: list[str]) -> int:
    """Work in the folder of the order file that ``arguments`` name; returns the exit status."""
    if len(arguments) != 1:
        print("usage: python -m lanes.workers.command ORDER.json", file=sys.stderr)
        return 2
    place = Path(arguments[0]).resolve()
    if take_lock(place.with_name("worker.lock")) is None:
        return TAKEN
    introduce(place.with_name("worker.json"), PROGRAM)
    found = _carry_out(CommandOrder.model_validate_json(place.read_bytes()), place.with_name(OUTPUT))
    write_json(place.with_name("result.json"), found.model_dump(mode="json"))
    return 0


def _carry_out(order: CommandOrder, output: Path) -> CommandResult:
    with output.open("wb") as file:
        try:
            status = subprocess.run(
                ["/bin/sh", "-c", order.command],
                cwd=order.folder, env=os.environ | {MODEL: str(order.model)}, stdin=subprocess.DEVNULL, stdout=file,
                stderr=subprocess.STDOUT, timeout=order.seconds, check=False,
            ).returncode  # fmt: skip
        except subprocess.TimeoutExpired:
            line = f"evaluate.metric.command was not done after {order.seconds:g} s: raise evaluate.metric.seconds"
            return CommandResult(status="failed", failure=FailureKind.TIMEOUT, error=line)
        except OSError as error:
            line = f"evaluate.metric.command cannot be started in {order.folder} ({error.strerror})"
            return CommandResult(status="failed", failure=FailureKind.INPUT, error=line)
    screen = Screen()
    screen.feed(output.read_bytes())
    if status:
        line = f"evaluate.metric.command ended with status {status}: {_last_line(screen)}"
        return CommandResult(status="failed", failure=FailureKind.CRASH, error=line)
    return _read(order, screen)


def _read(order: CommandOrder, screen: Screen) -> CommandResult:
    text = screen.text()
    value = metric(text, order.name, order.pattern)
    if value is None:
        lines = len(text.splitlines())
        what = (
            f"evaluate.metric.pattern {order.pattern!r} matches nothing"
            if order.pattern
            else f"neither '{order.name}: number' nor 'METRIC {order.name}=number' is"
        )
        printed = f"the {lines} line{'' if lines == 1 else 's'} that evaluate.metric.command printed"
        line = f"{what} in {printed}: {_last_line(screen)}"
        return CommandResult(status="failed", failure=FailureKind.INPUT, error=line)
    if not is_measurement(value):
        line = f"evaluate.metric.command says that {order.name} is {value}"
        return CommandResult(status="failed", failure=FailureKind.NAN, error=line)
    return CommandResult(status="done", value=value, named=named(text))


def _last_line(screen: Screen) -> str:
    lines = [line.strip() for line in screen.tail().splitlines() if line.strip()]
    return f"its last line is {lines[-1][:200]!r}" if lines else "it printed nothing"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
