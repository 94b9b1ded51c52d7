"""Random schedules for a time, or one again: ``python -m chaos --seconds 3600 --seed 1 [--only 0,3,4]``.

In ``tests/``, or ``make chaos SECONDS=… SEED=… ONLY=…``. Prints what was done, what broke, and what processes held. A
schedule that breaks something is made as small as it can be and said with its seed; the exit status is then 1.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from chaos.samples import Sampler
from chaos.schedule import Fault, drawn
from chaos.shrinking import shrunken
from chaos.storm import KINDS, Passed, through
from chaos.total import Total

EXPERIMENTS = 30
FAULTS = 10
PACE_SECONDS = 1.0


def main() -> int:
    """Do what the command line says; returns the exit status."""
    asked, total = _asked(), Total()
    with tempfile.TemporaryDirectory() as place, _sampled() as sampler:
        if asked.only is not None:
            total.add(_one(Path(place) / "again", asked.seed, asked.only, sampler))
        else:
            _for_a_time(Path(place), asked.seconds, asked.seed, sampler, total)
    print("\n" + "\n".join(total.lines()))
    print("held by processes: median of the first and of the last tenth of the time, growth, most there ever was:")
    print("\n".join(sampler.lines()))
    return 1 if total.broken else 0


def _for_a_time(place: Path, seconds: float, seed: int, sampler: Sampler, total: Total) -> None:
    until = time.monotonic() + seconds
    for number in count(seed):
        passed = _one(place / str(number), number, None, sampler)
        total.add(passed)
        if passed.breaches:
            _shrink(place, number)
        if time.monotonic() > until:
            return


def _one(folder: Path, seed: int, only: Sequence[int] | None, sampler: Sampler | None = None) -> Passed:
    """One run through the schedule of a seed, or through some of its faults."""
    passed = through(folder, _faults(seed, only), EXPERIMENTS, sampler)
    for breach in passed.breaches:
        print(f"seed {seed}: {breach.law}: {breach.what}", flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    return passed


def _faults(seed: int, only: Sequence[int] | None = None) -> list[Fault]:
    faults = drawn(seed, FAULTS, KINDS, PACE_SECONDS)
    return [fault for place, fault in enumerate(faults) if only is None or place in only]


def _shrink(place: Path, seed: int) -> None:
    """Find the least part of a schedule that fails, and say how to have it again."""
    tries = count()

    def fails(only: Sequence[int]) -> bool:
        return bool(through(place / f"{seed}-{next(tries)}", _faults(seed, only), EXPERIMENTS).breaches)

    least = shrunken(range(FAULTS), fails)
    print(f"seed {seed} breaks a law with: " + "; ".join(map(str, _faults(seed, least))))
    print(f"once more: make chaos SEED={seed} ONLY={','.join(map(str, least))}", flush=True)


@contextmanager
def _sampled() -> Iterator[Sampler]:
    sampler = Sampler()
    sampler.start()
    try:
        yield sampler
    finally:
        sampler.end()


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3600.0, help="begin schedules for so long")
    parser.add_argument("--seed", type=int, default=1, help="of the first schedule; the next has the next")
    parser.add_argument("--only", type=_places, help="one schedule, of it the faults at these places: 0,3,4")
    return parser.parse_args()


def _places(text: str) -> list[int] | None:
    return [int(place) for place in text.split(",")] if text else None


if __name__ == "__main__":
    sys.exit(main())
