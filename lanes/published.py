"""The models of a run as they are published: where each is, how it is served, and a verified copy of it here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from checkpoints.records import REFERENCE, FailureKind, Json, Lane, model_name
from checkpoints.store import Store
from lanes.lane import StageFailed
from lanes.places import PlaceError, SourceError, Transfer, fetch, publish
from lanes.recipe import Deployment as Settings


class Published:
    """What the lanes before left of each experiment."""

    def __init__(self, store: Store, work: Path, event: Callable[[str, int], None]) -> None:
        """Look at nothing yet.

        Args:
            store: Of the run.
            work: Folder for local copies.
            event: Called with a line for a person about an experiment.
        """
        self._store, self._work, self._event = store, work, event
        self._fetching = asyncio.Lock()
        """Two evaluations need the same champion, and one folder is fetched by one of them."""

    def models(self, numbers: list[int]) -> Json:
        """Where models are and how they are served, the reference among them, by name; to be kept with an order.

        Raises:
            StageFailed: One was not published.
        """
        named = {model_name(each): {"url": self._url(each), "deployment": self._served(each)} for each in numbers}
        return named | {REFERENCE: {"url": None, "deployment": self._served(0)}}

    def scores(self, number: int) -> str:
        """File with what a training scored.

        Raises:
            StageFailed: It has not passed the train lane.
        """
        return self._result(number, Lane.TRAIN)["details"]

    def is_there(self, number: int) -> bool:
        """Whether the model of an experiment was published."""
        return self._store.read.done_stage(number, Lane.UPLOAD) is not None

    async def fetched(self, name: str, url: str) -> Path:
        """Local folder of a model, verified; published anew where somebody has removed or damaged it.

        Raises:
            StageFailed: It cannot be had.
        """
        async with self._fetching:
            transfer = Transfer()
            try:
                return await asyncio.to_thread(fetch, url, self._work / "fetched", transfer)
            except SourceError as error:
                return await self._put_back(int(name.rpartition("-")[2]), error)
            except OSError as error:
                line = f"{url} cannot be read ({type(error).__name__}: {error})"
                raise StageFailed(FailureKind.CRASH, line) from error
            finally:
                transfer.stop.set()

    async def _put_back(self, number: int, damage: SourceError) -> Path:
        """Publish what was trained once more."""
        trained, url, transfer = Path(self._result(number, Lane.TRAIN)["artifact"]), self._url(number), Transfer()
        try:
            await asyncio.to_thread(publish, trained, url, transfer)
            folder = await asyncio.to_thread(fetch, url, self._work / "fetched", transfer)
        except (PlaceError, OSError) as error:
            line = f"{damage}; and it cannot be put back from {trained}: {error}"
            raise StageFailed(FailureKind.INPUT, line) from error
        finally:
            transfer.stop.set()
        self._event(f"{damage}: published again from {trained}", number)
        return folder

    def _url(self, number: int) -> str:
        return self._result(number, Lane.UPLOAD)["url"]

    def _result(self, number: int, lane: Lane) -> Json:
        stage = self._store.read.done_stage(number, lane)
        if stage is None:
            raise StageFailed(FailureKind.INPUT, f"{model_name(number)} has not passed the {lane} lane")
        return stage.result

    def _served(self, number: int) -> Json:
        recipe = self._store.read.experiment(number).recipe or {}
        return Settings.model_validate(recipe.get("deployment", {})).model_dump(mode="json")
