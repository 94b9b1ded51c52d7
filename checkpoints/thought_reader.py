"""Questions about the agent (exchanges, refusals, notes, the conversation) and about repeated measurements."""

from __future__ import annotations

from checkpoints.measurements import HeldRows, Measurement, Role
from checkpoints.querying import Querying, parsed
from checkpoints.thought import Exchange, Idea, Message, Note, Purpose, Refusal, Speech, Spent

_EXCHANGE = (
    "SELECT number, at, purpose, model, form, experiment, request, answer, error, tokens_in, tokens_out, usd, seconds"
    " FROM exchanges"
)


class ThoughtReader(Querying):
    """Answers questions about the agent and about what was measured."""

    def exchanges(self, experiment: int | None = None, last: int | None = None) -> list[Exchange]:
        """Exchanges with a language model, all, the last so many, or those that one experiment came of, in order."""
        where, values = ("", ()) if experiment is None else (" WHERE experiment = ?", (experiment,))
        limit = "" if last is None else f" LIMIT {int(last)}"
        rows = self._all(f"{_EXCHANGE}{where} ORDER BY number DESC{limit}", *values)
        return [Exchange(row[0], row[1], Purpose(row[2]), *row[3:]) for row in reversed(rows)]

    def exchange(self, number: int) -> Exchange | None:
        """One exchange; None where there is none with this number."""
        row = self._maybe(f"{_EXCHANGE} WHERE number = ?", number)
        return row and Exchange(row[0], row[1], Purpose(row[2]), *row[3:])

    def exchange_numbers(self, experiment: int | None = None) -> list[int]:
        """Numbers of all exchanges, or of those that one experiment came of, in order; their texts are long."""
        where, values = ("", ()) if experiment is None else (" WHERE experiment = ?", (experiment,))
        return [row[0] for row in self._all(f"SELECT number FROM exchanges{where} ORDER BY number", *values)]

    def spent_by_experiment(self) -> dict[int, Spent]:
        """What the agent has used for each experiment; what came to no experiment is left out."""
        rows = self._all(
            "SELECT experiment, count(*), sum(tokens_in + tokens_out), total(usd), count(*) - count(usd)"
            " FROM exchanges WHERE experiment IS NOT NULL GROUP BY experiment"
        )
        return {number: Spent(*sums) for number, *sums in rows}

    def spent(self, since: float = 0.0) -> Spent:
        """What the agent has used from a time on."""
        return Spent(
            *self._one(
                "SELECT count(*), coalesce(sum(tokens_in + tokens_out), 0), total(usd), count(*) - count(usd)"
                " FROM exchanges WHERE at >= ?",
                since,
            )
        )

    def refusals(self, last: int | None = None) -> list[Refusal]:
        """Proposals that were refused, all or the last so many, in order."""
        limit = "" if last is None else f" LIMIT {int(last)}"
        rows = self._all(
            f"SELECT number, at, proposer, proposal, reason, exchange, belief FROM refusals ORDER BY number DESC{limit}"
        )
        return [Refusal(n, at, who, parsed(what), *rest) for n, at, who, what, *rest in reversed(rows)]

    def refusals_before(self, experiment: int) -> list[Refusal]:
        """Proposals that were refused on the way to an experiment, in order: those of its exchanges, and those that
        came of no other experiment since the one before it was proposed."""
        rows = self._all(
            "SELECT r.number, r.at, r.proposer, r.proposal, r.reason, r.exchange, r.belief FROM refusals r"
            " LEFT JOIN exchanges e ON e.number = r.exchange WHERE e.experiment = ?1 OR (e.experiment IS NULL"
            " AND r.at > (SELECT coalesce(max(proposed_at), 0) FROM experiments WHERE number < ?1)"
            " AND r.at <= (SELECT proposed_at FROM experiments WHERE number = ?1)) ORDER BY r.number",
            experiment,
        )
        return [Refusal(n, at, who, parsed(what), *rest) for n, at, who, what, *rest in rows]

    def refusals_by_experiment(self) -> dict[int, int]:
        """How many proposals were refused before each experiment, as far as an exchange links them."""
        return dict(
            self._all(
                "SELECT e.experiment, count(*) FROM refusals r JOIN exchanges e ON e.number = r.exchange"
                " WHERE e.experiment IS NOT NULL GROUP BY e.experiment"
            )
        )

    def notes(self) -> list[Note]:
        """A person's notes to the agent that stand, in order."""
        rows = self._all("SELECT number, text, at FROM notes WHERE removed_at IS NULL ORDER BY number")
        return [Note(*row) for row in rows]

    def messages(self, last: int | None = None) -> list[Message]:
        """The conversation about the run, all or the last so many turns, in order."""
        limit = "" if last is None else f" LIMIT {int(last)}"
        rows = self._all(f"SELECT number, role, text, ideas, at, exchange FROM messages ORDER BY number DESC{limit}")
        return [
            Message(n, role, text, tuple(Idea(**idea) for idea in parsed(ideas)), at, exchange)
            for n, role, text, ideas, at, exchange in reversed(rows)
        ]

    def speech(self) -> Speech | None:
        """What the agent says right now; None while it says nothing."""
        row = self._maybe("SELECT purpose, text, at FROM speech")
        return row and Speech(Purpose(row[0]), row[1], row[2])

    def measurements(self, *experiments: int, rows: HeldRows = HeldRows.OPEN) -> list[Measurement]:
        """What trainings of some experiments' recipes measured, or of all, in the order in which they ended."""
        marks = ", ".join("?" * len(experiments))
        which = f" AND experiment IN ({marks})" if experiments else ""
        found = self._all(
            "SELECT experiment, seed, role, rows, value, standard_error, failure, asked_by, at FROM measurements"
            f" WHERE rows = ?{which} ORDER BY at, experiment, seed",
            rows, *experiments,
        )  # fmt: skip
        return [Measurement(row[0], row[1], Role(row[2]), HeldRows(row[3]), *row[4:]) for row in found]
