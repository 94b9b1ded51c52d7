"""Which pairs of answers a person may vote on, and in which order they see them."""

from __future__ import annotations

import getpass
import hashlib
import os
from collections.abc import Collection, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from checkpoints.reader import Reader
from checkpoints.records import (
    REFERENCE,
    Choice,
    Intervention,
    Json,
    Row,
    State,
    Step,
    Tally,
    Vote,
    VoterMeans,
    model_name,
)
from checkpoints.text import clean
from lanes.vote_limit import full
from tui.snapshot import Snapshot

PERSON = "person:"
"""What the names of voters at a dashboard begin with."""

RECENT = 30
"""Experiments from the newest down that are looked at for pairs."""

_JUDGED = (State.KEPT, State.DISCARDED, State.INCONCLUSIVE)


@dataclass(frozen=True, slots=True)
class Battle:
    """Two answers to one prompt; which model gave which is not for the voter's eyes."""

    experiment: int
    prompt: str
    """Id of the prompt."""

    question: str
    """Its text; empty where it was not kept."""

    model_a: str
    """Whose answer is shown first: at the left, or above."""

    model_b: str
    answer_a: str
    answer_b: str

    def vote(self, choice: Choice, voter: str) -> Json:
        """The detail of the intervention that says what the voter preferred."""
        return {
            "prompt": self.prompt, "model_a": self.model_a, "model_b": self.model_b, "choice": str(choice),
            "voter": voter,
        }  # fmt: skip


def voter() -> str:
    """Who votes at this screen: the name under which the person is logged in."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError, ImportError):
        name = f"uid-{os.getuid()}"
    return PERSON + " ".join(clean(name).split())[:50]


def rival_of(row: Row) -> str:
    """The model that an experiment's candidate is judged against."""
    opponent = row.experiment.opponent
    return REFERENCE if opponent is None else model_name(opponent)


def tally(own: str, votes: Sequence[Vote]) -> Tally:
    """Votes for a model, against it, for neither."""
    ties = sum(vote.choice is Choice.TIE for vote in votes)
    wins = sum(vote.choice is (Choice.A if vote.model_a == own else Choice.B) for vote in votes)
    return Tally(wins, len(votes) - wins - ties, ties)


def next_battle(folder: Path, rows: Sequence[Row], voter: str, done: Collection[tuple[int, str]]) -> Battle | None:
    """The pair to show next; None when there is none left. Reads with a connection of its own, in any thread.

    Args:
        rows: All experiments of the run.
        voter: Who votes; a pair that is among their votes is not shown again.
        done: Experiments and prompts that are not to be shown: voted on but not counted yet, or skipped.
    """
    with closing(Reader(folder)) as reader:
        for row in contests(rows):
            number, own = row.experiment.number, row.experiment.model
            # Who has voted on a prompt knows which answer is the candidate's: no second pair with it is blind.
            voted = {vote.prompt for vote in reader.votes(number, voter)}
            for rival in dict.fromkeys((rival_of(row), REFERENCE)):
                closed = voted | full(reader, row.experiment, own, rival)
                prompts = [
                    prompt
                    for prompt in reader.answered(number, own, rival)
                    if prompt not in closed and (number, prompt) not in done
                ]
                if prompts:
                    prompt = min(prompts, key=lambda prompt: _chance(voter, number, prompt))
                    return _battle(reader, number, prompt, (own, rival), voter)
    return None


def why_none(folder: Path, snapshot: Snapshot) -> str:
    """Why there is no pair to vote on."""
    if snapshot.metric:
        return f"this run is judged by {snapshot.metric}: there are no answers to vote on"
    with closing(Reader(folder)) as reader:
        for row in contests(snapshot.rows):
            own, rival = row.experiment.model, rival_of(row)
            if full(reader, row.experiment, own, rival):
                return "every pair there is has your vote, or as many as count before the verdict; others come"
            if reader.answered(row.experiment.number, own, rival):
                return "you have voted on every pair there is; others come with the next evaluation"
    return "there are no answers to vote on yet; they come with an evaluation"


def contests(rows: Sequence[Row]) -> list[Row]:
    """Experiments on which a vote may tell something: those before the voters, then where the evidence is widest."""
    recent = rows[-RECENT:]
    running = [row for row in recent if row.experiment.state is State.EVALUATING]
    judged = [row for row in recent if row.experiment.state in _JUDGED and row.verdict and row.verdict.win_rate]
    return running + sorted(judged, key=_width, reverse=True)


def cast_by(interventions: Sequence[Intervention], voter: str) -> list[Intervention]:
    """The votes that a voter has cast at a dashboard, whether they are counted yet, refused, or neither."""
    return [one for one in interventions if one.step is Step.VOTE and one.detail.get("voter") == voter]


@dataclass(frozen=True, slots=True)
class Running:
    """How an experiment stands after a vote."""

    own: Tally
    """This voter's votes for and against the candidate."""

    all: Tally
    """Everybody's, this voter's included."""

    means: VoterMeans
    """Everybody's, each voter counted as one, as far as their sessions have closed."""

    simulated: bool
    """Whether some of the others are those of simulated voters."""


def running(folder: Path, row: Row, rival: str, voter: str, cast: Sequence[Json]) -> Running:
    """Count; what the voter has cast counts at once, also where the runner has not taken it up yet.

    Args:
        row: The experiment voted on.
        rival: Whom its candidate is compared with.
        voter: Whose votes are counted apart.
        cast: Details of the votes that they have cast on it.
    """
    number, own = row.experiment.number, row.experiment.model
    with closing(Reader(folder)) as reader:
        votes = [vote for vote in reader.votes(number) if {vote.model_a, vote.model_b} == {own, rival}]
        means = reader.voter_means(number, own, rival)
    counted, everybody = [vote for vote in votes if vote.voter == voter], tally(own, votes)
    known = {vote.prompt for vote in counted}
    new = [
        _vote(number, detail)
        for detail in cast
        if detail["prompt"] not in known and {detail["model_a"], detail["model_b"]} == {own, rival}
    ]
    theirs, added = tally(own, [*counted, *new]), tally(own, new)
    return Running(
        theirs,
        Tally(everybody.wins + added.wins, everybody.losses + added.losses, everybody.ties + added.ties),
        means,
        any(vote.simulated for vote in votes),
    )


def _vote(number: int, detail: Json) -> Vote:
    words = (detail["voter"], detail["prompt"], detail["model_a"], detail["model_b"])
    return Vote(number, "", *words, Choice(detail["choice"]), False, 0.0)


def _battle(reader: Reader, number: int, prompt: str, pair: tuple[str, str], voter: str) -> Battle:
    said = {answer.model: answer.text for answer in reader.answers(number, prompt)}
    a, b = pair if _chance(voter, number, prompt, "order") < 0.5 else (pair[1], pair[0])
    return Battle(number, prompt, reader.prompts(prompt).get(prompt, ""), a, b, said[a], said[b])


def _width(row: Row) -> float:
    assert row.verdict and row.verdict.win_rate
    return row.verdict.win_rate.high - row.verdict.win_rate.low


def _chance(*what: object) -> float:
    """A number from 0 to below 1 that looks drawn, and is the same for the same voter and pair."""
    words = "\x1f".join(map(str, what))
    return int.from_bytes(hashlib.sha256(words.encode("utf-8", "replace")).digest()[:6]) / 2**48
