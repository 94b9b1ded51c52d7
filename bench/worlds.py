"""Simulated nights under a scalar metric: what each rule truly gains, what it claims, what it costs.

    python -m bench.worlds [--nights N] [--seed S] [--json]

The four worlds of `CELLS`: 50 experiments a night, each with an effect in units of σ, the sd of one run, which is added
to the recipe when it is kept. Three runs in a hundred diverge: half of them end without a number, half at one far off.
The rules are those of `lanes.analyze.metric_rule`, asked as the train lane asks them.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field

from checkpoints.measurements import Role
from checkpoints.records import Outcome
from lanes.analyze.metric_rule import Decide, MetricRule, RuleName, Train, Trial, Whose, next_of_baseline, next_step
from lanes.analyze.noise import Value

EXPERIMENTS = 50
DIVERGED = 0.03
"""Share of runs."""

FAR_OFF = -30.0
"""What a run that diverged and yet gave a number got, in σ."""

CELLS: dict[str, dict[float, float]] = {
    "A": {0.0: 0.80, -1.0: 0.10, 0.5: 0.07, 1.5: 0.03},
    "B": {0.0: 0.50, -1.0: 0.35, 0.5: 0.10, 1.5: 0.05},
    "C": {0.0: 1.0},
    "D": {0.0: 0.55, -0.5: 0.40, 0.5: 0.05},
}
"""Share of the experiments by their effect in σ."""

RULES: tuple[RuleName, ...] = ("previous_step", "record", "confirmed")


@dataclass(slots=True)
class Recipe:
    """A recipe of the simulated night, and what its trainings got."""

    worth: float
    """True mean of the metric."""

    screen: list[Value] = field(default_factory=list[Value])
    test: list[Value] = field(default_factory=list[Value])
    """Fresh seeds of the test that kept it."""

    fresh: list[Value] = field(default_factory=list[Value])
    """Fresh seeds of its own baseline."""


@dataclass(frozen=True, slots=True)
class Night:
    """How a night ended, in σ."""

    gain: float
    """True mean of the last champion, over that of the first."""

    overstated: float
    """What the night claims over the last champion's true mean. Under the greedy rules it claims the best number that
    it kept, under ours the mean over the last champion's fresh seeds."""

    trainings: int
    keeps: int


def night(rule: MetricRule, effects: dict[float, float], seed: str) -> Night:
    """One night of a world under a rule."""
    draw = random.Random(seed)
    return Judging(rule, draw).over(draw.choices([*effects], [*effects.values()], k=EXPERIMENTS))


class Judging:
    """Trains and judges one candidate after the other, as the rule wants it."""

    def __init__(self, rule: MetricRule, draw: random.Random) -> None:
        self._rule, self._draw = rule, draw
        self._trainings = self._keeps = 0
        self._others: list[list[Value]] = []
        self._previous: Value = None
        self._best = -math.inf
        """Of the single runs that were kept."""

        self._champion = Recipe(0.0)

    def over(self, effects: list[float]) -> Night:
        """A night of experiments with these effects."""
        self.begin()
        for effect in effects:
            self.experiment(Recipe(self._champion.worth + effect))
        last = self._champion
        measured = [value for value in last.fresh if value is not None and value > FAR_OFF / 2]
        claim = statistics.fmean(measured) if self._rule.rule == "confirmed" else self._best
        return Night(last.worth, claim - last.worth, self._trainings, self._keeps)

    def begin(self) -> None:
        """Measure the first champion."""
        champion = self._champion
        while isinstance(next_of_baseline(self._rule, champion.fresh), Train):
            champion.fresh.append(self._train(champion))
        self._previous = champion.fresh[0]
        self._best = max(self._best, self._previous or self._best)

    def experiment(self, candidate: Recipe) -> Outcome:
        """Judge a candidate; kept, it is the champion."""
        champion, beside = self._champion, list[Value]()
        while isinstance(step := self._ask(candidate, beside), Train):
            whose = candidate if step.whose is Whose.CANDIDATE else champion
            value = self._train(whose)
            if whose is champion:
                beside.append(value)
            elif step.role is Role.SCREEN:
                candidate.screen.append(value)
            else:
                (candidate.test if len(candidate.test) < self._rule.confirm else candidate.fresh).append(value)
        champion.fresh += beside
        self._previous = candidate.screen[0]
        if step.outcome is Outcome.KEEP:
            self._keeps += 1
            self._best = max(self._best, candidate.screen[0] or self._best)
            self._others.append([*champion.test, *champion.fresh])
            self._champion = candidate
        elif candidate.test:
            self._others.append(candidate.test)
        return step.outcome

    def _ask(self, candidate: Recipe, beside: list[Value]) -> Train | Decide:
        champion = self._champion
        single = champion.fresh or champion.screen
        return next_step(
            self._rule,
            Trial(
                champion.fresh if self._rule.rule == "confirmed" else single,
                beside,
                candidate.screen,
                [*candidate.test, *candidate.fresh],
                [*self._others, champion.test],
                self._previous,
            ),
        )

    def _train(self, recipe: Recipe) -> Value:
        self._trainings += 1
        value = self._draw.gauss(recipe.worth, 1.0)
        if self._draw.random() >= DIVERGED:
            return value
        return None if self._draw.random() < 0.5 else FAR_OFF


def summary(nights: list[Night]) -> dict[str, float]:
    """Means over nights, and the share that ended below its start."""
    return {
        "true_gain": statistics.fmean(one.gain for one in nights),
        "overstated": statistics.fmean(one.overstated for one in nights),
        "trainings": statistics.fmean(one.trainings for one in nights),
        "below_start": statistics.fmean(one.gain < 0 for one in nights),
        "keeps": statistics.fmean(one.keeps for one in nights),
    }


def _cell(job: tuple[RuleName, str, int, int]) -> list[Night]:
    name, world, nights, seed = job
    rule = MetricRule(rule=name)
    return [night(rule, CELLS[world], f"{seed}/{world}/{number}") for number in range(nights)]


def main() -> None:
    """Print a line for each world and rule."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nights", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    began = time.monotonic()
    jobs = [(name, world, chosen.nights, chosen.seed) for world in CELLS for name in RULES]
    with ProcessPoolExecutor(2) as pool:
        found = {
            (world, name): summary(one) for (name, world, _, _), one in zip(jobs, pool.map(_cell, jobs), strict=True)
        }
    if chosen.json:
        print(json.dumps({f"{world}/{name}": one for (world, name), one in found.items()}))
        return
    for (world, name), one in found.items():
        print(
            f"{world}  {name:<14} true gain {one['true_gain']:+.2f}  overstated {one['overstated']:.2f}"
            f"  trainings {one['trainings']:.0f}  below start {one['below_start']:.3f}  keeps {one['keeps']:.1f}"
        )
    print(f"{chosen.nights} nights a cell, {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
