"""litellm as it is used here: quiet, off the network at its import, with keys that nobody quotes. Its only importer."""

from __future__ import annotations

import os
import re
import time
from email.utils import parsedate_to_datetime
from typing import Any

from lanes.tail import plain

ENVIRONMENT = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS": "True",
    "LITELLM_MODE": "PRODUCTION",
    "LITELLM_LOG": "ERROR",
}
"""Nothing is fetched at the import, no ``.env`` is read, nothing is logged that could hold a key."""

SECRET = frozenset(
    {"APIKEY", "BEARER", "CREDENTIAL", "CREDENTIALS", "JWT", "KEY", "PASSPHRASE", "PASSWORD", "PAT", "SECRET", "TOKEN"}
)
"""Words in names of environment variables whose values are nobody's business, unless they are paths."""

SHORTEST_SECRET = 8
QUOTED = 6
"""Characters of a key in a row that are a quotation of it."""

LONGEST_ERROR = 4000
"""Characters of an error that are looked at."""

_LAYERS = re.compile(r"^(?:litellm\.)?(?:\w+Error: )+(?:\w+Exception - )?|^\w+Exception - ")
"""What litellm puts before the words of a service."""

_MASKED = re.compile(r"\S*\*{3,}\S*")
"""A key as services quote it: its beginning, stars, its end."""


class CannotAsk(Exception):
    """A model cannot be asked at all; the text is one line for a person."""


def load() -> Any:
    """litellm, which takes seconds to import."""
    os.environ.update(ENVIRONMENT)
    import litellm

    litellm.suppress_debug_info = True
    litellm.drop_params = True
    litellm.disable_hf_tokenizer_download = True
    return litellm


def stand_in(litellm: Any, model: str, api_base: str | None) -> str | None:
    """None, so that keys come from the environment; something in its place for a service that asks for none.

    Raises:
        CannotAsk: The service asks for one, and it is not there.
    """
    if not (missing := missing_keys(litellm, model)):
        return None
    if api_base:
        return "none"
    raise CannotAsk(f"{model} needs {', '.join(missing)} in the environment")


def missing_keys(litellm: Any, model: str) -> list[str]:
    """Variables with a key that are not set; what else litellm names may come from elsewhere, or has a default."""
    missing: list[str] = litellm.validate_environment(model).get("missing_keys", [])
    return [name for name in missing if name.endswith("API_KEY")]


def passing(litellm: Any) -> tuple[type[Exception], ...]:
    """What a service says or does that passes: too many requests, a broken or a silent service, half an answer."""
    return (
        litellm.RateLimitError, litellm.InternalServerError, litellm.ServiceUnavailableError,
        litellm.APIConnectionError, litellm.Timeout, litellm.BadGatewayError,
    )  # fmt: skip


def asked_to_wait(error: Exception) -> float | None:
    """Seconds from now that a service asks to be left alone (``Retry-After``); None where it says nothing of it."""
    headers: Any = getattr(error, "litellm_response_headers", None) or {}
    return _seconds(headers.get("retry-after", ""))


def said_by(error: Exception) -> str:
    """One line of an error as the service said it, without the keys of the environment."""
    return plain(without_keys(_LAYERS.sub("", str(error)[:LONGEST_ERROR])))


def without_keys(text: str) -> str:
    """A text without the keys of the environment, nor parts of them as services quote them."""
    return _MASKED.sub("…", _quoted(text, QUOTED))


def without_whole_keys(text: str) -> str:
    """A text without the keys of the environment, where it is no error of a service: an answer keeps its stars."""
    return _quoted(text, None)


def _quoted(text: str, least: int | None) -> str:
    for name, value in os.environ.items():
        if len(value) >= SHORTEST_SECRET and _is_secret(name) and not value.startswith(("/", "~")):
            text = text.replace(value, "…")
            if least is not None:
                text = _without_parts(text, value, least)
    return text


def _is_secret(name: str) -> bool:
    words = name.upper().split("_")
    return bool(SECRET.intersection(words)) or words[-1].endswith(("KEY", "TOKEN", "SECRET", "PASSWORD"))


def _without_parts(text: str, secret: str, least: int) -> str:
    """A text with every stretch left out that is of a secret and that long."""
    parts = {secret[start : start + least] for start in range(len(secret) - least + 1)}
    held = [False] * len(text)
    for start in range(len(text) - least + 1):
        if text[start : start + least] in parts:
            held[start : start + least] = [True] * least
    kept = ["…" if hidden else letter for letter, hidden in zip(text, held, strict=True)]
    return re.sub("…{2,}", "…", "".join(kept))


def _seconds(retry_after: str) -> float | None:
    """What ``Retry-After`` asks for, in seconds from now; None where it says nothing. It may be a date (RFC 9110)."""
    try:
        return max(0.0, float(retry_after))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - time.time())
    except ValueError:
        return None
