"""When a run that is finished came to its end: what happens after it, by a person's hand, makes no night longer."""

from __future__ import annotations

from collections.abc import Sequence

from checkpoints.records import Event, Run, RunState

LAST = 500
"""Events, the newest of a run, among which its end is looked for."""


def ended_at(run: Run, events: Sequence[Event]) -> float | None:
    """UTC seconds; None while the run is not finished, or where nothing is known of it.

    Args:
        run: As it is now.
        events: Its newest, the oldest first.
    """
    if run.state is not RunState.FINISHED or not events:
        return None
    said = (event.at for event in reversed(events) if event.kind == "run" and event.text.startswith(run.state))
    return next(said, events[-1].at)
