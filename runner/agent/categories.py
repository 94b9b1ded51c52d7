"""The categories that changes fall into, by the recipe field that they alter. Light: a report needs them, too."""

from __future__ import annotations

_CATEGORIES = {
    "data": "data",
    "deployment": "deployment",
    "training.beta": "loss",
    "training.loss_type": "loss",
    "training.label_smoothing": "loss",
    "training.lr_scheduler_type": "schedule",
    "training.warmup_steps": "schedule",
    "training.num_train_epochs": "schedule",
    "training.max_steps": "schedule",
    "training.weight_decay": "regularisation",
    "training.neftune_noise_alpha": "regularisation",
    "lora.lora_dropout": "regularisation",
    "lora.enabled": "adapter",
    "lora.target_modules": "adapter",
    "lora": "capacity",
    "training.max_length": "capacity",
    "training": "optimiser",
}

CATEGORIES = ("data", "loss", "adapter", "capacity", "schedule", "optimiser", "regularisation", "deployment")
"""All categories, those that tend to matter most first."""


OTHER = "other"
"""What is of none of them."""


def category_of(field: str) -> str:
    """The category of a change to a recipe field, by the longest part of its path that is known."""
    parts = field.split(".")
    for length in range(len(parts), 0, -1):
        if category := _CATEGORIES.get(".".join(parts[:length])):
            return category
    return OTHER
