"""The words of the project as records: plain, typed, immutable. Read this file and you know the domain.

Numbers are plain SI units unless a field says otherwise; times are UTC seconds since the epoch (``float``); durations
come from a monotonic clock, in seconds. A record is what the store returns; it never changes, a newer one replaces it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias, cast

Json: TypeAlias = dict[str, Any]
"""A JSON object as decoded by the standard library."""

BASELINE = 0
"""Number of the experiment that is the program's own recipe, unchanged."""

REFERENCE = "reference"
"""Name of the fixed model that win rates are quoted against: by default the model before any training."""

JUDGE = "judge:"
"""How the name of a language model begins that judges. It is one voter in a verdict, by its mean over all its votes;
counts of votes and the ranking are of people (or simulated voters) and leave its votes out."""

PERSON = "person"
"""Who proposed what a person asked for."""

PLAYBOOK = "playbook"
"""Who proposes without a model."""

REFUSED = "refused: "
"""How the effect of a person's step begins that was not done."""


class Lane(StrEnum):
    """One of the four workers that run side by side."""

    TRAIN = "train"
    UPLOAD = "upload"
    EVALUATE = "evaluate"
    ANALYZE = "analyze"


class State(StrEnum):
    """Where an experiment is in its life; the last six are its ends."""

    PROPOSED = "proposed"
    TRAINING = "training"
    TRAINED = "trained"
    UPLOADING = "uploading"
    UPLOADED = "uploaded"
    EVALUATING = "evaluating"
    EVALUATED = "evaluated"
    KEPT = "kept"
    DISCARDED = "discarded"
    INCONCLUSIVE = "inconclusive"
    CRASHED = "crashed"
    VETOED = "vetoed"
    CANCELLED = "cancelled"


ENDS = frozenset({State.KEPT, State.DISCARDED, State.INCONCLUSIVE, State.CRASHED, State.VETOED, State.CANCELLED})
"""States that an experiment does not leave by itself (a veto still turns kept into vetoed)."""


class StageState(StrEnum):
    """How far the passage of an experiment through a lane has come."""

    STARTED = "started"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class FailureKind(StrEnum):
    """The class of an error, which decides whether it is tried again and how."""

    OOM = "oom"
    NAN = "nan"
    HANG = "hang"
    CRASH = "crash"
    TIMEOUT = "timeout"
    INPUT = "input"
    """What the lane was given is wrong: no such model, held-out rows in the training data. Never retried."""


class Choice(StrEnum):
    """A voter's answer to a pair shown blind."""

    A = "a"
    TIE = "tie"
    B = "b"


class Outcome(StrEnum):
    """What became of an experiment when its evidence was in."""

    KEEP = "keep"
    DISCARD = "discard"
    INCONCLUSIVE = "inconclusive"
    CRASH = "crash"


class HypothesisStatus(StrEnum):
    """What the evidence so far says of a belief."""

    OPEN = "open"
    SUPPORTED = "supported"
    REFUTED = "refuted"


class Step(StrEnum):
    """What a person may do to a run; the kinds of an intervention."""

    PAUSE = "pause"
    RESUME = "resume"
    ZOOM_OUT = "zoom-out"
    VETO = "veto"
    SKIP = "skip"
    REQUEUE = "requeue"
    """Try the change of an experiment that has ended once more, as a new experiment."""

    INJECT = "inject"
    """Try a person's idea next: a change, or a hypothesis that the agent makes a change of."""

    ASK = "ask"
    """Ask the agent something about the run."""

    NOTE = "note"
    """Write, change or remove a note to the agent."""

    PIN = "pin"
    """Make a model champion and hold it there: keeps are kept but do not reign until it is unpinned."""

    UNPIN = "unpin"
    KEEP = "keep"
    """Keep anyway: a person overrules a verdict that did not keep."""

    VOTE = "vote"
    EXCLUDE = "exclude"
    """Count a voter's votes no longer; verdicts that have fallen stay."""

    READMIT = "readmit"
    PROMOTE = "promote"
    DEMOTE = "demote"
    UNDO = "undo"
    STOP = "stop"


class RunState(StrEnum):
    """What the loop as a whole is doing."""

    RUNNING = "running"
    PAUSED = "paused"
    FINISHED = "finished"


class Level(StrEnum):
    """How much an event asks of its reader."""

    INFO = "info"
    GOOD = "good"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Run:
    """One research run of one program."""

    name: str
    goal: str
    """What should get better, in the program's words."""

    state: RunState
    reason: str
    """Why the run is in this state, for a person; empty while it simply runs."""

    experiments: int
    """Experiments that the budget allows after the baseline."""

    created_at: float
    seed: int
    usd_per_hour: float | None = None
    """What an hour of training costs; None where the program does not say."""


@dataclass(frozen=True, slots=True)
class Program:
    """One accepted or refused revision of ``program.md``."""

    revision: int
    sha256: str
    text: str
    error: str
    """Why it was refused; empty when it is in force."""

    read_at: float


@dataclass(frozen=True, slots=True)
class Change:
    """The ONE thing that an experiment alters: a recipe field by its path, with the old and the new value."""

    field: str
    """Dotted path into the recipe, for example ``training.learning_rate`` or ``data.mix.expert``."""

    old: Any
    new: Any
    also: tuple[Change, ...] = ()
    """What goes along by a documented group: ``lora.lora_alpha`` with ``lora.r``."""

    @property
    def edited(self) -> str:
        """``2 edits`` or ``written anew`` where it is an edit of a file; empty where it is none."""
        value: object = self.new
        if not isinstance(value, dict):
            return ""
        new = cast(Json, value)
        found = new.get("edits")
        if isinstance(found, list):
            count = len(cast(list[object], found))
            return f"{count} edit{'' if count == 1 else 's'}"
        return "written anew" if "whole" in new else ""

    def __str__(self) -> str:
        own = f"{self.field}: {edited}" if (edited := self.edited) else f"{self.field} {self.old} → {self.new}"
        return " with ".join([own, *map(str, self.also)])


@dataclass(frozen=True, slots=True)
class Expected:
    """What whoever proposes expects of a change, before it is tried."""

    effect: float
    """Gain over the opponent: in win rate (0.03 is three points above even) where people vote, else in the metric's
    unit; above 0 is better whatever the metric's direction."""

    refuted_by: str
    """What would refute the hypothesis, in a sentence."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a proposer hands to the loop: a belief, and the one change that tests it."""

    hypothesis: str
    category: str
    """data, loss, optimiser, schedule, regularisation, adapter, capacity, deployment."""

    change: Change | None
    """None only for the baseline."""

    proposer: str
    """Who proposed: ``program`` (baseline), ``playbook``, ``person`` or a model's name."""

    zoom_out: int | None = None
    """Number of the zoom-out that this proposal follows from."""

    expected: Expected | None = None
    rests_on: tuple[int, ...] = ()
    """Experiments that the hypothesis rests on."""

    differs: str = ""
    """What is different now, where the same change was tried before."""

    base: int | None = None
    """Experiment whose recipe the change is applied to; None is the champion of the moment."""

    belief: int | None = None
    """Number of the hypothesis that it tests, where that was written down before."""

    exchanges: tuple[int, ...] = ()
    """Exchanges with a language model that it came of, until it is put forward: the store says it of each exchange."""


@dataclass(frozen=True, slots=True)
class Experiment:
    """One iteration: a hypothesis, a change, its recipe, its verdict."""

    number: int
    state: State
    proposal: Proposal
    recipe: Json | None
    """Complete recipe as trained; None until the train lane has bound the change to the champion's recipe."""

    parent: int | None
    """Champion whose recipe the change was applied to."""

    opponent: int | None
    """Champion at the moment when evaluation started."""

    proposed_at: float
    ended_at: float | None
    note: str
    """Why it was cancelled or crashed, in one line; empty otherwise."""

    @property
    def model(self) -> str:
        """Name under which its adapter is published, served and ranked."""
        return model_name(self.number)


def model_name(number: int) -> str:
    """Name of the model that experiment ``number`` trained."""
    return f"exp-{number:04d}"


@dataclass(frozen=True, slots=True)
class Stage:
    """The passage of one experiment through one lane; one row an attempt."""

    experiment: int
    lane: Lane
    attempt: int
    """Counts from 1."""

    state: StageState
    order: Json
    """Everything needed to do the work again."""

    result: Json
    """What was found; empty until done."""

    failure: FailureKind | None
    error: str
    started_at: float
    finished_at: float | None
    seconds: float | None
    """Monotonic duration of the last uninterrupted passage; None until it has ended."""


@dataclass(frozen=True, slots=True)
class Wait:
    """A lane that stood still, and for what: the proof of who waited for whom."""

    lane: Lane
    what: str
    since: float
    until: float | None


@dataclass(frozen=True, slots=True)
class Answer:
    """What one model said to one prompt of an experiment's evaluation."""

    experiment: int
    prompt: str
    """Id of the prompt in the held-out traffic."""

    model: str
    text: str


@dataclass(frozen=True, slots=True)
class Vote:
    """One pairwise judgement, blind, in random display order."""

    experiment: int
    """The experiment whose evaluation asked for it."""

    key: str
    """Idempotency key: the same vote reported twice is counted once."""

    voter: str
    prompt: str
    model_a: str
    model_b: str
    choice: Choice
    simulated: bool
    """Cast by a simulated voter."""

    at: float
    test: int = 0
    """Number of the promotion test that asked for it; 0 where the verdict on the experiment did."""


@dataclass(frozen=True, slots=True)
class Tally:
    """Votes of one experiment's candidate against one opponent."""

    wins: int
    losses: int
    ties: int

    @property
    def decisive(self) -> int:
        """Votes that moved the verdict."""
        return self.wins + self.losses


@dataclass(frozen=True, slots=True)
class VoterMeans:
    """The same votes with each voter counted as one, which is what a verdict looks at.

    A voter's mean is (wins − losses) / (wins + losses) of their votes, −1 to 1, and is there when their session has
    closed; votes after that tell of the ranking only.
    """

    counts: tuple[tuple[float, int], ...] = ()
    """How many voters have each mean; those who only said "about equal" have none."""

    open: int = 0
    """Voters whose session goes on."""

    @classmethod
    def each(cls, wins: int, losses: int) -> VoterMeans:
        """Wins and losses of as many voters, one decisive vote each."""
        return cls(tuple((mean, voters) for mean, voters in ((1.0, wins), (-1.0, losses)) if voters))

    @property
    def voters(self) -> int:
        """Voters who have a mean."""
        return sum(voters for _, voters in self.counts)

    @property
    def wins(self) -> float:
        """Voters for the candidate, each by the share of their decisive votes."""
        return sum(voters * (1 + mean) / 2 for mean, voters in self.counts)

    @property
    def losses(self) -> float:
        """Voters for the opponent, each by the share of their decisive votes."""
        return sum(voters * (1 - mean) / 2 for mean, voters in self.counts)


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with its 95 % interval; all three in the same unit."""

    estimate: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of an experiment, and why."""

    experiment: int
    outcome: Outcome
    wins: int
    losses: int
    ties: int
    """Votes for the candidate, for the opponent, for neither; one voter's vote on one pair counts once."""

    win_rate: Interval | None
    """Against the opponent, ties excluded, Wilson 95 %."""

    anytime: Interval | None
    """The anytime-valid interval, 95 % however often one looks, with each voter counted as one."""

    shrunken: float | None
    """Voters' win rate pulled towards even by 100 imaginary ones, (w + 50) / (n + 100): the winner's curse."""

    reference: Interval | None
    """Win rate against the reference from the Bradley–Terry ranking when the verdict fell."""

    reason: str
    """One sentence for a person: the evidence in numbers, then the conclusion."""

    decided_at: float
    voters: int = 0
    """Voters that the verdict counted, each by one mean; 0 where nobody voted."""

    value: Interval | None = None
    """The metric as measured over fresh seeds, in its own unit; None where people voted."""

    effect: Interval | None = None
    """Gain over the opponent in the metric's unit, above 0 is better; None where people voted."""


@dataclass(frozen=True, slots=True)
class Championship:
    """A reign: exactly one has no end."""

    experiment: int
    since: float
    until: float | None
    reason: str
    pinned: bool = False
    """A person holds it there: keeps do not reign."""


@dataclass(frozen=True, slots=True)
class Standing:
    """One model's place in the ranking of the run."""

    model: str
    experiment: int | None
    """None for the reference."""

    votes: int
    elo: float
    """1000 + 173.7·θ, Bradley–Terry; the reference is the 1000."""

    reference: Interval
    """Win rate against the reference."""


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """What the agent believes, and the experiments that speak for and against it."""

    number: int
    text: str
    category: str
    status: HypothesisStatus
    experiments: tuple[int, ...]
    source: str = "agent"
    """Whose it is: ``agent``, ``person``, ``zoom-out`` or ``playbook``."""

    refuted_by: str = ""
    """What would refute it, where somebody said so."""


@dataclass(frozen=True, slots=True)
class ZoomOut:
    """A step outside the frame: what was tried, what was never tried, where to go from here."""

    number: int
    trigger: str
    """``forced``, ``scheduled``, ``plateau`` or ``streak``."""

    steering: str
    """What the person asked it to look at; empty when nobody did."""

    text: str
    categories: tuple[str, ...]
    """The next proposals must come from these."""

    at: float
    directions: tuple[str, ...] = ()
    """What to try there, a sentence each."""


@dataclass(frozen=True, slots=True)
class Intervention:
    """Something a person did; pending until the runner has acknowledged it."""

    number: int
    step: Step
    experiment: int | None
    detail: Json
    """By step: ``when`` (pause: ``stage``, ``now``), ``text`` (zoom-out, inject), ``branch`` (veto), ``how`` (stop:
    ``drain``, ``now``), ``of`` (undo: number of the intervention), ``prompt``, ``model_a``, ``model_b``, ``choice`` and
    ``voter`` (vote), ``voter`` (exclude, readmit), ``text`` and ``of`` (note: a note's number, to change it; without
    text it is removed), ``text`` (ask), ``category`` (inject, where ``text`` is a hypothesis and no change)."""

    reason: str
    at: float
    acknowledged_at: float | None
    effect: str
    """What came of it, in one line; empty while pending."""

    done: Json = field(default_factory=dict[str, Any])
    """What was changed, as its undo needs it; empty while pending, where it was refused, and where nothing can be
    undone."""

    @property
    def refused(self) -> bool:
        """Whether the runner did not do it; ``effect`` says why."""
        return self.effect.startswith(REFUSED)


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the run's log."""

    seq: int
    at: float
    level: Level
    kind: str
    """For filters: a lane's name, or ``verdict``, ``champion``, ``proposal``, ``zoom-out``, ``intervention``,
    ``program``, ``run``."""

    experiment: int | None
    text: str


@dataclass(frozen=True, slots=True)
class Metric:
    """What a trainer logged at one step; the same step logged twice is one row."""

    experiment: int
    phase: str
    """``train`` or ``eval``."""

    step: int
    values: Mapping[str, float]
    """Under TRL's own names (``loss``, ``rewards/accuracies``, ``grad_norm``); finite numbers only."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a lane is with what it has in hand, for the screen; kept in the store so that every dashboard sees it."""

    lane: Lane
    experiment: int | None
    doing: str
    """A few words: ``steps``, ``votes``, ``loading the model``, or what the lane waits for."""

    done: float
    total: float
    """Same unit as ``done``; 0 when unknown."""

    detail: str
    eta: float | None
    """Seconds to go; None when unknown."""

    at: float


@dataclass(frozen=True, slots=True)
class Row:
    """One experiment as tables and plots show it: the experiment with its verdict, if it has one."""

    experiment: Experiment
    verdict: Verdict | None
    final_loss: float | None = None
    val_pref_acc: float | None = None
    """Share of held-out pairs in the right order, as the trainer measured it."""

    train_seconds: float | None = None
    contains: frozenset[int] = field(default_factory=frozenset[int])
    """Kept experiments whose changes are in its recipe (its line of parents)."""
