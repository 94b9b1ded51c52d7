"""What the store has on one experiment beside its row, read in one go and in any thread."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from checkpoints.measurements import HeldRows, Measurement
from checkpoints.reader import Reader
from checkpoints.records import Choice, Json, Row, Stage, Tally, Vote, VoterMeans
from checkpoints.thought import Exchange, Refusal
from tui.battles import PERSON, rival_of, tally
from tui.series import Series, read_on

SAMPLES = 12
"""Prompts whose answers are shown side by side, those first that were voted on."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One prompt with what both models said, and how voters found it."""

    prompt: str
    """Id of the prompt."""

    question: str
    """Its text; empty where it was not kept."""

    own: str
    rival: str
    votes: Tally


@dataclass(frozen=True, slots=True)
class Votes:
    """The votes of one experiment, counted in the ways that a person asks about."""

    tally: Tally
    """Candidate against opponent."""

    means: VoterMeans
    """The same with each voter counted as one, which is what a verdict looks at."""

    voters: int
    simulated: int
    """Voters among them that were simulated."""

    first: Tally
    """Of all votes, those for the answer that was shown first, for the second, for neither."""

    by_prompt: dict[str, Tally]
    people: dict[str, Tally]
    """Candidate against opponent by the voters at a dashboard, by their names."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that was read."""

    stages: tuple[Stage, ...]
    samples: tuple[Sample, ...]
    votes: Votes
    recipes: Mapping[int, Json]
    """Of the experiment, its parent and the champion, as far as they have one."""

    own: Series
    parent: Series | None
    exchanges: tuple[Exchange, ...]
    """With the language model, that the experiment came of."""

    refusals: tuple[Refusal, ...]
    """Proposals that were refused before it."""

    measurements: tuple[Measurement, ...]
    """Of its recipe, on the rows that decide and on the locked ones."""


def read_evidence(folder: Path, row: Row, champion: int | None, before: Evidence | None = None) -> Evidence:
    """Read it with a connection of its own; of the curves only what came since ``before``."""
    number, parent = row.experiment.number, row.experiment.parent
    beside = [other for other in (parent, champion) if other is not None]
    with closing(Reader(folder)) as reader:
        means = reader.voter_means(number, row.experiment.model, rival_of(row))
        votes = count(row, reader.votes(number), means)
        return Evidence(
            tuple(reader.stages(number)),
            _samples(reader, row, votes),
            votes,
            reader.recipes(number, *beside),
            read_on(reader, number, before.own if before else None),
            read_on(reader, parent, before.parent if before else None) if parent is not None else None,
            tuple(reader.exchanges(number)),
            tuple(reader.refusals_before(number)),
            tuple(one for rows in HeldRows for one in reader.measurements(number, rows=rows)),
        )


def count(row: Row, votes: Sequence[Vote], means: VoterMeans = VoterMeans()) -> Votes:  # noqa: B008 (it is frozen)
    """Count the votes of an experiment."""
    own, rival = row.experiment.model, rival_of(row)
    contest = [vote for vote in votes if {vote.model_a, vote.model_b} == {own, rival}]
    by_prompt: dict[str, list[Vote]] = {}
    people: dict[str, list[Vote]] = {}
    for vote in contest:
        by_prompt.setdefault(vote.prompt, []).append(vote)
        if vote.voter.startswith(PERSON):
            people.setdefault(vote.voter, []).append(vote)
    shown = Counter(vote.choice for vote in votes)
    return Votes(
        tally(own, contest),
        means,
        len({vote.voter for vote in votes}),
        len({vote.voter for vote in votes if vote.simulated}),
        Tally(shown[Choice.A], shown[Choice.B], shown[Choice.TIE]),
        {prompt: tally(own, found) for prompt, found in by_prompt.items()},
        {voter: tally(own, found) for voter, found in people.items()},
    )


def _samples(reader: Reader, row: Row, votes: Votes) -> tuple[Sample, ...]:
    number, own, rival = row.experiment.number, row.experiment.model, rival_of(row)
    answered = reader.answered(number, own, rival)
    prompts = sorted(answered, key=lambda prompt: prompt not in votes.by_prompt)[:SAMPLES]
    if not prompts:
        return ()
    said = {(answer.prompt, answer.model): answer.text for answer in reader.answers(number, *prompts)}
    questions, nobody = reader.prompts(*prompts), Tally(0, 0, 0)
    return tuple(
        Sample(id, questions.get(id, ""), said[id, own], said[id, rival], votes.by_prompt.get(id, nobody))
        for id in prompts
    )
