"""What analysis found of a run as a whole, as the store keeps it for screens and reports.

Nothing here but the standard library, because the dashboard imports it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from checkpoints.records import Interval, Json
from lanes.analyze.findings import (
    Agreement,
    Correlation,
    Disagreement,
    Position,
    Strength,
    Trust,
    TrustPoint,
)

NAME = "votes"
"""Name of the insight in the store."""


@dataclass(frozen=True, slots=True)
class Study:
    """All votes of a run, and whether its metrics order the models as people do."""

    votes: int
    """That were looked at."""

    left_out: int
    """Older votes that were not, as there are too many."""

    voters: int
    simulated: int
    """Of the voters."""

    resamples: int
    """Of the voters, behind the intervals."""

    strengths: tuple[Strength, ...]
    """Best first."""

    unknown: tuple[str, ...]
    """Models that no chain of wins links to the others."""

    position: Position
    agreement: Agreement
    trusts: tuple[Trust, ...]
    """By metric."""

    models_left_out: int = 0
    """That were not looked at, as there are too many."""


def as_insight(study: Study) -> Json:
    """The study as the store keeps it: JSON has no infinity, so an open end is null there."""
    return _closed(asdict(study))


def of_insight(found: Json) -> Study:
    """The study from what the store keeps."""
    return Study(
        votes=found["votes"],
        left_out=found["left_out"],
        voters=found["voters"],
        simulated=found["simulated"],
        resamples=found["resamples"],
        strengths=tuple(map(_strength, found["strengths"])),
        unknown=tuple(found["unknown"]),
        position=Position(**found["position"] | {"first": _maybe(found["position"]["first"])}),
        agreement=Agreement(**found["agreement"] | {"fleiss": _maybe(found["agreement"]["fleiss"])}),
        trusts=tuple(map(_trust, found["trusts"])),
        models_left_out=found.get("models_left_out", 0),
    )


def strengths_as_json(strengths: Iterable[Strength]) -> list[Json]:
    """The strengths alone, as a study keeps them."""
    return [_closed(asdict(one)) for one in strengths]


def strengths_of_json(found: Iterable[Json]) -> tuple[Strength, ...]:
    """The strengths from that."""
    return tuple(map(_strength, found))


def _closed(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _closed(each) for name, each in value.items()}  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, (list, tuple)):
        return [_closed(each) for each in value]  # pyright: ignore[reportUnknownVariableType]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _strength(found: Json) -> Strength:
    return Strength(
        found["model"], found["votes"], _open(found["elo"], -math.inf), _open(found["strength"], 0.0),
        _maybe(found["reference"]), found["corrected"],
    )  # fmt: skip


def _trust(found: Json) -> Trust:
    points = tuple(
        TrustPoint(point["model"], point["value"], _open(point["elo"], -math.inf)) for point in found["points"]
    )
    return Trust(
        metric=found["metric"],
        higher_is_better=found["higher_is_better"],
        points=points,
        spearman=_correlation(found["spearman"]),
        kendall=_correlation(found["kendall"]),
        disagreements=tuple(Disagreement(**each) for each in found["disagreements"]),
        left_out=tuple(found["left_out"]),
        sentence=found["sentence"],
        more=found.get("more", 0),
    )


def _correlation(found: Json | None) -> Correlation | None:
    if found is None:
        return None
    return Correlation(Interval(**found["interval"]), found["p"], found["permutations"], found["exact"])


def _maybe(found: Json | None) -> Interval | None:
    return None if found is None else Interval(**found)


def _open(found: Json, lowest: float) -> Interval:
    """An interval whose ends may be open: null is the lowest or the highest there is."""
    low, high = found["low"], found["high"]
    middle = found["estimate"]
    return Interval(
        (math.inf if high is None else lowest) if middle is None else middle,
        lowest if low is None else low,
        math.inf if high is None else high,
    )
