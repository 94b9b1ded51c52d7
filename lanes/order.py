"""Orders and results: what crosses the border between a lane and its worker process, as files.

A worker's folder holds ``order.json`` (all it needs), ``metrics.jsonl`` (what it logs, one JSON object a line),
``result.json`` (all it found; renamed into place last), ``worker.json`` (who it is), ``worker.lock`` (held by
``flock`` while it lives), ``log.txt`` (its output) and, when the lane wants it to end early, ``pause`` (checkpoint
and end). A standby worker is started before its order exists: ``standby.json`` says what to have warm, ``ready``
appears when it is, and the order ends the wait.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from checkpoints.records import FailureKind, Json
from lanes.recipe import Recipe

ORDER = "order.json"
RESULT = "result.json"
METRICS = "metrics.jsonl"
WORKER = "worker.json"
LOCK = "worker.lock"
LOG = "log.txt"
PAUSE = "pause"
STANDBY = "standby.json"
READY = "ready"


class Message(BaseModel):
    """A file between a lane and a worker."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Source(Message):
    """Where the rows of one data source are; its path alone will do."""

    model_config = ConfigDict(json_schema_extra={"allowed": "a local file, a hub id or {path, split, revision}"})

    path: Annotated[str, Field(min_length=1)]
    """A local JSONL (or JSON, CSV, Parquet) file, or a Hugging Face hub id."""

    split: str = "train"
    """Split of a hub data set."""

    revision: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _path_alone(cls, value: object) -> object:
        return {"path": value} if isinstance(value, str) else value


class HeldOut(Message):
    """Rows that may never be trained on."""

    pairs: Source | None = None
    """Preference pairs for ``val_pref_acc``."""

    prompts: Source | None = None
    """Traffic prompts that voters are shown answers to."""

    locked: Source | None = None
    """Preference pairs that are scored for keeps only, and decide nothing."""


class TrainOrder(Message):
    """Everything that a training needs."""

    experiment: int
    model: str
    """Base model: a local folder or a hub id."""

    revision: str | None = None
    trust_remote_code: bool = False
    recipe: Recipe
    sources: dict[str, Source]
    heldout: HeldOut = HeldOut()
    drop_heldout: bool = False
    """Leave held-out rows out of the training data instead of refusing to train."""

    max_broken_rows: Annotated[int, Field(ge=0)] = 0
    """Unreadable rows that may be skipped, over all sources."""

    output: Path
    """Folder that the trained adapter (or model) is put into, with its manifest, last of all and at once."""

    checkpoint_steps: Annotated[int, Field(ge=1)] = 50
    logging_steps: Annotated[int, Field(ge=1)] = 1
    eval_rows: Annotated[int, Field(ge=0)] = 200
    """Most held-out pairs to score after training; 0 scores none."""

    loss_beta: Annotated[float, Field(gt=0)] | None = None
    """β of the loss on held-out pairs, the same for all recipes of a run so that they are on one scale; None takes the
    recipe's own."""

    score_length: Annotated[int, Field(ge=8)] | None = None
    """Tokens of prompt and answer at which held-out pairs are cut off, the same for all; None takes the recipe's."""

    device: str = "auto"
    """``auto``, ``cpu`` or ``cuda``; which GPU is said by ``CUDA_VISIBLE_DEVICES``."""

    threads: Annotated[int, Field(ge=1)] = 1


class Standby(Message):
    """What a standby worker has loaded when its order comes; an order for something else costs the time to load it."""

    model: str
    revision: str | None = None
    trust_remote_code: bool = False
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    lora: bool = True
    """Whether an adapter is going to be trained on it."""

    device: str = "auto"
    threads: Annotated[int, Field(ge=1)] = 1


class PairScore(Message):
    """One held-out pair under the trained policy."""

    row: str
    """Content hash of the pair."""

    margin: float
    """Implicit reward of the chosen answer minus that of the rejected one, divided by β: nats."""

    loss: float | None = None
    """Nats. DPO: −log σ(β·margin); SFT: −log p of the chosen answer, a token."""


class TrainResult(Message):
    """Everything that a training found."""

    status: Literal["done", "paused", "failed"]
    failure: FailureKind | None = None
    error: str = ""
    """For a person: what went wrong, where, what to do."""

    steps: int = 0
    rows: int = 0
    """Rows trained on."""

    broken_rows: int = 0
    tokens: int = 0
    seconds: float = 0.0
    """From the first step to the last, monotonic."""

    first_step_at: float | None = None
    """UTC time when the first step of this process began."""

    final_loss: float | None = None
    val_pref_acc: float | None = None
    """Share of held-out pairs whose implicit reward prefers the chosen answer; ties count half."""

    eval_loss: float | None = None
    """Mean over the held-out pairs of their loss."""

    pairs: tuple[PairScore, ...] = ()
    peak_memory: int = 0
    """Bytes: of the GPU where there is one, else of the process."""

    notes: tuple[str, ...] = ()
    """Things a person should know: rows skipped, a checkpoint that was damaged and passed over."""

    manifest: Json = {}


class ScoreOrder(Message):
    """Everything that is needed to score held-out pairs under a model that was trained."""

    train: TrainOrder
    """Its training's; what was trained is in its output folder."""

    pairs: Source
    """Those to score, all of them."""


class ScoreResult(Message):
    """What a model got on held-out pairs."""

    status: Literal["done", "failed"]
    failure: FailureKind | None = None
    error: str = ""
    pairs: tuple[PairScore, ...] = ()


class CommandOrder(Message):
    """Everything that is needed to have a person's command measure a model."""

    command: Annotated[str, Field(min_length=1)]
    """For ``/bin/sh -c``; the model's folder is in ``AUTORESEARCH_MODEL``."""

    folder: Path
    """Where it runs: the program's."""

    model: Path
    name: str
    """Of the metric: the command says ``NAME: number`` or ``METRIC NAME=number``."""

    pattern: str | None = None
    """A regular expression with one group, in place of the name."""

    seconds: Annotated[float, Field(gt=0)]
    """Time-out."""


class CommandResult(Message):
    """What a person's command said of a model."""

    status: Literal["done", "failed"]
    failure: FailureKind | None = None
    error: str = ""
    value: float | None = None
    """The last that matched; finite."""

    named: dict[str, float] = {}
    """All finite numbers that it named."""


class ServeOrder(Message):
    """Everything that the model server needs."""

    model: str
    revision: str | None = None
    trust_remote_code: bool = False
    host: str = "127.0.0.1"
    port: int = 0
    """0 takes a free one; the port in use is in ``result.json``."""

    token_file: Path
    """File of mode 0600 with the bearer token; never the token itself."""

    device: str = "auto"
    threads: Annotated[int, Field(ge=1)] = 1
    batch_size: Annotated[int, Field(ge=1)] = 32
    """Most answers that are generated together."""

    idle_seconds: Annotated[float, Field(gt=0)] = 900.0
    """The server ends by itself when nobody has asked it anything for so long."""


class ServeResult(Message):
    """Where the server listens; written when it is ready, or why it could not start."""

    status: Literal["ready", "failed"]
    failure: FailureKind | None = None
    error: str = ""
    host: str = ""
    port: int = 0


class ArenaOrder(Message):
    """Everything that the arena's service needs; the rest is in its ledger, beside the order."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 0
    """0 takes a free one; the port in use is in ``result.json``."""

    names: tuple[str, ...] = ()
    """Host names under which it is asked besides ``host``, as behind a proxy that speaks TLS."""


class ArenaResult(Message):
    """Where the arena listens; written when it is ready, or why it could not start."""

    status: Literal["ready", "failed"]
    failure: FailureKind | None = None
    error: str = ""
    port_taken: bool = False
    """Whether it could not start because people have links to a port that it cannot have."""

    host: str = ""
    port: int = 0


class ProductOrder(Message):
    """Everything that the simulated product needs."""

    arena: Path
    """Folder of the arena, which says where it listens and has the token."""

    prompts: Path
    """JSON lines of ``messages`` that users ask, in their order."""

    rounds: Annotated[int, Field(ge=1)]
    """How often each prompt is asked, each time by another user."""

    questions: tuple[str, ...]
    """Names of the open questions that this is for."""

    seed: int
    """Of the voters' tastes."""

    crowd: int
    """Which voters come, and in which order."""

    voted: tuple[str, ...] = ()
    """Voters who have voted before, and do not come again."""


class ProductResult(Message):
    """What became of the simulated product's users, when all of them have come."""

    status: Literal["done"]
    asked: int
    voted: int
