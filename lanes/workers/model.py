# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
"""A base model with its tokenizer: which device and number format, and one clear line where it cannot be had."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, Literal, TypeAlias

import torch
from huggingface_hub import HfApi, try_to_load_from_cache
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from lanes.workers.failures import InputError, one_line, out_of_memory

HUB_SECONDS = 10.0
"""How long the hub may take to say whether it has a model."""

Precision: TypeAlias = Literal["fp32", "bf16", "fp16"]


def choose_device(name: str) -> torch.device:
    """The device for ``auto``, ``cpu`` or ``cuda``.

    Raises:
        InputError: a GPU is asked for and there is none.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise InputError(f"Device {name!r} is asked for, but torch sees no GPU: use device 'cpu' or 'auto'")
    return torch.device(name)


def missed_gpu(name: str, device: torch.device) -> list[str]:
    """A line where a machine has a GPU's driver and ``auto`` had to do without the GPU; else none."""
    if name == "auto" and device.type == "cpu" and shutil.which("nvidia-smi"):
        return ["torch sees no GPU, though nvidia-smi is here: the CPU was used; see to the driver"]
    return []


def weights_dtype(precision: Precision, frozen: bool, device: torch.device) -> torch.dtype:
    """Number format that the base model's weights are kept in.

    Frozen weights (under an adapter) take the format of the precision; weights that are trained stay fp32 and are
    rounded only within a step, as bf16 cannot hold small updates.

    Raises:
        InputError: the device cannot train in this precision.
    """
    if precision == "fp32":
        return torch.float32
    if device.type == "cpu" and precision == "fp16":
        raise InputError("training.precision 'fp16' needs a GPU: use 'fp32' (or 'bf16') on a CPU")
    if device.type == "cuda" and precision == "bf16" and not torch.cuda.is_bf16_supported():
        raise InputError("training.precision 'bf16' needs a GPU that has it (Ampere or newer): use 'fp16' or 'fp32'")
    low = torch.bfloat16 if precision == "bf16" else torch.float16
    return low if frozen else torch.float32


def load_base(
    model: str, revision: str | None, trust_remote_code: bool, device: torch.device, dtype: torch.dtype
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Load a base model from a local folder or the hub; weights come from safetensors only.

    Args:
        model: Folder, or hub id such as ``org/name``.
        revision: Of a hub id; None takes the newest.
        trust_remote_code: Whether code that comes with the model may run.
        device: Where the weights go.
        dtype: Number format of the weights.

    Returns:
        The model in evaluation mode, and its tokenizer with a pad token.

    Raises:
        InputError: the model is not there, is not whole, or has no safetensors.
    """
    _check_place(model, revision)
    options: dict[str, Any] = {"revision": revision, "trust_remote_code": trust_remote_code}
    try:
        tokenizer: Any = AutoTokenizer.from_pretrained(model, **options)
        loaded: Any = AutoModelForCausalLM.from_pretrained(model, dtype=dtype, use_safetensors=True, **options)
    except Exception as error:
        if out_of_memory(error):
            raise
        raise InputError(_why(model, error)) from error
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    loaded.config.pad_token_id = tokenizer.pad_token_id
    return loaded.to(device).eval(), tokenizer


def _check_place(model: str, revision: str | None) -> None:
    """Turn away at once what can only be a local folder and is none, before a hub is asked."""
    path = Path(model).expanduser()
    if path.is_dir() and not (path / "config.json").is_file():
        raise InputError(f"Model folder {model} has no config.json: save a Transformers model there")
    if path.is_dir():
        return
    looks_local = model.startswith((".", "/", "~")) or model.count("/") > 1 or path.is_file()
    if looks_local or (path.parent != Path() and path.parent.is_dir()):
        raise InputError(f"Model folder {model} does not exist: correct the path, or name a hub id such as org/name")
    _ask_hub(model, revision)


def _ask_hub(model: str, revision: str | None) -> None:
    """Ask once whether a model that is not in the cache can be had; loading would ask for most of a minute."""
    if isinstance(try_to_load_from_cache(model, "config.json", revision=revision), str):
        return
    try:
        HfApi().model_info(model, revision=revision, timeout=HUB_SECONDS)
    except Exception as error:
        raise InputError(_why(model, error)) from error


def _why(model: str, error: Exception) -> str:
    if Path(model).expanduser().is_dir():
        return f"Model folder {model} cannot be loaded ({one_line(str(error))}): is it whole, with safetensors weights?"
    return (
        f"Model {model} is no local folder, and the hub did not give it ({one_line(str(error))}): "
        "check the name, the network and HF_TOKEN"
    )
