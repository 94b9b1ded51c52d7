"""The ways to leave the dashboard."""

from __future__ import annotations

from enum import StrEnum


class Leave(StrEnum):
    """How a person left the dashboard."""

    DETACH = "detach"
    """The loop goes on without a screen."""

    DRAIN = "drain"
    """The stages under way are finished, then the run stops."""

    STOP = "stop"
    """Everything stops now; the next start goes on from there."""
