"""The fields of a program's front matter, with their defaults and what each may be."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator

from lanes.analyze.metric_rule import Direction, RuleName
from lanes.measure import Bound
from lanes.order import HeldOut, Source
from lanes.pull import Pull
from lanes.recipe import Count, Number, Recipe, Share
from runner.fields import Knob

NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
ORIGIN = r"^https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?$"
API_BASE = r"^https?://[^\s@]+$"
API_BASE_ALLOWED = "http://host:port/v1 or https://…, with no user or password: keys come from the environment"

Text: TypeAlias = Annotated[str, Field(min_length=1, pattern=r"\S")]
AtLeast0: TypeAlias = Annotated[Count, Field(ge=0)]
AtLeast1: TypeAlias = Annotated[Count, Field(ge=1)]
Seconds: TypeAlias = Annotated[Number, Field(gt=0)]


class Part(BaseModel):
    """A part of the program: unknown fields are errors, and a part never changes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Model(Part):
    """The model that everything starts from."""

    model_config = ConfigDict(
        json_schema_extra={"allowed": "a local folder, a hub id or {name, revision, trust_remote_code}"}
    )

    name: Text
    """Local folder or hub id."""

    revision: str | None = None
    trust_remote_code: bool = False
    """Run code that comes with the model; think twice."""

    @model_validator(mode="before")
    @classmethod
    def _name_alone(cls, value: object) -> object:
        return {"name": value} if isinstance(value, str) else value


class Data(Part):
    """What is trained on, and what never is."""

    sources: Annotated[
        dict[str, Source],
        Field(min_length=1, json_schema_extra={"allowed": "a mapping from names to files or hub ids, at least one"}),
    ]
    """By the name that the recipe's mix uses."""

    heldout: HeldOut = HeldOut()
    max_broken_rows: AtLeast0 = 0
    """Unreadable rows that may be skipped, over all sources; one more and a training is refused."""

    drop_heldout: bool = False
    """Leave held-out rows out of the training data instead of refusing to train."""


class Spending(Part):
    """How much any run may use."""

    experiments: AtLeast0 = 100
    """After the baseline."""

    hours: Seconds = 12.0
    usd_per_hour: Annotated[float, Field(ge=0)] | None = None
    """What an hour of training costs; the dashboard and the report then say what was spent."""


class Budget(Spending):
    """How much a run of recipes may use."""

    seconds_per_training: Seconds = 1800.0
    ahead: AtLeast1 = 1
    """Experiments that the loop runs ahead of evaluation."""


class Train(Part):
    """Where and how a training runs."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    gpus: AtLeast1 = 1
    """More than one starts the training with ``accelerate launch``."""

    threads: AtLeast1 = 1
    """Of torch, on a CPU."""

    hang_seconds: Seconds = 600.0
    """A training that logs no metric for so long is ended as hung."""

    checkpoint_steps: AtLeast1 = 50
    standby: bool = True
    """Keep the next worker warm: its imports done before it is needed."""

    eval_rows: AtLeast0 = 200
    """Most held-out pairs to score after a training."""


class Upload(Part):
    """Where candidates are published."""

    url: Text | None = None
    """fsspec URL; null is a folder of the run."""


class Guards(Part):
    """Bounds past which a candidate is taken out at once, whatever the votes say; null is no bound."""

    errors: Annotated[Number, Field(ge=0, lt=1)] | None = 0.2
    """Share of a candidate's answers that failed."""

    refusals: Annotated[Number, Field(ge=0, lt=1)] | None = None
    """Share of a candidate's answers that decline to answer."""

    length_ratio: Annotated[Number, Field(gt=1)] | None = None
    """How many times as long as the champion's its answers may be on average, or as short."""

    seconds: Seconds | None = None
    """Mean time of a whole answer."""

    min_answers: AtLeast1 = 20
    """Answers before a guard says anything."""


class Arena(Part):
    """Where people and products vote."""

    host: Text = "127.0.0.1"
    """Listen elsewhere only behind something that speaks TLS."""

    port: Annotated[Count, Field(ge=0, le=65535)] = 8710
    """0 takes a free one."""

    url: Annotated[str, Field(pattern=ORIGIN, json_schema_extra={"allowed": "https://host, with no path"})] | None = (
        None
    )
    """Where voters and products reach it, as behind what speaks TLS and passes the Host header on; null is host and
    port."""

    attention_every: Annotated[Count, Field(ge=2)] | None = None
    """Show every so many pairs one whose better answer is plain; null shows none."""

    min_seconds: Annotated[Number, Field(ge=0)] = 0.0
    """A vote by a person faster than this is not taken."""


class Metric(Part):
    """The number that judges, and how it is told from noise."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_./-]{0,63}$")] | None = None
    """Of the number that the command prints, as ``METRIC name=number`` or ``name: number``."""

    command: Text | None = None
    """A shell command that is run once per training; the model's folder is in ``AUTORESEARCH_MODEL``."""

    pattern: Text | None = None
    """A regular expression with one group, the number; the last match counts."""

    direction: Direction | None = None
    """Whether more or less is better; val_pref_acc and eval_loss know theirs."""

    rule: RuleName = "confirmed"
    """``confirmed`` keeps on fresh seeds of both; ``record`` and ``previous_step`` are greedy on single runs."""

    seeds: Annotated[Count, Field(ge=2, le=100)] = 5
    """Fresh seeds of a champion before anything is compared with it."""

    screen: Annotated[Number, Field(ge=0)] = 0.5
    """Sds of one run by which a candidate's first must be better than the champion's mean."""

    confirm: Annotated[Count, Field(ge=1, le=100)] = 3
    """Fresh seeds of a candidate that passed the screen; one of the champion goes with them."""

    alpha: Annotated[Number, Field(gt=0, lt=0.5)] = 0.10
    """Chance of keeping a candidate that is no better, once it has passed the screen."""

    seconds: Seconds = 600.0
    """Time-out of the command."""

    guards: dict[str, Bound] = {}
    """Bounds on other numbers that the command prints; a candidate that breaks one is discarded."""


class Evaluate(Part):
    """Who judges, and when it is enough."""

    judge: Literal["votes", "val_pref_acc", "eval_loss", "command"] = "votes"
    """People's votes on answers, or a number: the share of held-out pairs that the policy puts in the right order, the
    loss on them, or what a command of one's own prints."""

    metric: Metric = Metric()
    """How a number judges."""

    voters: Literal["arena", "simulated", "file", "pull"] = "arena"
    """``arena``: people on its page and products over HTTP; ``simulated`` know the rules of sample_data only; ``file``
    takes people's votes from a file of the run; ``pull`` fetches those of a product from where it keeps them."""

    pull: Pull | None = None
    """Where votes are fetched from."""

    alpha: Annotated[Number, Field(gt=0, lt=0.5)] = 0.05
    """Chance of keeping a candidate that is no better, however often one looks."""

    beta: Annotated[Number, Field(gt=0, lt=0.5)] = 0.2
    """Chance of discarding one that has the lift."""

    lift: Annotated[Number, Field(gt=0, lt=1 / 6)] = 0.05
    """Smallest gain in win rate worth having."""

    min_votes: AtLeast1 = 20
    max_votes: AtLeast1 = 1000
    """Voters: one voter's many votes count as one."""

    votes_per_voter: AtLeast1 = 5
    """Votes after which a voter's session closes, and their mean counts."""

    session_seconds: Seconds = 600.0
    """Or so long after their last vote."""

    reference_share: Annotated[Number, Field(ge=0, lt=1)] = 0.25
    """Share of the votes that compares with the reference instead of the champion."""

    slots: AtLeast1 = 1
    """Candidates that are judged side by side."""

    traffic_share: Annotated[Number, Field(gt=0, le=1)] = 1.0
    """Share of a product's requests that may meet a candidate; the others the champion answers alone."""

    max_exposure: AtLeast1 | None = None
    """Most answers of one candidate that a product shows; null is no limit."""

    guards: Guards = Guards()
    llm_judge: Text | None = None
    """litellm model string of a judge that votes as one voter, once `judge calibrate` has passed it."""

    llm_judge_api_base: Text | None = None
    """Base URL of an OpenAI-compatible server for it."""

    promotion_test: bool = True
    """Test the night's champion against what it began with, on fresh votes, when the budget is used up."""

    votes_per_prompt: AtLeast1 = 1
    """Votes on one pair of answers that count; votes on the same pair agree more than the verdict assumes."""

    seconds: Seconds = 3600.0
    """Most time to wait for votes."""


class ZoomOut(Part):
    """When to step outside the frame unasked."""

    every: AtLeast1 = 10
    """Experiments."""

    plateau: AtLeast1 = 5
    """Verdicts without a keep."""

    streak: AtLeast1 = 3
    """Changes of one category in a row."""


class Agent(Part):
    """Who proposes."""

    model: Text = "playbook"
    """``playbook``, which needs no key and no network, or a litellm model string; keys come from the environment."""

    api_base: Annotated[str, Field(pattern=API_BASE, json_schema_extra={"allowed": API_BASE_ALLOWED})] | None = None
    """Base URL of an OpenAI-compatible server; null where litellm knows where the model is."""

    max_usd: Annotated[float, Field(ge=0)] | None = None
    """Most that the agent may cost in this run; null is no cap."""

    max_tokens: AtLeast1 | None = None
    """Most tokens in and out that the agent may use in this run; null is no cap."""

    over: Literal["playbook", "pause"] = "playbook"
    """What happens past a cap: the playbook proposes, or the run pauses."""

    timeout_seconds: Seconds = 120.0
    """Longest time that one answer may take."""

    memory_tokens: Annotated[Count, Field(ge=1000)] = 8000
    """Most tokens of what the agent is handed each time; it does not grow with the run."""

    quotas: dict[str, Share] = {}
    """Largest share of the proposals since the last zoom-out that a category may have."""


class Search(Part):
    """Which recipe a change is applied to."""

    policy: Literal["greedy", "tree"] = "greedy"
    """``greedy``: the champion's; ``tree``: that of any experiment that may lead further, by its posterior."""


class Common(Part):
    """What the front matter of every program has, whatever it changes."""

    name: Annotated[str, Field(pattern=NAME, json_schema_extra={"allowed": "letters, digits, . _ -, at most 64"})]
    goal: Text
    """What should get better."""

    zoom_out: ZoomOut = ZoomOut()
    agent: Agent = Agent()
    search: Search = Search()
    seed: AtLeast0 = 7


class Settings(Common):
    """The front matter of a program that changes recipes."""

    model: Model
    method: Literal["dpo", "sft"] = "dpo"
    data: Data
    recipe: Recipe
    """The baseline: what the first champion is trained by."""

    knobs: Annotated[dict[str, Knob], Field(alias="space")] = {}
    """What an experiment may change, and how far, by the field's path in the recipe."""

    budget: Budget = Budget()
    train: Train = Train()
    upload: Upload = Upload()
    evaluate: Evaluate = Evaluate()
    arena: Arena = Arena()
