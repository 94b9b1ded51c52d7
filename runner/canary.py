"""The canary: one request to what is really served, to see whose name the answer carries."""

from __future__ import annotations

import http.client
import json
from pathlib import Path
from typing import Any, cast

from checkpoints.records import Json

ARENA = "arena"
"""Folder of the arena in a run folder."""

SECONDS = 60.0
"""Most time for the answer."""

_PROMPT = "Please say hello."


def answering(run_folder: Path, role: str) -> str:
    """The name of the model that answers at a run's arena; empty where nobody does.

    Args:
        run_folder: With the arena's folder.
        role: Which model is asked: ``champion`` or ``promoted``.
    """
    folder = run_folder / ARENA
    try:
        place: Json = json.loads((folder / "result.json").read_bytes())
        token = (folder / "product.token").read_text(encoding="utf-8").strip()
        return _asked(str(place["host"]), int(place["port"]), token, role)
    except (OSError, ValueError, KeyError, TypeError, http.client.HTTPException):
        return ""


def _asked(host: str, port: int, token: str, role: str) -> str:
    connection = http.client.HTTPConnection(host, port, timeout=SECONDS)
    try:
        body = {"model": role, "messages": [{"role": "user", "content": _PROMPT}], "max_tokens": 8}
        headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
        connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
        response = connection.getresponse()
        found: Any = json.loads(response.read())
        name = cast(Json, found).get("model") if response.status == 200 and isinstance(found, dict) else None
        return name if isinstance(name, str) else ""
    finally:
        connection.close()
