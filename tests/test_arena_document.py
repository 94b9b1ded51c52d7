"""What the arena's OpenAPI document says of battles and of the deployed model is so, with models that answer."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest
import schemathesis
from arena_served import Arena, fill, serving
from hypothesis import HealthCheck, settings
from schemathesis.checks import load_all_checks
from scripted_models import Models, listening

from lanes.arena.lineup import Arm, Lineup

load_all_checks()
OURS = r"^/v1/(battles|chat/completions|models)$"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Models]:
    models = Models(tmp_path_factory.mktemp("models") / "server")
    ready, over = threading.Event(), threading.Event()

    async def serve() -> None:
        async with listening(models.app) as port:
            models.listens_at(port)
            ready.set()
            await asyncio.to_thread(over.wait)

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    assert ready.wait(10)
    yield models
    over.set()
    thread.join()


@pytest.fixture(scope="module")
def arena(models: Models, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arena]:
    folder = tmp_path_factory.mktemp("arena")
    arm = Arm(experiment=2, candidate="exp-0002", opponent="exp-0001")
    fill(folder, [], Lineup(arms=(arm,), champion="exp-0001", promoted="exp-0000", server=models.folder))
    with serving(folder) as arena:
        yield arena


@pytest.fixture(scope="module")
def document(arena: Arena) -> schemathesis.BaseSchema:
    return schemathesis.openapi.from_url(f"{arena.url}/v1/openapi.json")


described = schemathesis.pytest.from_fixture("document").include(path_regex=OURS)


@pytest.mark.slow
@described.parametrize()
@settings(max_examples=15, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_what_the_document_says_of_the_models_is_so(case: schemathesis.Case, arena: Arena) -> None:
    headers = {"authorization": f"Bearer {arena.token()}"}
    case.validate_response(case.call(headers=headers), headers=headers)
