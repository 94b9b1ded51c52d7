"""Fixed: the text, the characters, the evaluation and the time. Who looks for improvements edits nothing here."""

import math
import os

import numpy as np

TIME_BUDGET = float(os.environ.get("SAMPLE_SECONDS", "1.0"))
"""Seconds of training."""

CONTEXT = 8
"""Characters that a model sees before the one that it says."""

_SYLLABLES = ["ka", "ri", "mo", "ten", "shu", "lo", "vi", "dar", "ne", "pol", "ist", "ga", "ur", "em", "fo", "bel"]


def text(split: str) -> str:
    """Words of a made-up language, whose syllables prefer some that follow: the same text each time."""
    rng = np.random.default_rng(1 if split == "train" else 2)
    follows = np.random.default_rng(0).dirichlet(np.full(len(_SYLLABLES), 0.15), size=len(_SYLLABLES)).cumsum(1)
    words, at = [], 0
    for _ in range(12_000 if split == "train" else 1_500):
        word = []
        for _ in range(1 + rng.integers(3)):
            at = min(int(follows[at].searchsorted(rng.random())), len(_SYLLABLES) - 1)
            word.append(_SYLLABLES[at])
        words.append("".join(word))
    return " ".join(words)


CHARACTERS = sorted({letter for syllable in _SYLLABLES for letter in syllable} | {" "})


def encode(string: str) -> np.ndarray:
    """Numbers of the characters."""
    numbers = {letter: number for number, letter in enumerate(CHARACTERS)}
    return np.array([numbers[letter] for letter in string])


def windows(split: str) -> tuple[np.ndarray, np.ndarray]:
    """Contexts, (n, CONTEXT), and the characters that follow them, (n,)."""
    codes = encode(text(split))
    seen = np.lib.stride_tricks.sliding_window_view(codes, CONTEXT)[:-1]
    return seen, codes[CONTEXT:]


def evaluate_bpb(log_probabilities) -> float:
    """Bits a byte on the validation text.

    Args:
        log_probabilities: Called with contexts, (n, CONTEXT); gives natural logarithms, (n, characters).
    """
    seen, follows = windows("val")
    found = log_probabilities(seen)[np.arange(len(follows)), follows]
    return float(-found.mean() / math.log(2))
