"""Who meets whom in one evaluation, in which order they are shown, and when it is over."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from checkpoints.records import BASELINE, REFERENCE, Outcome, VoterMeans
from lanes.analyze.verdict import Rule, decide, progress
from lanes.analyze.win_rate import anytime, half_width

BASELINE_VOTES = 200
"""Voters on the baseline against the reference: no contest, only the first point of the plot."""

BASELINE_HALF_WIDTH = 0.08
"""Or fewer, when the anytime interval is as narrow as this."""


@dataclass(frozen=True, slots=True)
class Terms:
    """Who meets whom, and how."""

    experiment: int
    candidate: str
    opponent: str
    rule: Rule
    votes_per_prompt: int
    votes_per_voter: int
    """Votes after which a voter's session closes, so that their mean counts."""

    session_seconds: float
    """Or so long after their last vote."""

    reference_share: float
    """Share of all votes that compares the candidate with the reference instead of the opponent, 0 to below 1."""

    seed: int
    test: int = 0
    """Number of the promotion test that asks; 0 where the verdict on the experiment does."""

    @property
    def undecided(self) -> bool:
        """Whether nobody decides on it: the baseline against the reference is the first point of the plot."""
        return self.experiment == BASELINE and not self.test

    def is_over(self, means: VoterMeans) -> bool:
        """Whether the votes are enough."""
        if not self.undecided:
            return self.decision(means) is not None
        interval = anytime(means.wins, means.losses, self.rule.alpha)
        narrow = interval is not None and half_width(interval) <= BASELINE_HALF_WIDTH
        return means.voters >= self.voters or (narrow and means.voters >= self.rule.min_votes)

    def decision(self, means: VoterMeans) -> Outcome | None:
        """What the votes say; always None for the baseline, which nobody decides on."""
        return None if self.undecided else decide(self.rule, means)

    @property
    def voters(self) -> int:
        """Voters at which it is over in any case."""
        return min(BASELINE_VOTES, self.rule.max_votes) if self.undecided else self.rule.max_votes

    def share_done(self, means: VoterMeans) -> float:
        """How near the end is, 0 to 1."""
        return means.voters / self.voters if self.undecided else progress(self.rule, means)

    def pairs(self, prompt: str) -> list[tuple[str, str]]:
        """Models that are compared on a prompt: candidate and opponent, on a share of them the reference too."""
        pairs = [(self.candidate, self.opponent)]
        # Every prompt has the first pair, so a share s of all votes is s / (1 - s) of the prompts.
        due = self.reference_share / (1 - self.reference_share)
        if not self.test and self.opponent != REFERENCE and self._chance("reference", prompt) < due:
            pairs.append((self.candidate, REFERENCE))
        return pairs

    def key(self, prompt: str) -> str:
        """Name under which a prompt's answers are kept: a promotion test asks for fresh ones."""
        return f"test-{self.test}:{prompt}" if self.test else prompt

    def displayed(self, pair: tuple[str, str], prompt: str) -> tuple[str, str]:
        """The pair in random display order, the same one after a kill."""
        return pair if self._chance("order", prompt, *pair) < 0.5 else (pair[1], pair[0])

    def answer_seed(self, prompt: str, model: str) -> int:
        """Seed of a model's answer to a prompt."""
        return self._number("answer", prompt, model)

    def _chance(self, *what: str) -> float:
        return self._number(*what) / 2**48

    def _number(self, *what: str) -> int:
        fresh = (f"test-{self.test}",) if self.test else ()
        words = "\x1f".join((str(self.seed), str(self.experiment), *fresh, *what))
        return int.from_bytes(hashlib.sha256(words.encode()).digest()[:6])
