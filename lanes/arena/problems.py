"""What the service says when it does not do what it was asked: a status and one line of JSON."""

from __future__ import annotations

import json
import math

from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.responses import Response


class Fault(BaseModel):
    """What is wrong."""

    model_config = ConfigDict(frozen=True)

    code: str
    """For programs; it stays the same where the message changes."""

    message: str
    """One sentence for a person."""

    param: str | None = None
    """The field that it is about, dots between parts."""


class Failure(BaseModel):
    """The body of every answer with a status of 400 and more."""

    model_config = ConfigDict(frozen=True)

    error: Fault


class Problem(Exception):
    """Raised by whoever answers a request, said by the frame around them."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        param: str | None = None,
        retry_after: float | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        """Say what is wrong.

        Args:
            status: Of HTTP.
            code: For programs.
            message: For a person.
            param: The field that it is about.
            retry_after: Seconds until it is worth asking again.
            headers: Further ones of the answer.
        """
        super().__init__(message)
        self.status, self.code, self.message, self.param = status, code, message, param
        self.headers = dict(headers or {})
        if retry_after is not None:
            self.headers["retry-after"] = str(max(1, math.ceil(retry_after)))

    @property
    def body(self) -> dict[str, object]:
        """``{"error": …}``."""
        fault: dict[str, object] = {"code": self.code, "message": self.message}
        return {"error": fault | ({"param": self.param} if self.param else {})}

    def response(self) -> Response:
        """The answer."""
        line = json.dumps(self.body, ensure_ascii=False) + "\n"
        return Response(line, self.status, self.headers, "application/json")


def invalid(error: ValidationError) -> Problem:
    """The first thing that is wrong with what was sent."""
    found = error.errors(include_url=False, include_input=False, include_context=False)[0]
    param = ".".join(str(part) for part in found["loc"]) or None
    return Problem(422, "invalid", f"{param}: {found['msg']}" if param else found["msg"], param)
