"""The environment of a script: what it needs to run, and nothing that the person's shell has besides."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path

PASSED_ON = (
    "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_*", "TZ", "VIRTUAL_ENV", "CONDA_PREFIX",
    "LD_LIBRARY_PATH", "LIBRARY_PATH", "CPATH", "CUDA_*", "NVIDIA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES",
    "HIP_VISIBLE_DEVICES", "ROCM_PATH", "HF_HOME", "HF_DATASETS_CACHE", "XDG_CACHE_HOME", "XDG_DATA_HOME",
    "TORCH_HOME", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "CC", "CXX",
)  # fmt: skip
"""Variables without which scripts do not run, or run elsewhere than the person's do; none has a secret in it."""

_WITHOUT_NETWORK = {
    "HF_HUB_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "WANDB_MODE": "disabled",
    "UV_OFFLINE": "1",
    "PIP_NO_INDEX": "1",
}
"""What makes programs not even try."""


def environment(
    names: Iterable[str], scratch: Path, cache: Path, own: Mapping[str, str], offline: bool, project: Path | None = None
) -> dict[str, str]:
    """The whole environment of a run.

    Args:
        names: Variables that the program names: passed on where they are set.
        scratch: Temporary folder.
        cache: Folder for what compilers keep.
        own: Variables of this run: its seed.
        offline: Whether there is no network.
        project: The person's folder. Where ``uv sync`` has made packages there, ``uv run`` finds them and makes none:
            a run has no network to fetch them from, and a worktree none of its own.
    """
    wanted = (*PASSED_ON, *names)
    found = {name: value for name, value in os.environ.items() if any(fnmatchcase(name, one) for one in wanted)}
    kept = {
        "TMPDIR": scratch,
        "TRITON_CACHE_DIR": cache / "triton",
        "TORCHINDUCTOR_CACHE_DIR": cache / "inductor",
        "CUDA_CACHE_PATH": cache / "cuda",
        "NUMBA_CACHE_DIR": cache / "numba",
        "MPLCONFIGDIR": cache / "matplotlib",
        "UV_CACHE_DIR": cache / "uv",
    }
    packages = project / ".venv" if project else None
    uv = {"UV_PROJECT_ENVIRONMENT": str(packages), "UV_NO_SYNC": "1"} if packages and packages.is_dir() else {}
    return {
        "PATH": os.defpath,
        "LANG": "C.UTF-8",
        **found,
        **{name: str(path) for name, path in kept.items()},
        **uv,
        **(_WITHOUT_NETWORK if offline else {}),
        "PYTHONUNBUFFERED": "1",
        **own,
    }
