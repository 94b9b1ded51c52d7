"""Reads a pi-autoresearch log, JSON lines: a configuration begins a segment, and each run has a record."""

from __future__ import annotations

import json
import math
from typing import Any, cast

from checkpoints.records import Json
from checkpoints.text import clean
from runner.replay.history import Entry, Fate, History, NoHistory, fate_of


def is_pi_log(text: str) -> bool:
    """Whether a file's first line that is not empty is a JSON object."""
    first = next((line for line in text.split("\n") if line.strip()), "")
    return first.lstrip().startswith("{")


def read_pi_log(text: str, metric: str, higher_is_better: bool) -> History:
    """The record in a log.

    Args:
        text: The file's.
        metric: ``metric``, the name that the configuration gives it, or one of the further ones.
        higher_is_better: As the person says; where a configuration says otherwise, that is a complaint.

    Raises:
        NoHistory: It has no runs, or none with such a metric.
    """
    reading = _Reading(metric, higher_is_better)
    for place, line in enumerate(text.split("\n"), 1):
        if line.strip():
            reading.line(place, line)
    if not reading.rows:
        raise NoHistory("the log has no runs")
    if all(entry.value is None for entry in reading.entries):
        named = ", ".join(sorted(reading.names)) or "none"
        raise NoHistory(f"no run of the log has a metric {metric!r}; it has: {clean(named)[:300]}")
    return History(metric, higher_is_better, tuple(reading.entries), tuple(reading.complaints), True)


class _Reading:
    def __init__(self, metric: str, higher_is_better: bool) -> None:
        self.entries: list[Entry] = []
        self.complaints: list[str] = []
        self.names: set[str] = set()
        self.rows = 0
        self._metric, self._higher = metric, higher_is_better
        self._segment = 0
        self._main = {"metric"}
        """Names of the log's main metric in this segment."""

    def line(self, place: int, line: str) -> None:
        try:
            said: Any = json.loads(line)
        except (ValueError, RecursionError):
            said = None
        if not isinstance(said, dict):
            self.complaints.append(f"line {place}: no JSON object, passed over")
            return
        found = cast(Json, said)
        if found.get("type") == "config":
            self._configure(place, found)
        elif "run" in found or "metric" in found or "status" in found:
            self._run(place, found)
        else:
            self.complaints.append(f"line {place}: neither a configuration nor a run, passed over")

    def _configure(self, place: int, said: Json) -> None:
        self._segment += bool(self.entries)
        self._main = {"metric", str(said.get("metricName") or "metric")}
        direction = said.get("bestDirection")
        if self._metric in self._main and direction in ("lower", "higher") and (direction == "higher") != self._higher:
            asked = "max" if self._higher else "min"
            self.complaints.append(f"line {place}: the log says {direction} is better, --direction {asked} is followed")

    def _run(self, place: int, said: Json) -> None:
        self.rows += 1
        fate = fate_of(str(said.get("status", "")))
        if fate is Fate.UNKNOWN:
            word = clean(str(said.get("status", "")))[:40]
            self.complaints.append(f"line {place}: the status {word!r} is not known; counted as not kept")
        value = None if fate is Fate.CRASH else self._value(said)
        if value is None and fate is not Fate.CRASH:
            self.complaints.append(f"line {place}: {self._metric} is no finite number; it counts as no value")
        self.entries.append(
            Entry(
                self.rows, place, self._segment, value, fate, str(said.get("description", "")),
                str(said.get("commit", "")),
            )
        )  # fmt: skip

    def _value(self, said: Json) -> float | None:
        further = said.get("metrics")
        values: Json = {name: said.get("metric") for name in self._main}
        if isinstance(further, dict):
            values = cast(Json, further) | values
        self.names |= {name for name, value in values.items() if value is not None}
        value = values.get(self._metric)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            return None
        return float(value)
