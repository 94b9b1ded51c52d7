"""The verdict on a model that a guard took out, whatever its votes say."""

from __future__ import annotations

from dataclasses import replace

from checkpoints.records import Outcome, Verdict


def taken_out(judged: Verdict, guard: str) -> Verdict:
    """Discard at once.

    Args:
        judged: What the votes until then say.
        guard: The sentence of the guard, without its full stop.
    """
    so_far = f"The votes until then: {judged.wins} wins to {judged.losses} losses ({judged.ties} about equal)."
    return replace(judged, outcome=Outcome.DISCARD, reason=f"Taken out at once: {guard}. {so_far}")
