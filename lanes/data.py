"""Which rows a training sees: filtered, mixed by weight, drawn by seed, and never a held-out one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

from lanes.order import HeldOut, TrainOrder
from lanes.recipe import Filters
from lanes.rows import Broken, Example, exposed_keys, prompt_key, read_chats, read_pairs, read_prompts
from lanes.sources import DataError

NAMED = 5
"""Most broken rows that a note names."""


@dataclass(frozen=True, slots=True)
class Selection:
    """The rows of one training, and what a person should know of how they were chosen."""

    train: tuple[Example, ...]
    heldout: tuple[Example, ...]
    """Held-out pairs to score, at most ``eval_rows``; the same ones in every experiment."""

    broken: int
    notes: tuple[str, ...]


def select(order: TrainOrder) -> Selection:
    """Read, check, filter, mix and draw the rows of a training.

    The weights decide the proportion, and no row is drawn twice. Without a sample size the draw is the largest one that
    has exactly this proportion. With one, a source that is too small gives all it has and the others make up for it in
    proportion to their weights; a note says so. The same rows and seed give the same draw, and a larger sample contains
    the smaller one.

    Raises:
        DataError: a source is not there, has too many broken rows, holds held-out rows, or nothing is left to draw.
    """
    broken = Broken(order.max_broken_rows)
    notes: list[str] = []
    pairs = read_pairs(order.heldout.pairs, broken) if order.heldout.pairs else []
    locked = read_pairs(order.heldout.locked, broken) if order.heldout.locked else []
    forbidden = {prompt_key(pair.prompt) for pair in (*pairs, *locked)} | _prompt_keys(order.heldout, broken)
    recipe = order.recipe.data
    weights = {name: weight for name, weight in recipe.mix.items() if weight > 0}
    rows: dict[str, list[Example]] = {}
    seen: set[str] = set()
    for name in sorted(weights):
        found = _read(order, name, broken)
        allowed = _without_heldout(name, found, forbidden, order.drop_heldout, notes)
        rows[name] = _filtered(allowed, recipe.filters, seen)
        if not rows[name]:
            raise DataError(f"Source {name!r} has no row left of {len(found)}: loosen data.filters or weigh it 0")
    drawn = _draw(rows, weights, recipe.sample_size, recipe.seed, notes)
    scored = sorted(pairs, key=lambda pair: pair.key)[: order.eval_rows]
    return Selection(tuple(drawn), tuple(scored), len(broken.lines), (*_broken_note(broken), *notes))


def quotas(available: Mapping[str, int], weights: Mapping[str, float], sample_size: int | None) -> dict[str, int]:
    """How many rows each source gives; see `select` for the rule.

    Args:
        available: Rows by source.
        weights: By source, above 0; they need not add up to anything.
        sample_size: Rows wanted; None takes all that the exact proportion allows.
    """
    if sample_size is None:
        whole = sum(weights.values())
        total = min(available[name] / (weight / whole) for name, weight in weights.items())
        return _rounded(math.floor(total + 1e-9), weights, available)
    given: dict[str, int] = {}
    wanted, open_weights = sample_size, dict(weights)
    while open_weights:
        whole = sum(open_weights.values())
        small = [name for name, weight in open_weights.items() if available[name] <= wanted * weight / whole]
        if not small:
            return given | _rounded(wanted, open_weights, available)
        for name in small:
            given[name] = available[name]
            del open_weights[name]
        wanted = sample_size - sum(given.values())
    return given


def _rounded(total: int, weights: Mapping[str, float], available: Mapping[str, int]) -> dict[str, int]:
    """Whole numbers in proportion that add up to ``total``: the largest remainders are rounded up."""
    whole = sum(weights.values())
    exact = {name: total * weight / whole for name, weight in weights.items()}
    given = {name: min(available[name], math.floor(share + 1e-9)) for name, share in exact.items()}
    for name in sorted(exact, key=lambda name: (given[name] - exact[name], name)):
        if sum(given.values()) < total and given[name] < available[name]:
            given[name] += 1
    return given


def _prompt_keys(heldout: HeldOut, broken: Broken) -> set[str]:
    if not heldout.prompts:
        return set()
    return {prompt_key(prompt.prompt) for prompt in read_prompts(heldout.prompts, broken)}


def _read(order: TrainOrder, name: str, broken: Broken) -> list[Example]:
    if name not in order.sources:
        known = ", ".join(sorted(order.sources)) or "none"
        raise DataError(f"data.mix names {name!r}, which is no source: there are {known}")
    read = read_pairs if order.recipe.method == "dpo" else read_chats
    return read(order.sources[name], broken)


def _without_heldout(
    name: str, rows: Sequence[Example], forbidden: set[str], drop: bool, notes: list[str]
) -> list[Example]:
    kept: list[Example] = []
    for row in rows:
        if forbidden.isdisjoint(exposed_keys(row)):
            kept.append(row)
        elif not drop:
            raise DataError(
                f"Source {name!r} has a held-out prompt at {row.where}: take the row out, "
                "or set data.drop_heldout: true to leave such rows out"
            )
    if len(kept) < len(rows):
        notes.append(f"source {name!r}: {len(rows) - len(kept)} held-out rows left out")
    return kept


def _filtered(rows: Sequence[Example], filters: Filters, seen: set[str]) -> list[Example]:
    """Rows that pass; ``seen`` holds the keys of those before, over all sources."""
    kept: list[Example] = []
    for row in rows:
        if not _passes(row, filters):
            continue
        if filters.deduplicate:
            if row.key in seen:
                continue
            seen.add(row.key)
        kept.append(row)
    return kept


def _passes(row: Example, filters: Filters) -> bool:
    length = sum(len(turn["content"]) for turn in row.answer)
    return (
        (filters.min_margin is None or (row.margin is not None and row.margin >= filters.min_margin))
        and (filters.min_length is None or length >= filters.min_length)
        and (filters.max_length is None or length <= filters.max_length)
        and (filters.languages is None or row.language in filters.languages)
    )


def _draw(
    rows: Mapping[str, Sequence[Example]],
    weights: Mapping[str, float],
    sample_size: int | None,
    seed: int,
    notes: list[str],
) -> list[Example]:
    given = quotas({name: len(found) for name, found in rows.items()}, weights, sample_size)
    whole = sum(weights.values())
    drawn: list[Example] = []
    for name in sorted(given):
        wanted = (sample_size or 0) * weights[name] / whole
        if given[name] < math.floor(wanted):
            notes.append(f"source {name!r} has {given[name]} of the {wanted:.0f} rows of its share; it gives them all")
        found = list(rows[name])
        Random(f"{seed}/{name}").shuffle(found)
        drawn += found[: given[name]]
    if not drawn:
        raise DataError("data.mix leaves no row to train on: its weights are too far apart for so few rows")
    Random(f"{seed}").shuffle(drawn)
    return drawn


def _broken_note(broken: Broken) -> list[str]:
    if not broken.lines:
        return []
    more = f" and {len(broken.lines) - NAMED} more" if len(broken.lines) > NAMED else ""
    return [f"{len(broken.lines)} broken rows skipped: {'; '.join(broken.lines[:NAMED])}{more}"]
