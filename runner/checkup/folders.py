"""The folders of a run: each published model and each checkpoint whole, and nothing there that belongs to nobody."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlparse

import psutil

from checkpoints.artifacts import problems
from checkpoints.reader import Reader
from checkpoints.records import Experiment, Lane, State
from lanes.cleanup import CHECKPOINTS
from lanes.train_orders import WORK
from runner.checkup.names import temporary, unknown


@dataclass(frozen=True, slots=True)
class Model:
    """A model that was published on this machine."""

    experiment: Experiment
    place: Path
    trained: Path
    """The trainer's own output, which goes once it is not needed any more."""

    lacks: tuple[str, ...]
    """What is missing there or damaged, a line each."""

    @property
    def can_be_put_back(self) -> bool:
        """Whether what was trained is another place, and whole."""
        return self.trained.absolute() != self.place.absolute() and self.trained.is_dir() and not problems(self.trained)


def models(read: Reader) -> Iterator[Model]:
    """The models that a run has published on this machine, every byte looked at."""
    for one in read.experiments():
        upload, training = read.done_stage(one.number, Lane.UPLOAD), read.done_stage(one.number, Lane.TRAIN)
        url = urlparse(str(upload.result.get("url", ""))) if upload else None
        if url and url.path and url.scheme in ("", "file"):
            place = Path(url.path)
            trained = Path(str(training.result.get("artifact", place))) if training else place
            yield Model(one, place, trained, tuple(problems(place)))


def broken_checkpoints(run: Path) -> Iterator[tuple[Path, str]]:
    """Checkpoints of trainings under way that are not whole, each with what is wrong first."""
    for folder in sorted((run / WORK).glob(f"*/{CHECKPOINTS}/checkpoint-*")):
        if found := problems(folder):
            yield folder, found[0]


def leftovers(run: Path, read: Reader) -> Iterator[tuple[Path, str]]:
    """What nobody needs: temporary names whose process is gone, and what nothing accounts for; each with a word why."""
    for path, pid in temporary(run):
        if pid is None or not psutil.pid_exists(pid):
            yield path, "was on its way when its process ended"
    for path in unknown(run, read.count()):
        yield path, "belongs to nothing in the run"


def needed(model: Model) -> bool:
    """Whether a damaged model keeps a run from going on, or a person from having what was kept."""
    return model.experiment.state in (State.KEPT, State.UPLOADED, State.EVALUATING, State.EVALUATED)
