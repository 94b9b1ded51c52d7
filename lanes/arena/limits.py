"""How much one may ask for: a bucket of tokens for everybody who asks, in bounded memory."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass

MOST_BUCKETS = 10_000
"""Buckets that are remembered; who has not asked for longest begins anew."""


@dataclass(frozen=True, slots=True)
class Rate:
    """How often one may ask."""

    per_second: float
    burst: float
    """Requests at once after a pause."""


PERSON = Rate(5, 60)
"""Of one voter's token: a page asks twice a vote."""

PRODUCT = Rate(20_000, 40_000)
"""Of a product's token: it keeps a loop that ran wild from taking the disk, and is far above what one core answers."""

STRANGER = Rate(20, 200)
"""Of one address without a token that is known: pages, and guesses."""


class Buckets:
    """A bucket for each who asks, filled again as time goes by."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._left: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()
        """What was left in each bucket, and when."""

    def take(self, who: Hashable, rate: Rate) -> float:
        """Take one request out of a bucket.

        Returns:
            0 where it may be answered, else the seconds until it may be asked again.
        """
        now = self._clock()
        left, since = self._left.pop(who, (rate.burst, now))
        left = min(rate.burst, left + (now - since) * rate.per_second)
        wait = 0.0 if left >= 1 else (1 - left) / rate.per_second
        self._left[who] = (left if wait else left - 1, now)
        if len(self._left) > MOST_BUCKETS:
            self._left.popitem(last=False)
        return wait
