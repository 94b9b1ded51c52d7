"""What a panel or a page says, as plain text and as records: what is copied and exported."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from checkpoints.records import Event, Hypothesis, Interval, Json, Lane, Row, ZoomOut
from checkpoints.text import clean
from tui.snapshot import Snapshot
from tui.words import numbers

if TYPE_CHECKING:
    from runner.figures import Figure


@dataclass(frozen=True, slots=True)
class Taken:
    """Something to take along."""

    name: str
    """What it is, for the name of a file."""

    text: str
    """As it is copied; empty while there is nothing."""

    records: Sequence[Json] = ()
    """One an entry, all with the same fields; empty for a page."""

    figure: Figure | None = None
    """Of a plot: what is drawn."""

    ending: str = "tsv"
    """Of the file with the text."""


def experiments(folder: Path, rows: Sequence[Row]) -> Taken:
    """The experiments shown, in their order: the columns of the run's table, then what was measured at the opponent."""
    from checkpoints.reader import Reader
    from runner.results import Beside, beside, record

    with closing(Reader(folder)) as reader:
        found = beside(reader)
    records = [record(row, found.get(row.experiment.number, Beside())) | _against_opponent(row) for row in rows]
    return Taken("experiments", tsv(records), records)


def events(folder: Path, found: Callable[[Snapshot], Iterable[Event]]) -> Taken:
    """The whole log, as far as it passes the panel's filter, the newest first."""
    from checkpoints.reader import Reader

    with closing(Reader(folder)) as reader:
        logged = list(found(Snapshot(events=tuple(reader.events()))))
    text = "".join(f"{_event_line(event)}\n" for event in logged)
    return Taken("events", text, [_event(event) for event in logged], ending="txt")


def memory(hypotheses: Sequence[Hypothesis], zoom_outs: Sequence[ZoomOut]) -> Taken:
    """What the agent believes and what it took stock of, the newest first."""
    beliefs = [f"{one.status} ({numbers(one.experiments)}): {_line(one.text)}\n" for one in reversed(hypotheses)]
    stock = [
        f"zoom-out {one.number} ({one.trigger}), {_utc(one.at)}\n{clean(one.text)}\n" for one in reversed(zoom_outs)
    ]
    records = [_belief(one) for one in hypotheses] + [_stock(one) for one in zoom_outs]
    return Taken("memory", "\n".join(part for part in ("".join(beliefs), *stock) if part), records, ending="txt")


def lanes(snapshot: Snapshot) -> Taken:
    """What each lane has in hand."""
    records = [
        {
            "lane": str(lane), "experiment": now.experiment, "doing": now.doing, "done": now.done, "total": now.total,
            "detail": now.detail, "eta_seconds": now.eta, "at": _utc(now.at),
        }
        for lane in Lane
        for now in snapshot.in_hand(lane)
    ]  # fmt: skip
    return Taken("lanes", tsv(records), records)


def plot(name: str, figure: Figure) -> Taken:
    """What a plot shows, place by place: a series' name, both coordinates, and the interval where there is one."""
    records = list(_places(figure))
    return Taken(name, tsv(records), records, figure)


def tsv(records: Sequence[Json]) -> str:
    """A table with a header; one line a record, whatever its texts say."""
    if not records:
        return ""
    lines = ["\t".join(records[0]), *("\t".join(map(_cell, record.values())) for record in records)]
    return "\n".join(lines) + "\n"


def as_json(records: Sequence[Json]) -> str:
    """The same as a list of objects, with numbers as numbers."""
    return json.dumps([_cleaned(record) for record in records], indent=2, ensure_ascii=False) + "\n"


def _against_opponent(row: Row) -> Json:
    verdict = row.verdict
    rates = {"opponent_win_rate": verdict and verdict.win_rate, "anytime": verdict and verdict.anytime}
    return {name: value for prefix, rate in rates.items() for name, value in _interval(prefix, rate).items()} | {
        "shrunken": verdict and verdict.shrunken,
        "val_pref_acc": row.val_pref_acc,
    }


def _interval(name: str, rate: Interval | None) -> Json:
    return {name: rate and rate.estimate, f"{name}_low": rate and rate.low, f"{name}_high": rate and rate.high}


def _event(event: Event) -> Json:
    return {
        "seq": event.seq, "at": _utc(event.at), "level": str(event.level), "kind": event.kind,
        "experiment": event.experiment, "text": event.text,
    }  # fmt: skip


def _event_line(event: Event) -> str:
    about = f"#{event.experiment} " if event.experiment is not None else ""
    return f"{_utc(event.at)}  {event.level:<7}  {event.kind:<12}  {about}{_line(event.text)}"


def _belief(belief: Hypothesis) -> Json:
    return {
        "kind": "hypothesis", "number": belief.number, "status": str(belief.status), "category": belief.category,
        "experiments": list(belief.experiments), "text": belief.text,
    }  # fmt: skip


def _stock(zoom_out: ZoomOut) -> Json:
    return {
        "kind": "zoom-out", "number": zoom_out.number, "status": zoom_out.trigger,
        "category": ", ".join(zoom_out.categories), "experiments": [], "text": zoom_out.text,
    }  # fmt: skip


def _places(figure: Figure) -> Iterable[Json]:
    x, y = figure.x_label, figure.y_label
    for band in figure.bands:
        for at, low, high in zip(band.xs, band.low, band.high, strict=True):
            yield {"series": band.label, x: at, y: None, "low": low, "high": high}
    for line in figure.lines:
        for at, height in zip(line.xs, line.ys, strict=True):
            yield {"series": line.label, x: at, y: height, "low": None, "high": None}
    for points in figure.points:
        ends = zip(points.low or [None] * len(points.xs), points.high or [None] * len(points.xs), strict=True)
        for at, height, (low, high) in zip(points.xs, points.ys, ends, strict=True):
            yield {"series": points.label, x: at, y: height, "low": low, "high": high}
    for mark in figure.marks:
        yield {"series": mark.label, x: mark.x, y: None, "low": None, "high": None}


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, list | dict):
        return _line(json.dumps(value, ensure_ascii=False))
    return _line(f"{value:.10g}" if isinstance(value, float) else str(value))


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, list | tuple):
        return [_cleaned(one) for one in cast(Iterable[Any], value)]
    if isinstance(value, dict):
        return {clean(str(name)): _cleaned(one) for name, one in cast(Json, value).items()}
    return value


def _line(text: str) -> str:
    return " ".join(clean(text).split())


def _utc(at: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))
