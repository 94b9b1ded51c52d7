# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
"""Adapters on a base model that others share: which can be served there, and nothing stays of one that fails."""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from lanes.workers.chat import Refused

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"

_BESIDE: Mapping[str, tuple[object, ...]] = {
    "peft_type": ("LORA",),
    "bias": (None, "none"),
    "modules_to_save": (None, []),
    "layer_replication": (None, []),
    "trainable_token_indices": (None, []),
    "init_lora_weights": (None, True, False, "gaussian"),
    "use_dora": (None, False),
}
"""Settings of PEFT's with which an adapter leaves the base's own weights alone, and which a mixed batch can take."""


def check_adapter(folder: Path) -> None:
    """See that a folder holds an adapter that can be served beside others and changes no answer but its own.

    Raises:
        Refused: It does not; the text says why.
    """
    if not (folder / WEIGHTS).is_file():
        raise Refused(f"{folder} has no {WEIGHTS}: save the adapter with safetensors")
    try:
        config: object = json.loads((folder / CONFIG).read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise Refused(f"{folder / CONFIG} cannot be read ({type(error).__name__}): save the adapter anew") from error
    if not isinstance(config, dict):
        raise Refused(f"{folder / CONFIG} is no object: save the adapter anew")
    for name, fine in _BESIDE.items():
        if cast("dict[str, object]", config).get(name) not in fine:
            line = f"{folder / CONFIG} has a {name} that cannot be served beside other models on the same base"
            raise Refused(f"{line}: merge the adapter, and serve the whole model")


@contextmanager
def as_before_if_it_fails(model: Any) -> Generator[None]:
    """Put a model back together where what is done to it ends with an exception.

    PEFT works on the model that it is given and leaves it half changed where it fails, for whoever shares it.

    Args:
        model: A torch module; which parts it has and what they say is put back, the numbers in its tensors are not.
    """
    before = [(module, dict(vars(module)), _tables(module)) for module in model.modules()]
    try:
        yield
    except BaseException:
        for module, said, tables in before:
            vars(module).clear()
            vars(module).update(said)
            for table, entries in tables:
                table.clear()
                table.update(entries)
        raise


def _tables(module: Any) -> list[tuple[dict[Any, Any], dict[Any, Any]]]:
    """Its dictionaries, each with what is in it: they are put back themselves, as several modules may share one."""
    return [(value, dict(value)) for value in vars(module).values() if isinstance(value, dict)]
