"""Does a zoom-out lead out of the frame? Simulated nights with and without it, by the program's own rules.

    python -m bench.zoom_out [--seeds N]

The landscape is `bench.parts.landscape`: knobs plateau below, the adapter and the data's filters lie above. The agent
is `bench.parts.habitual`: it stays in its category, and opens a new one, as often as recorded nights do
(`bench.parts.habits`). When a zoom-out is due, what it binds to, which proposals are refused, and what a measured keep
is, is decided by the program's functions; `tests/test_zoom_out_bench.py` holds this loop against the planner itself. It
takes about a minute on two cores.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import cache

from bench.parts.habits import NIGHTS, Counted, counted
from bench.parts.habitual import Habit, Habitual, Stubborn, climb
from bench.parts.landscape import ABOVE, LOWER, UPPER, program
from lanes.analyze.win_rate import wilson
from runner.program import Program
from runner.settings import ZoomOut

EXPERIMENTS = 50
SEEDS = 200
FEWER = 4
"""By what the number of seeds is divided where the habit is another than the record's."""

UPPER_PLATEAU = UPPER * len(ABOVE)
"""In σ: out of reach without a good change of every category above."""

NEVER = 10**6
"""Changes of a category in a row that no night has."""

MUST = 3.0
"""Times as many nights as without."""


@dataclass(frozen=True, slots=True)
class Arm:
    """A kind of night."""

    habit: Habit
    zooms: bool = True
    bars: bool = True
    """Whether changes of one category in a row are barred, with or without zoom-outs."""

    stubborn: bool = False


@dataclass(frozen=True, slots=True)
class Shares:
    """How many nights got where."""

    nights: int
    above: int
    """Above all that knobs can give."""

    upper: int
    """On the upper plateau."""

    worth: float
    """Mean true worth of the last champion, in σ."""

    zoom_outs: float
    """Mean of a night."""


@cache
def _program(bars: bool) -> Program:
    settings = ZoomOut()
    return program(settings.every, settings.plateau, settings.streak if bars else NEVER, EXPERIMENTS)


def nights(arm: Arm, seeds: Sequence[int]) -> Shares:
    """Simulate a night for each seed; the same seed has the same landscape and the same noise in every arm."""
    found = [asyncio.run(_night(arm, seed)) for seed in seeds]
    best = [max(worths) for worths, _ in found]
    return Shares(
        len(found),
        sum(one > LOWER for one in best),
        sum(one >= UPPER_PLATEAU for one in best),
        sum(worths[-1] for worths, _ in found) / len(found),
        sum(zoom_outs for _, zoom_outs in found) / len(found),
    )


async def _night(arm: Arm, seed: int) -> tuple[tuple[float, ...], int]:
    agent = (Stubborn if arm.stubborn else Habitual)(arm.habit, seed)
    found = await climb(agent, _program(arm.bars), seed, EXPERIMENTS, arm.zooms)
    return found.worths, len(found.zoom_outs)


def main() -> None:
    """Print the shares."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    seeds = parser.parse_args().seeds
    began = time.monotonic()
    record = habit_of_record()
    habit = Habit(record.stay, record.open)
    low, high = stay_interval(record)
    pairs = {
        "the record": habit,
        f"stays less: {low:.2f}": replace(habit, stay=low),
        f"stays more: {high:.2f}": replace(habit, stay=high),
        f"opens twice as often: {2 * habit.open:.3f}": replace(habit, open=2 * habit.open),
        f"opens five times as often: {5 * habit.open:.3f}": replace(habit, open=5 * habit.open),
    }
    arms = [Arm(each, zooms, zooms) for each in pairs.values() for zooms in (False, True)]
    arms += [Arm(habit, zooms=False), Arm(habit, stubborn=True)]
    fewer = seeds // FEWER
    with ProcessPoolExecutor(2) as pool:
        tried = [range(seeds if arm.habit == habit else fewer) for arm in arms]
        found = dict(zip(arms, pool.map(nights, arms, tried), strict=True))
    print(f"\n{seeds} nights of {EXPERIMENTS} experiments, {fewer} where the habit is another; 95 % intervals (Wilson)")
    reached, above = f"upper plateau, ≥ {UPPER_PLATEAU:g} σ", f"above the lower, > {LOWER:g} σ"
    print(f"{'':66}{reached:26}{above:26}last, σ   zoom-outs")
    for name, each in pairs.items():
        without, with_them = found[Arm(each, False, False)], found[Arm(each)]
        print(f"{name}\n{line('without zoom-out', without)}\n{line('with', with_them)}\n{times(without, with_them)}")
    print("the record, other arms")
    print(line("without zoom-out, three of a category in a row at most", found[Arm(habit, zooms=False)]))
    print(line("with, by a model that names only where it has been", found[Arm(habit, stubborn=True)]))
    print(f"\nall of it in {time.monotonic() - began:.0f} s")


def habit_of_record() -> Counted:
    """What the recorded nights say together; each is printed."""
    total = Counted(0, 0, 0, 0)
    print("the next change is of the same category; one of another opens a category")
    for name in NIGHTS:
        one, anew = counted(name)
        where = "" if anew else "   (as counted before: the file is not here)"
        print(f"  {name:24}{one.stayed:4} of {one.pairs:4}   {one.opened:2} of {one.moved:3}{where}")
        total += one
    moves = total.moved + total.study_moves
    low, high = stay_interval(total)
    print(f"  {'the study':24}{'not public':>12}    0 of {total.study_moves:3.0f}, if it stays as often")
    opens = f"{total.open:.3f}: {total.opened} of {moves:.0f}"
    print(f"  together: stays {total.stay:.3f} [{low:.2f}, {high:.2f}]; opens {opens}")
    return total


def stay_interval(record: Counted) -> tuple[float, float]:
    """Wilson's 95 % interval of the stay rate."""
    found = wilson(record.stayed, record.pairs - record.stayed)
    assert found is not None, "there are pairs"
    return found.low, found.high


def line(name: str, shares: Shares) -> str:
    """One arm."""
    upper, above = _share(shares.upper, shares.nights), _share(shares.above, shares.nights)
    return f"  {name:64}{upper:26}{above:26}{shares.worth:6.2f}{shares.zoom_outs:10.1f}"


def times(without: Shares, with_them: Shares) -> str:
    """How many times as many nights got there."""
    upper, above = _times(without.upper, with_them.upper), _times(without.above, with_them.above)
    missed = "" if with_them.upper >= MUST * without.upper else "   MISSED"
    return f"  {'times as many':64}{f'{upper}, must ≥ {MUST:g}{missed}':26}{above}"


def _times(without: int, with_them: int) -> str:
    return f"{with_them / without:.1f}" if without else f"{with_them} to 0"


def _share(many: int, nights: int) -> str:
    found = wilson(many, nights - many)
    assert found is not None, "there are nights"
    return f"{found.estimate:6.1%} [{found.low:5.1%}, {found.high:5.1%}]"


if __name__ == "__main__":
    main()
