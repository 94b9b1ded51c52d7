"""How figures are printed: each beside what it must be and what it is compared with."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping

import numpy as np

from bench.parts.stopping import Flags

ROUNDS, CALLS = 50, 20


def heading(title: str, beside: str = "") -> None:
    """Begin a group of figures."""
    print(f"\n{title:58}{'figure':>16}   {'must':10}{beside}")


def said(
    what: str,
    value: float,
    form: str,
    *,
    error: float | None = None,
    at_most: float | None = None,
    at_least: float | None = None,
    beside: str = "",
) -> None:
    """Print one figure.

    Args:
        what: It is.
        value: Of it, in the unit of its bound.
        form: Of the figure and its bound, for ``format``.
        error: Its standard error, where it was simulated.
        at_most, at_least: Its bound, one of the two or none.
        beside: What it is compared with.
    """
    sign, bound = ("≤", at_most) if at_most is not None else ("≥", at_least)
    must = "" if bound is None else f"{sign} {form.format(bound)}"
    missed = (at_most is not None and value > at_most) or (at_least is not None and value < at_least)
    shown = form.format(value) + ("" if error is None else " ± " + form.format(error).strip())
    print(f"{'  ' + what:58}{shown:>16}   {must:10}{beside}{'   MISSED' if missed else ''}".rstrip())


def table(title: str, rates: Iterable[float], rows: Mapping[str, Iterable[float]], form: str) -> None:
    """Print one line a row, one column a true win rate."""
    print(f"\n{title:46}" + "".join(f"{'p=' + format(rate, '.2f'):>9}" for rate in rates))
    for name, values in rows.items():
        print(f"{'  ' + name:46}" + "".join(form.format(value) for value in values))


def share(flags: Flags) -> tuple[float, float]:
    """In how many simulated cases, of 1, and the standard error of that."""
    found = float(flags.mean())
    return found, float(np.sqrt(found * (1 - found) / len(flags)))


def seconds(work: Callable[[], object]) -> float:
    """Seconds for one call: the best of many short rounds, so that what else the machine does stays out of it."""
    rounds: list[float] = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        for _ in range(CALLS):
            work()
        rounds.append((time.perf_counter() - begun) / CALLS)
    return min(rounds)
