"""A simulated landscape with the study's shape: knobs of the loss and the optimiser plateau below, others lie above.

What a recipe is worth is in σ, the sd of one training. Good values of the knobs add up to `LOWER` and no further. Good
values of the adapter and of the data's filters are worth `UPPER` each, once a category; whoever has neither stays at
`LOWER`, whatever knob is turned. Every other value costs something. Which values are good is drawn anew for each seed.
"""

from __future__ import annotations

import json
import math
import random
from pathlib import Path
from typing import Any

from checkpoints.records import Json
from lanes.recipe import Data, Recipe
from runner.agent.categories import category_of
from runner.program import Program
from runner.space import get

KNOBS = ("optimiser", "loss", "schedule", "regularisation")
"""Categories that plateau below; what the agent thinks of by itself."""

ABOVE = ("adapter", "data")
"""Categories from which alone the upper plateau can be reached."""

LOWER, UPPER = 2.0, 4.0
"""Worth of all knobs together, and of each category above; in σ."""

KNOB = 1.0
"""What the first good value of a knob adds; each further one less, as they near the plateau."""

GOOD_KNOBS, GOOD_ABOVE = 5, 4
"""One value of so many is good: of a knob, and of a category above."""

WORST = 1.0
"""What a value that is not good costs at most, drawn evenly from 0."""

_SPACE: dict[str, list[Any]] = {
    "training.learning_rate": [1e-5, 2e-5, 1e-4, 2e-4, 5e-4],
    "training.adam_beta2": [0.9, 0.95, 0.98, 0.99, 0.995],
    "training.max_grad_norm": [0.1, 0.3, 0.5, 2.0, 5.0],
    "training.per_device_train_batch_size": [2, 4, 16, 32, 64],
    "training.beta": [0.01, 0.03, 0.05, 0.2, 0.5],
    "training.loss_type": [["hinge"], ["ipo"], ["robust"], ["sppo_hard"], ["sigmoid", "sft"]],
    "training.label_smoothing": [0.02, 0.05, 0.1, 0.2, 0.3],
    "training.lr_scheduler_type": ["cosine", "constant", "polynomial", "constant_with_warmup"],
    "training.warmup_steps": [0.03, 0.06, 0.1, 0.2, 0.3],
    "training.num_train_epochs": [0.5, 2, 3, 4, 5],
    "training.weight_decay": [0.001, 0.01, 0.05, 0.1, 0.2],
    "training.neftune_noise_alpha": [1, 3, 5, 10, 15],
    "lora.lora_dropout": [0.02, 0.05, 0.1, 0.2, 0.3],
    "lora.target_modules": [
        ["q_proj"], ["v_proj"], ["q_proj", "v_proj"], ["q_proj", "k_proj", "v_proj"], ["o_proj"],
        ["q_proj", "k_proj", "v_proj", "o_proj"], ["up_proj", "down_proj"], ["gate_proj", "up_proj", "down_proj"],
    ],
    "data.filters.min_margin": [0.25, 0.5, 1, 1.5, 2],
    "data.filters.max_length": [300, 600, 1000, 2000, 4000],
    "data.sample_size": [500, 1000, 2000, 4000, 8000],
    "lora.r": [4, 8, 32, 64, 128],
    "training.max_length": [256, 512, 768, 1536, 2048],
    "deployment.temperature": [0.2, 0.4, 0.5, 0.9, 1.0],
    "deployment.top_p": [0.8, 0.85, 0.9, 0.95, 0.98],
}  # fmt: skip
"""Values of each open field beside that of the baseline. Capacity and deployment lie aside: no better than a knob."""


def program(every: int, plateau: int, streak: int, experiments: int) -> Program:
    """A program whose space is the landscape's.

    Args:
        every, plateau, streak: When a zoom-out is due.
        experiments: Of the budget.
    """
    start = Recipe(method="dpo", data=Data(mix={"a": 1.0})).model_dump(mode="json")
    space = "\n".join(
        f"  {field}: {{choices: {json.dumps([get(start, field), *values])}}}" for field, values in _SPACE.items()
    )
    text = f"""---
name: landscape
goal: climb
model: model
data: {{sources: {{a: a.jsonl}}, heldout: {{prompts: prompts.jsonl}}}}
space:
{space}
budget: {{experiments: {experiments}}}
zoom_out: {{every: {every}, plateau: {plateau}, streak: {streak}}}
---
Climb.
"""
    return Program.parse(text, Path("/nowhere/program.md"))


class Landscape:
    """What each value is worth, for one seed."""

    def __init__(self, seed: int) -> None:
        chance = random.Random(f"landscape {seed}")
        self._effects: dict[tuple[str, str], float] = {}
        by_category: dict[str, list[tuple[str, str]]] = {}
        for field, values in _SPACE.items():
            by_category.setdefault(category_of(field), []).extend((field, _key(value)) for value in values)
        for category, places in by_category.items():
            good = chance.sample(places, max(1, len(places) // (GOOD_ABOVE if category in ABOVE else GOOD_KNOBS)))
            for place in places:
                self._effects[place] = 1.0 if place in good else -chance.uniform(0, WORST)

    def worth(self, recipe: Json) -> float:
        """True mean of the metric with a recipe, over the baseline's; in σ."""
        effects = {field: self._effects.get((field, _key(get(recipe, field))), 0.0) for field in _SPACE}
        costs = sum(effect for effect in effects.values() if effect < 0)
        good = [category_of(field) for field, effect in effects.items() if effect > 0]
        knobs = sum(KNOB for category in good if category not in ABOVE)
        return LOWER * (1 - math.exp(-knobs / LOWER)) + UPPER * len({*ABOVE} & {*good}) + costs


def values(field: str) -> list[Any]:
    """Values of a field beside that of the baseline."""
    return _SPACE[field]


def _key(value: Any) -> str:
    return str(sorted(map(str, value)) if isinstance(value, list | tuple) else value)
