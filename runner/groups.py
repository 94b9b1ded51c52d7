"""Fields that may be altered together as one variable, each group with its reason. Few, and written down here.

===========================================  ====================================  ====================================
primary field                                may go along                          because
===========================================  ====================================  ====================================
``lora.r``                                   ``lora.lora_alpha``                   an adapter is scaled by alpha / r:
                                                                                   another rank alone is another scale,
                                                                                   too (Hu et al. 2021)
``training.max_steps``,                      ``training.warmup_steps``             a warm-up of so many steps is another
``training.num_train_epochs``                                                      share of a training of other length
``training.per_device_train_batch_size``,    the other of the two,                 rows in an optimiser step, and the
``training.gradient_accumulation_steps``     ``training.learning_rate``            step size that goes with them: linear
                                                                                   scaling (Goyal et al. 2017)
===========================================  ====================================  ====================================

A group has a direction: another learning rate is a variable of its own, and the batch does not go along with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Group:
    """What may go along with a field, and why the two count as one variable."""

    along: tuple[str, ...]
    why: str


_LENGTH = Group(("training.warmup_steps",), "a warm-up in steps is another share of a training of other length")
_BATCH = "rows in an optimiser step and the step size that goes with them (linear scaling)"

GROUPS: Mapping[str, Group] = {
    "lora.r": Group(("lora.lora_alpha",), "an adapter is scaled by alpha / r, so the rank alone moves the scale, too"),
    "training.max_steps": _LENGTH,
    "training.num_train_epochs": _LENGTH,
    "training.per_device_train_batch_size": Group(
        ("training.gradient_accumulation_steps", "training.learning_rate"), _BATCH
    ),
    "training.gradient_accumulation_steps": Group(
        ("training.per_device_train_batch_size", "training.learning_rate"), _BATCH
    ),
}
"""By the primary field."""


def goes_along(primary: str, other: str) -> bool:
    """Whether ``other`` may be altered together with ``primary``."""
    return primary in GROUPS and other in GROUPS[primary].along
