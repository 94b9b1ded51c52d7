"""Which category a change was of, by the words that people describe it with."""

from __future__ import annotations

import re

_WORDS = (
    ("data", r"\bdata(set)?\b|\bcorpus|\bmixtures?\b|\bdedup|\bshuffl|\bcurricul|\btokeni[sz]er|\bvocab|\baugment"),
    ("adapter", r"\blora\b|\badapters?\b|\bpeft\b|\bdora\b"),
    ("regularisation", r"\bweight[ _]?decay\b|\bwd\b|\bdropout\b|\bregulari[sz]|\bclip|\bneftune\b|\bema\b"
     r"|\bsoftcap\b"),
    ("schedule", r"\bwarm ?(up|down)\b|\bschedul|\bcosine\b|\banneal|\blr_frac\b|\bepochs?\b|\bsteps\b|\bdecay\b"),
    ("optimiser", r"\blr\b|\blearning[ _]rate\b|\badam\w*|\bmuon\b|\bsgd\b|\boptimi[sz]er|\bmomentum\b|\bbeta[12s]?\b"
     r"|\bbatch\b|\bgradient accum|\bns_steps\b|\bnormuon\b"),
    ("loss", r"\bloss\b|\blabel smooth|\bz-?loss\b|\bcross.?entropy\b|\bdpo\b|\bipo\b|\bobjective\b|\bauxiliary\b"),
    ("capacity", r"\bdepth\b|\bdim\b|\bwidth\b|\blayers?\b|\bheads?\b|\bhidden\b|\bcontext\b|\bsequence length\b"
     r"|\bmlp\b|\bparams?\b|\baspect"),
    ("architecture", r"\battention\b|\battn\b|\brope\b|\brotary\b|\bwindow\b|\bnorm\b|\bactivation\b|\bswiglu\b|\brelu"
     r"|\bgelu\b|\bgate\b|\bresid|\bskip\b|\bembed|\bve\b|\bx0_lambda\b|\btying\b|\binit\b|\bpattern\b|\bkv"),
    ("code", r"\bcompile\b|\bkernel\b|\bcache\b|\bloop\b|\ballocat|\brefactor|\binline\b|\bprecision\b|\bbf16\b"
     r"|\bfp16\b|\bspeed\b|\bfaster\b"),
)  # fmt: skip
"""By category; the first whose words are there is the change's."""

CATEGORIES = tuple(name for name, _ in _WORDS)
"""All that are told apart."""

SEED = re.compile(
    r"\b(random )?seeds? (from )?\d+ (to|->|→) \d+|\b(different|another|new|other) (random )?seed\b|\bseed[ =]\d+\s*$"
    r"|\bre-?run\b|\breplicat|\brepeat(ed)? (of|run|the)\b|\bsame (config|recipe|code)\b|\bnoise (check|floor|test)\b"
    r"|\bconfirmation run\b",
    re.IGNORECASE,
)
"""Words of a run that changes nothing but the seed."""


def category_of_words(description: str) -> str | None:
    """The category of a described change; None where no word says it."""
    text = description.lower()
    return next((name for name, words in _WORDS if re.search(words, text)), None)
