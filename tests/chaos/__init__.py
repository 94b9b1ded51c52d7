"""Runs under faults: a schedule that can be drawn again, what it does to processes, and what must be true after.

``python -m chaos`` in ``tests/`` (``make chaos``) draws schedules for as long as it is told to.
"""
