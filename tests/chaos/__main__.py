"""Random schedules for a time, or one again: ``python -m chaos --seconds 3600 --seed 1 [--only 0,3,4]``.

In ``tests/``, or ``make chaos SECONDS=… SEED=… ONLY=…``. Prints what was done, what broke, and what processes held. A
schedule that breaks something is made as small as it can be and said with its seed; the exit status is then 1.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from chaos.samples import Sampler, table
from chaos.schedule import Fault, drawn
from chaos.shrinking import shrunken
from chaos.storm import KINDS, Passed, through

EXPERIMENTS = 8
FAULTS = 10
PACE_SECONDS = 1.5


def main() -> int:
    """Do what the command line says; returns the exit status."""
    asked = _asked()
    with tempfile.TemporaryDirectory() as place, _sampled() as sampler:
        if asked.only is not None:
            passed = [_one(Path(place) / "again", asked.seed, asked.only, sampler)]
        else:
            passed = list(_for_a_time(Path(place), asked.seconds, asked.seed, sampler))
    _tell(passed, sampler)
    return 1 if any(one.breaches for one in passed) else 0


def _for_a_time(place: Path, seconds: float, seed: int, sampler: Sampler) -> Iterator[Passed]:
    until = time.monotonic() + seconds
    for number in count(seed):
        passed = _one(place / str(number), number, None, sampler)
        yield passed
        if passed.breaches:
            _shrink(place, number)
        if time.monotonic() > until:
            return


def _one(folder: Path, seed: int, only: Sequence[int] | None, sampler: Sampler | None = None) -> Passed:
    """One run through the schedule of a seed, or through some of its faults."""
    passed = through(folder, _faults(seed, only), EXPERIMENTS, sampler)
    for breach in passed.breaches:
        print(f"seed {seed}: {breach.law}: {breach.what}", flush=True)
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


def _tell(passed: Sequence[Passed], sampler: Sampler) -> None:
    done = sum((one.done for one in passed), Counter[str]())
    print(f"\n{len(passed)} runs, {sum(one.experiments for one in passed)} experiments; done to them:")
    for name, times in sorted(done.items()):
        print(f"  {name:40} {times:5}")
    rows = [
        ("starts of a runner", sum(one.starts for one in passed)),
        ("votes acknowledged at the door", sum(one.votes for one in passed)),
        ("steps of a person acknowledged", sum(one.steps for one in passed)),
        ("laws broken", sum(len(one.breaches) for one in passed)),
    ]
    for name, number in rows:
        print(f"  {name:40} {number:5}")
    for law, times in Counter(breach.law for one in passed for breach in one.breaches).items():
        print(f"  ! {law}: {times}")
    sizes = [one.bytes / one.experiments / 1e3 for one in passed if one.experiments]
    if sizes:
        print(f"\ndatabase: {min(sizes):.0f} to {max(sizes):.0f} kB an experiment")
    print("held by processes, first and last tenth of the time (most):")
    print("\n".join(table(sampler.samples)))


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
