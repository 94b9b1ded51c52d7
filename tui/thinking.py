"""How an experiment came about: belief, expectation and what came, refusals, exchanges, and its edit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from checkpoints.records import Change, Hypothesis, Interval, Json, Row
from checkpoints.thought import Exchange, Purpose, Refusal, Spent
from runner.agent.gained import found_effect
from tui.signs import BRIGHT, GREEN, GREY, ORANGE, RED
from tui.snapshot import Snapshot
from tui.widgets.lines import paragraphs, said, styled
from tui.words import clock, money, numbers, signed, tokens

PURPOSES = {
    Purpose.PROPOSE: "proposal",
    Purpose.REPAIR: "proposal, mended",
    Purpose.ZOOM_OUT: "zoom-out",
    Purpose.ASK: "answer to a person",
}
"""What came of an exchange, by what was asked for."""

SHOWN_OF_A_FILE = 20
"""Lines of a file given as a whole that are shown: what it changes stands under the recipe."""

_REFUSALS = 20
"""Refusals before one experiment that are shown, the last ones."""


def belief(snapshot: Snapshot, row: Row) -> RenderableType:
    """The hypothesis, whose it is, what it rests on, and what was expected beside what came."""
    proposal = row.experiment.proposal
    lines = [*_grounds(snapshot, row), *_expectation(row)]
    table = Table.grid(padding=(0, 2, 0, 0))
    for name, text in lines:
        table.add_row(Text(name, GREY), text)
    about = _told(proposal.hypothesis, BRIGHT).append("\n").append_text(said(_origin(snapshot, row), GREY))
    return Group(about, table) if lines else about


def refused(refusals: Sequence[Refusal]) -> RenderableType:
    """Proposals that the program refused before it took this one, each with the reason."""
    parts: list[Text] = []
    if (more := len(refusals) - _REFUSALS) > 0:
        parts.append(Text(f"{more} earlier ones", GREY))
    for one in refusals[-_REFUSALS:]:
        told = Text().append(f"{clock(one.at)}  ", GREY).append_text(_told(one.reason, RED))
        wanted = one.proposal.get("hypothesis") or one.proposal
        parts.append(told.append("\n          ").append_text(said(f"{one.proposer}: {wanted}", GREY)))
    return Group(*parts)


def exchanges(found: Sequence[Exchange]) -> RenderableType:
    """Each exchange with the language model on a line, and what all took."""
    table = Table.grid(padding=(0, 2, 0, 0))
    for one in found:
        took = f"{one.tokens_in:,} + {one.tokens_out:,} tokens"
        cells = (f"{one.number}", PURPOSES[one.purpose], one.form, took, money(one.usd), f"{one.seconds:.1f} s")
        table.add_row(*(Text(said(cell).plain, GREY if place else BRIGHT) for place, cell in enumerate(cells)))
        if one.error:
            table.add_row(Text(), _told(one.error, RED))
    return Group(table, Text(f"{together(_sum(found))} · E reads what was said", style=GREY))


def together(spent: Spent) -> str:
    """``3 exchanges, 4.2k tokens, $0.02``."""
    price = money(None if spent.unpriced == spent.exchanges else spent.usd)
    some = f" and {spent.unpriced} without a known price" if 0 < spent.unpriced < spent.exchanges else ""
    return f"{spent.exchanges} exchange{'' if spent.exchanges == 1 else 's'}, {tokens(spent.tokens)}, {price}{some}"


def edit(change: Change | None) -> Sequence[Text]:
    """What an edit of a file takes out and puts in; nothing where the change is none."""
    new: Any = change.new if change else None
    if not isinstance(new, dict):
        return []
    said_of = cast(Json, new)
    if isinstance(whole := said_of.get("whole"), str):
        lines = whole.splitlines()
        rest = [styled(f"… {len(lines) - SHOWN_OF_A_FILE} more lines", GREY)] if len(lines) > SHOWN_OF_A_FILE else []
        head = "\n".join(lines[:SHOWN_OF_A_FILE])
        return [styled(f"the whole file is now, in {len(lines)} lines:", GREY), *_block("+ ", head, GREEN), *rest]
    blocks: list[Text] = []
    for one in cast(Sequence[object], said_of.get("edits") or ()):
        if isinstance(one, dict):
            pair = cast(Mapping[str, object], one)
            blocks += [*_block("- ", pair.get("search"), RED), *_block("+ ", pair.get("replace"), GREEN), Text()]
    return blocks[:-1]


def _origin(snapshot: Snapshot, row: Row) -> str:
    proposal = row.experiment.proposal
    origin = f"{proposal.category}, proposed by {proposal.proposer}"
    if snapshot.stepped_in(row):
        origin += " in the place of the agent"
    for zoom_out in snapshot.zoom_outs:
        if zoom_out.number == proposal.zoom_out:
            origin += f" from zoom-out {zoom_out.number} ({zoom_out.trigger})"
    if held := _held(snapshot, row):
        whose = f", a belief of the {held.source}" if held.source not in ("agent", proposal.proposer) else ""
        origin += f"{whose}; now {held.status}"
    return origin


def _held(snapshot: Snapshot, row: Row) -> Hypothesis | None:
    """The belief that the experiment tests."""
    number, known = row.experiment.number, row.experiment.proposal.belief
    return next((one for one in snapshot.hypotheses if one.number == known or number in one.experiments), None)


def _grounds(snapshot: Snapshot, row: Row) -> Iterator[tuple[str, Text]]:
    proposal, held = row.experiment.proposal, _held(snapshot, row)
    if proposal.rests_on:
        yield "rests on", Text(numbers(proposal.rests_on))
    if proposal.differs:
        yield "different now", _told(proposal.differs)
    if proposal.base is not None:
        yield "branches from", Text(f"#{proposal.base}")
    refuted_by = proposal.expected.refuted_by if proposal.expected else held.refuted_by if held else ""
    if refuted_by:
        yield "refuted by", _told(refuted_by)


def _expectation(row: Row) -> Iterator[tuple[str, Text]]:
    """What was expected beside what came, in points of win rate or in the metric's unit."""
    expected, effect = row.experiment.proposal.expected, found_effect(row)
    votes = row.verdict is None or row.verdict.effect is None
    if expected:
        yield "expected", Text(f"{gain(expected.effect, votes)} over its opponent")
    if effect and (expected or not votes):
        text = Text(f"{gain(effect.estimate, votes)} [{gain(effect.low, votes, '')}, {gain(effect.high, votes, '')}]")
        if expected:
            text.append(_compared(expected.effect, effect), ORANGE)
        yield "came", text
    elif expected:
        yield "came", Text("nothing yet" if row.experiment.ended_at is None else "no measurement", GREY)


def gain(value: float, votes: bool, unit: str = " points") -> str:
    """``+3.0 points`` of win rate, or ``+0.0042`` of a metric."""
    return f"{100 * value:+.1f}{unit}" if votes else signed(value)


def _compared(expected: float, effect: Interval) -> str:
    if effect.low <= expected <= effect.high:
        return "  as expected, within its interval"
    return "  less than expected" if effect.high < expected else "  more than expected"


def _sum(found: Sequence[Exchange]) -> Spent:
    prices = [one.usd for one in found if one.usd is not None]
    used = sum(one.tokens_in + one.tokens_out for one in found)
    return Spent(len(found), used, sum(prices), len(found) - len(prices))


def _block(mark: str, text: object, colour: str) -> Iterator[Text]:
    for line in paragraphs(text or "").plain.splitlines():
        yield styled(f"{mark}{line}", colour)


def _told(text: object, style: str = "") -> Text:
    """Text from outside that may be broken into lines."""
    return Text().append_text(said(text, style))
