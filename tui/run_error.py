"""The error of a command; of its own, so that who only catches it need not import what drives a run."""

from __future__ import annotations


class RunError(Exception):
    """A command cannot be done with this folder; the message says what to do."""
