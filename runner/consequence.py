"""The consequence of a person's step, as data, and as the sentence that tells it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Consequence:
    """What a step does; experiments by their numbers, each list in order."""

    champion: int | None = None
    """Whose reign begins; None when the one who reigns goes on."""

    pinned: bool = False
    """Whether a person holds the one whose reign begins there."""

    vetoed: tuple[int, ...] = ()
    """Keeps that are taken back."""

    kept: tuple[int, ...] = ()
    """What becomes kept by a person's word."""

    unkept: tuple[int, ...] = ()
    """What is kept no longer: it is again what its verdict says."""

    demoted: int | None = None
    """The model that is promoted no longer."""

    promoted: int | None = None
    """What is promoted again instead; None for nothing."""

    cancelled: tuple[int, ...] = ()
    """Experiments that have not ended and are given up."""

    again: tuple[int, ...] = ()
    """Experiments that are judged from the start: whom they are judged against reigns no longer."""

    requeued: tuple[int, ...] = ()
    """Experiments whose change is tried once more, as new experiments."""

    withdrawn: tuple[int, ...] = ()
    """Prepared proposals that go back, because what a person asked for comes first."""

    contain: tuple[int, ...] = ()
    """Later keeps that contain what is vetoed, and stay."""

    note: str = ""
    """What becomes of a person's note."""

    run: str = ""
    """What the run as a whole does, where that changes."""

    but: str = ""
    """What is not done, and why."""

    def sentence(self, reigning: int | None) -> str:
        """What follows, in a line.

        Args:
            reigning: The champion before it.
        """
        return "; ".join(part for part in self._parts(reigning) if part)

    def _parts(self, reigning: int | None) -> list[str]:
        return [
            self.run,
            self.note,
            _told(self.vetoed, "taken back"),
            _told(self.kept, "kept"),
            _told(self.unkept, "kept no longer"),
            self._champion(reigning),
            self._promotion(),
            _told(self.cancelled, "cancelled"),
            _told(self.again, "judged again from the start"),
            _told(self.requeued, "tried again"),
            f"prepared {_told(self.withdrawn, 'put back')}" if self.withdrawn else "",
            f"kept later, with it inside, and staying: {named(self.contain)}" if self.contain else "",
            self.but,
        ]

    def _champion(self, reigning: int | None) -> str:
        if self.champion is None:
            stays = self.vetoed or self.kept or self.unkept
            return f"champion #{reigning} goes on reigning" if stays and reigning is not None else ""
        if self.champion == reigning:
            return f"champion #{reigning} is {'pinned' if self.pinned else 'no longer pinned'}"
        return f"champion #{reigning} → #{self.champion}{', pinned' if self.pinned else ''}"

    def _promotion(self) -> str:
        if self.demoted is None:
            return ""
        then = "nothing is promoted" if self.promoted is None else f"#{self.promoted} is promoted again"
        return f"#{self.demoted} is demoted, {then}"


def named(experiments: tuple[int, ...]) -> str:
    """``#3, #7``."""
    return ", ".join(f"#{number}" for number in experiments)


def _told(experiments: tuple[int, ...], what: str) -> str:
    return f"{named(experiments)} {'is' if len(experiments) == 1 else 'are'} {what}" if experiments else ""
