"""The seed of what is tried by chance: printed with a failure, and given to have the failure again."""

from __future__ import annotations

import os
import random

SEED = int(os.environ.get("HOSTILE_SEED") or random.randrange(2**32))
"""Of this run; ``HOSTILE_SEED=7 pytest …`` has all that a run with 7 had."""
