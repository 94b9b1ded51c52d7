"""What a judged record says: for a person as lines, for a script as JSON."""

from __future__ import annotations

from collections.abc import Iterator

from checkpoints.records import Json
from checkpoints.text import clean
from runner.replay.history import Fate
from runner.replay.judged import LEVEL, PLATEAU, Judged, Keep, Noise, threshold

_MOST = 12
"""Plateaus that are named."""

_LONGEST = 60
"""Characters of a description in a table."""


def as_json(judged: Judged) -> Json:
    """For a script; fields keep their names and meanings."""
    winner = judged.winner
    return {
        "metric": judged.history.metric,
        "direction": "max" if judged.history.higher_is_better else "min",
        "runs": len(judged.history.entries),
        "noise_sd": judged.noise and judged.noise.sd,
        "noise_freedom": judged.noise and judged.noise.freedom,
        "threshold": judged.noise and threshold(judged.noise.sd),
        "keeps": [
            {
                "row": keep.entry.row, "line": keep.entry.line, "value": keep.entry.value, "gain": keep.gain,
                "stands": keep.stands, "sure": keep.sure, "commit": keep.entry.commit,
                "description": keep.entry.description,
            }
            for keep in judged.keeps
        ],
        "winner": winner and {
            "row": winner.entry.row, "recorded": winner.entry.value, "worth": winner.value,
            "standard_error": winner.standard_error, "overstated": winner.overstated,
        },
        "plateaus": [{"row": plateau.row, "since": plateau.since} for plateau in judged.plateaus],
        "tried": dict(judged.tried),
        "never_tried": list(judged.never),
        "complaints": list(judged.history.complaints),
    }  # fmt: skip


def lines_of(judged: Judged) -> Iterator[str]:
    """For a person."""
    entries = judged.history.entries
    fates = ", ".join(f"{number} {fate}" for fate in Fate if (number := sum(one.fate is fate for one in entries)))
    better = "higher" if judged.history.higher_is_better else "lower"
    yield f"{len(entries)} runs: {fates}; {clean(judged.history.metric)}, {better} is better"
    yield from _of_noise(judged.noise)
    yield from _of_keeps(judged)
    if winner := judged.winner:
        half = 1.96 * winner.standard_error
        yield (
            f"Winner: row {winner.entry.row}, recorded {winner.entry.value:g}, probably worth {winner.value:.6g}"
            f" ± {half:.2g} (95 %); the record overstates it by {winner.overstated:.2g}"
        )
    at = ", ".join(str(plateau.row) for plateau in judged.plateaus[:_MOST])
    at += f" and {more:,} more" if (more := len(judged.plateaus) - _MOST) > 0 else ""
    never_called = f"Plateaus: none of {PLATEAU} runs without a keep that stands"
    called = f"A plateau of {PLATEAU} runs without a keep that stands would have called a zoom-out after rows: {at}"
    yield called if judged.plateaus else never_called
    yield (
        "Tried, by the words of the descriptions: "
        + (", ".join(f"{name} {runs}" for name, runs in judged.tried) or "nothing that they name")
        + (f"; {judged.unnamed} name no category" if judged.unnamed else "")
    )
    yield f"Never tried: {', '.join(judged.never) or 'nothing: every category was'}"


def _of_noise(noise: Noise | None) -> Iterator[str]:
    if noise is None:
        yield "Noise: unknown, as nothing was run twice with two numbers; say it with --sd to judge the keeps"
        return
    whose = "as said"
    if noise.freedom:
        repeats = "repeat" if noise.freedom == 1 else "repeats"
        recipes = "recipe" if noise.groups == 1 else "recipes"
        whose = f"from {noise.freedom} {repeats} of {noise.groups} {recipes}"
        whose += "" if noise.freedom >= 7 else f": a guess, it may be up to {noise.most:.2g}"
    yield f"Noise: sd {noise.sd:.3g} of a single run, {whose}"
    yield (
        f"Rule: a keep stands when it gains more than {threshold(noise.sd):.3g} over the champion before it"
        f" (one-sided {LEVEL:.0%} of the difference of two single runs, 1.645·√2·sd)"
    )


def _of_keeps(judged: Judged) -> Iterator[str]:
    compared = [keep for keep in judged.keeps if keep.gain is not None]
    if judged.noise and compared:
        stand = sum(bool(keep.stands) for keep in compared)
        sure = sum(bool(keep.sure) for keep in compared)
        surely = f" ({sure} even if the noise is as large as it may be)" if judged.noise.freedom else ""
        yield f"Keeps: {stand} of {len(compared)} stand{surely}, {len(compared) - stand} are within the noise"
    for keep in judged.keeps:
        yield f"  {_line(keep)}"


def _line(keep: Keep) -> str:
    marks = {True: "stands", False: "within noise", None: "unknown"}
    fate = "the first" if keep.gain is None else marks[keep.stands]
    value = "no value" if keep.entry.value is None else f"{keep.entry.value:g}"
    gain = "" if keep.gain is None else f"{keep.gain:+.4g}"
    words = " ".join(clean(keep.entry.description).split())
    short = words if len(words) <= _LONGEST else words[: _LONGEST - 1] + "…"
    return f"row {keep.entry.row:>4}  {value:>12}  {gain:>10}  {fate:<12}  {short}".rstrip()
