"""One chat and its answer as it comes: the models' thread tells it, who asked hears it and may go away."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future

from lanes.workers.chat import Ask, Said


class Reply:
    """What was asked, and the future of its answer."""

    def __init__(self, ask: Ask, hear: Callable[[str], None] | None = None) -> None:
        """Ask nobody yet.

        Args:
            ask: The chat.
            hear: Called in the models' thread with each new piece of the answer; the pieces join to its text.
        """
        self.ask = ask
        self.said: Future[Said] = Future()
        """The whole answer, after its last piece; or why there is none."""

        self.left = False
        """Whether nobody waits for it any more."""

        self._hear, self._told = hear, ""

    @property
    def is_heard(self) -> bool:
        """Whether its pieces are wanted."""
        return self._hear is not None

    def leave(self) -> None:
        """Go away: no further token is drawn for it."""
        self.left = True
        self.said.cancel()

    def begin(self) -> bool:
        """Whether somebody still waits; from here on the future is not cancelled any more."""
        return self.said.set_running_or_notify_cancel()

    def tell(self, text: str) -> None:
        """Say on what is new in the answer's text so far, given from its beginning."""
        if self._hear and len(text) > len(self._told):
            new, self._told = text[len(self._told) :], text
            self._hear(new)

    def finish(self, said: Said) -> None:
        """Say the rest, and that it is whole."""
        if not said.text.startswith(self._told):
            self.fail(RuntimeError("the tokenizer changed text that was said already: ask again without 'stream'"))
            return
        self.tell(said.text)
        self.said.set_result(said)

    def fail(self, error: Exception) -> None:
        """Say why there is no answer, or no more of it."""
        self.said.set_exception(error)
