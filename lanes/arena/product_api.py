"""What a product asks the models through: battles, the deployed model alone, and what is deployed."""

from __future__ import annotations

from collections.abc import Iterable

from lanes.arena import battles_api, chat_api
from lanes.arena.answers import Answers
from lanes.arena.door import Door
from lanes.arena.duel import Patience
from lanes.arena.service import Service

PATIENCE = Patience()


def doors(service: Service, patience: Patience = PATIENCE) -> Iterable[Door]:
    """All doors that lead to the models, on one set of connections."""
    answers = Answers()
    yield from battles_api.doors(service, answers, patience)
    yield from chat_api.doors(service, answers, patience)
