"""The folders of a run: each published model and each checkpoint whole, and nothing there that belongs to nobody."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlparse

import psutil

from checkpoints.artifacts import problems, read_manifest
from checkpoints.collection import no_collection
from checkpoints.reader import Reader
from checkpoints.records import Experiment, Lane, Stage, StageState, State
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

    manifest: object
    """As it was published; None where the store does not say."""

    @property
    def can_be_put_back(self) -> bool:
        """Whether what was trained is another place, and whole."""
        here = self.trained.absolute() == self.place.absolute()
        return not here and self.trained.is_dir() and not _lacks(self.trained, self.manifest)


class Upload(NamedTuple):
    """One that was published, somewhere."""

    experiment: Experiment
    published: Stage
    trained: Stage | None


def uploads(read: Reader) -> list[Upload]:
    """All that a run has published, in one reading of its stages."""
    with no_collection():
        done = {(one.experiment, one.lane): one for one in read.stages() if one.state is StageState.DONE}
        return [
            Upload(one, done[one.number, Lane.UPLOAD], done.get((one.number, Lane.TRAIN)))
            for one in read.experiments()
            if (one.number, Lane.UPLOAD) in done
        ]


def models(found: Iterable[Upload]) -> Iterator[Model]:
    """Those of them on this machine, every byte looked at."""
    for upload in found:
        if place := place_of(_url(upload)):
            trained = Path(str(upload.trained.result.get("artifact", place))) if upload.trained else place
            manifest = upload.published.result.get("manifest")
            yield Model(upload.experiment, place, trained, _lacks(place, manifest), manifest)


def elsewhere(found: Iterable[Upload]) -> list[str]:
    """URLs of those where this machine cannot look without asking somebody else's."""
    return [url for each in found if (url := _url(each)) and place_of(url) is None]


def place_of(url: str) -> Path | None:
    """The folder that a URL names on this machine; None where it names none here."""
    parts = urlparse(url)
    return Path(parts.path) if parts.path and parts.scheme in ("", "file", "local") else None


def _url(upload: Upload) -> str:
    return str(upload.published.result.get("url", ""))


def _lives(pid: int) -> bool:
    """Whether there is a process of this number that can still do something."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _lacks(place: Path, manifest: object) -> tuple[str, ...]:
    """What is missing or damaged; a folder that is whole may be another than the one that was published."""
    found = problems(place)
    if not found and isinstance(manifest, dict) and read_manifest(place) != manifest:
        found = ["another model lies there than the one that was published"]
    return tuple(found)


def broken_checkpoints(run: Path) -> Iterator[tuple[Path, str]]:
    """Checkpoints of trainings under way that are not whole, each with what is wrong first."""
    for folder in sorted((run / WORK).glob(f"*/{CHECKPOINTS}/checkpoint-*")):
        if found := problems(folder):
            yield folder, found[0]


def leftovers(run: Path, read: Reader) -> Iterator[tuple[Path, str]]:
    """What nobody needs: temporary names whose process is gone, and what nothing accounts for; each with a word why."""
    for path, pid in temporary(run):
        if pid is None or not _lives(pid):
            yield path, "was on its way when its process ended"
    for path in unknown(run, read.count()):
        yield path, "belongs to nothing in the run"


def needed(model: Model) -> bool:
    """Whether a damaged model keeps a run from going on, or a person from having what was kept."""
    return model.experiment.state in (State.KEPT, State.UPLOADED, State.EVALUATING, State.EVALUATED)
