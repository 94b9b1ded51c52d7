"""Promotion: each thing that it needs is named when it is missing; done once, taken back with one step."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from sleeping import program

from checkpoints import writes
from checkpoints.reader import Reader
from checkpoints.records import (
    FailureKind,
    Interval,
    Intervention,
    Lane,
    Outcome,
    Progress,
    Proposal,
    Step,
    Verdict,
    model_name,
)
from checkpoints.store import Store, StoreError
from checkpoints.trust import PromotionTest
from lanes.lane import StageFailed, StagePaused
from runner.asked import ask_for
from runner.finale import Finale
from runner.promotion import examine
from tui.main import main

BASE, CHAMPION = 0, 2


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run whose champion, #2, has beaten the baseline."""
    with Store(tmp_path) as store:
        store.submit(writes.create_run, "run", "better", 9, 7).result()
        for number in range(4):
            store.submit(writes.propose, Proposal(f"belief {number}", "data", None, "program")).result()
        store.submit(writes.change_champion, BASE, "the baseline").result()
        store.submit(writes.change_champion, CHAMPION, "it beat exp-0000").result()
    return tmp_path


def verdict(number: int, outcome: Outcome = Outcome.KEEP) -> Verdict:
    rate = Interval(0.7, 0.55, 0.8)
    sentence = f"35 wins to 15 losses, so {model_name(number)} is {outcome}"
    return Verdict(number, outcome, 35, 15, 4, rate, rate, 0.57, None, sentence, time.time(), 50)


def was_tested(folder: Path, number: int, against: int, outcome: Outcome = Outcome.KEEP, voters: int = 24) -> None:
    """A test on fresh votes has ended, with six looks on its way."""
    with Store(folder) as store:
        test = store.submit(writes.begin_test, number, against, {}).result()
        for look in range(6):
            store.submit(writes.add_look, model_name(number), voters + look, test).result()
        store.submit(writes.end_test, test, verdict(number, outcome)).result()


def missing(folder: Path, answers: str = model_name(CHAMPION)) -> dict[str, str]:
    found = examine(folder, canary=lambda _folder, _role: answers)
    return {condition.name: condition.found for condition in found.conditions if not condition.met}


@contextmanager
def serving(folder: Path, model: str) -> Iterator[None]:
    """Something at the arena's place that answers every chat in a model's name."""

    class Answers(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            allowed = self.headers["authorization"] == "Bearer product-token"
            said = json.dumps({"model": model} if allowed else {"error": {}}).encode()
            self.send_response(200 if allowed else 401)
            self.send_header("content-length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, format: str, *args: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    Thread(target=server.serve_forever, daemon=True).start()
    arena = folder / "arena"
    arena.mkdir()
    (arena / "result.json").write_text(json.dumps({"host": "127.0.0.1", "port": server.server_port}))
    (arena / "product.token").write_text("product-token\n")
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


def asked(folder: Path, step: Step, reason: str = "", **detail: str) -> Intervention:
    return ask_for(folder, step, reason, dict(detail))


def test_what_lacks_for_a_promotion_is_said_one_by_one(folder: Path) -> None:
    lacks = missing(folder, answers="")
    assert set(lacks) == {"fresh votes", "steady", "served", "record"}
    assert "was not tested on fresh votes against exp-0000" in lacks["fresh votes"]
    assert "0 looks of the 5 needed" in lacks["steady"] and "nobody answers" in lacks["served"]
    was_tested(folder, CHAMPION, BASE, Outcome.INCONCLUSIVE, voters=12)
    lacks = missing(folder, answers="exp-0001")
    assert "inconclusive" in lacks["fresh votes"] and "carries the name exp-0001" in lacks["served"]
    assert "steady" in lacks and "record" not in lacks, "looks of 12 to 17 voters do not count"


def test_a_look_at_which_another_model_led_begins_the_row_anew(folder: Path) -> None:
    was_tested(folder, CHAMPION, BASE)
    assert missing(folder) == {}
    with Store(folder) as store:
        store.submit(writes.add_look, "exp-0001", 40, 1).result()
        for _ in range(4):
            store.submit(writes.add_look, "exp-0002", 41, 1).result()
    assert "last 4 looks of the 5 needed" in missing(folder)["steady"]


def test_all_that_is_asked_of_a_promotion_is_asked_of_the_champions_own_test(folder: Path) -> None:
    was_tested(folder, CHAMPION, BASE)
    with Store(folder) as store:
        store.submit(writes.change_champion, 3, "it beat exp-0002").result()
    was_tested(folder, 3, BASE, Outcome.INCONCLUSIVE)
    was_tested(folder, CHAMPION, 1)
    with Store(folder) as store:
        off = store.submit(writes.begin_test, 3, 1, {}).result()
        store.submit(writes.call_off_test, off, "its champion reigns no longer").result()
        store.submit(writes.change_champion, CHAMPION, "exp-0003 was vetoed").result()
    assert missing(folder) == {}, "what later tests of others said is not asked"
    with serving(folder, "exp-0002"):
        assert asked(folder, Step.PROMOTE).effect == "exp-0002 is promoted"
    with closing(Reader(folder)) as read:
        (done,) = read.promotions()
    assert (done.experiment, done.test) == (CHAMPION, 1)


def test_who_was_tested_and_reigns_no_longer_is_not_promoted(folder: Path) -> None:
    was_tested(folder, CHAMPION, BASE)
    with Store(folder) as store:
        store.submit(writes.change_champion, 1, "a veto that came while the arena was asked").result()
        with pytest.raises(writes.Conflict, match="exp-0002 was tested and is champion no longer"):
            store.submit(writes.promote, CHAMPION, 1, "belief", None, "passed").result()


def test_a_test_against_another_model_than_the_one_in_place_does_not_count(folder: Path) -> None:
    was_tested(folder, CHAMPION, 1)
    assert "was not tested on fresh votes against exp-0000" in missing(folder)["fresh votes"]


def test_promotion_is_done_once_recorded_and_taken_back_to_the_one_before(folder: Path) -> None:
    was_tested(folder, CHAMPION, BASE)
    with serving(folder, "exp-0002"):
        assert asked(folder, Step.PROMOTE, "a good night").effect == "exp-0002 is promoted"
        again = asked(folder, Step.PROMOTE)
    assert again.refused and "exp-0002 is promoted already" in again.effect
    with closing(Reader(folder)) as read:
        (done,) = read.promotions()
    assert (done.experiment, done.test, done.hypothesis, done.lift) == (2, 1, "belief 2", Interval(0.7, 0.55, 0.8))
    assert "35 wins to 15 losses" in done.reason and done.reason.endswith("a good night")
    with Store(folder) as store:
        store.submit(writes.change_champion, 1, "it beat exp-0002").result()
        store.submit(writes.promote, 1, None, "belief 1", None, "by hand").result()
    assert asked(folder, Step.DEMOTE, "users complain").effect == "exp-0001 is demoted; exp-0002 is promoted again"
    assert "nothing is promoted" in asked(folder, Step.DEMOTE).effect
    assert asked(folder, Step.DEMOTE).effect == "refused: nothing is promoted"


def test_a_rollback_passes_over_what_was_vetoed_meanwhile(folder: Path) -> None:
    with Store(folder) as store:
        for number in (1, 2, 3):
            store.submit(writes.promote, number, None, f"belief {number}", None, "by hand").result()

        def taken_back(db: Any) -> None:
            db.execute("UPDATE experiments SET state = 'kept' WHERE number = 2")
            writes.veto(db, 2, "users complain")

        store.submit(taken_back).result()
    assert asked(folder, Step.DEMOTE).effect == "exp-0003 is demoted; exp-0001 is promoted again"


def test_without_an_answer_in_its_name_nothing_is_promoted(folder: Path) -> None:
    was_tested(folder, CHAMPION, BASE)
    with serving(folder, "exp-0000"):
        refused = asked(folder, Step.PROMOTE)
    assert refused.refused and "carries the name exp-0000" in refused.effect
    with closing(Reader(folder)) as read:
        assert read.promoted() is None


def test_a_voter_is_excluded_with_a_reason_and_admitted_again_where_nobody_runs(folder: Path) -> None:
    assert asked(folder, Step.EXCLUDE, voter="bot").effect == "refused: excluding a voter needs a reason"
    assert asked(folder, Step.EXCLUDE, "always the left", voter="bot").effect == "0 votes of bot count no longer"
    assert "excluded already" in asked(folder, Step.EXCLUDE, "again", voter="bot").effect
    assert asked(folder, Step.READMIT, voter="bot").effect == "0 votes of bot count again"


class Scripted:
    """Tests as it is told: a verdict's outcome, or what is raised."""

    def __init__(self, *ends: Outcome | Exception) -> None:
        self.ends, self.tests = list(ends), list[PromotionTest]()

    def test_order(self, champion: int, opponent: int) -> dict[str, object]:
        return {"candidate": model_name(champion), "opponent": model_name(opponent)}

    async def test(self, test: PromotionTest) -> Verdict:
        self.tests.append(test)
        end = self.ends.pop(0)
        if isinstance(end, Exception):
            raise end
        return verdict(test.experiment, end)


async def test_the_champion_is_tested_once_on_fresh_votes_and_a_pause_goes_on_later(folder: Path) -> None:
    with Store(folder) as store:
        tester = Scripted(StagePaused(), Outcome.INCONCLUSIVE)
        finale = Finale(store, tester, lambda: program(folder, 9))
        await finale.run()
        assert store.read.open_test() is not None
        await finale.run()
        await finale.run()
        (test,) = store.read.promotion_tests()
        assert (test.number, test.experiment, test.opponent, test.outcome) == (1, 2, 0, Outcome.INCONCLUSIVE)
        assert [one.number for one in tester.tests] == [1, 1], "gone on with, and never a second try for luck"


async def test_a_test_whose_champion_reigns_no_longer_is_called_off(folder: Path) -> None:
    with Store(folder) as store:
        tester = Scripted(StagePaused(), StageFailed(FailureKind.INPUT, "no such file"), Outcome.KEEP)
        finale = Finale(store, tester, lambda: program(folder, 9))
        await finale.run()
        await store.do(writes.change_champion, 1, "a person pinned it")
        await finale.run()
        first, second = store.read.promotion_tests()
        assert (first.outcome, first.reason) == (None, "its champion reigns no longer")
        assert (second.experiment, second.outcome, second.reason) == (1, None, "input: no such file")
        await store.do(writes.change_champion, CHAMPION, "it was unpinned")
        await finale.run()
        first, second = store.read.promotion_tests()
        assert (first.outcome, second.outcome) == (Outcome.KEEP, None), "its own test goes on, no other one begins"
        assert [one.number for one in tester.tests] == [1, 2, 1]


async def test_a_test_that_fails_is_tried_once_more_with_its_votes_and_again_at_the_next_start(folder: Path) -> None:
    gone = RuntimeError("the ledger\nis malformed")
    with Store(folder) as store:
        tester = Scripted(gone, StageFailed(FailureKind.CRASH, "no server"), Outcome.KEEP)
        finale = Finale(store, tester, lambda: program(folder, 9))
        for _ in range(2):
            await finale.run()
        (test,) = store.read.promotion_tests()
        assert (test.outcome, test.reason, len(tester.tests)) == (None, "crash: no server", 2)
        said = [event.text for event in store.read.events() if "called off" in event.text]
        assert said[0] == "test 1 was called off: crash: RuntimeError: the ledger is malformed"
    assert "start the run again" in missing(folder)["fresh votes"]
    with Store(folder) as store:
        await Finale(store, tester, lambda: program(folder, 9)).run()
        (test,) = store.read.promotion_tests()
        assert (test.number, test.outcome) == (1, Outcome.KEEP)


async def test_a_store_that_cannot_be_written_is_no_failure_of_the_test(folder: Path) -> None:
    with Store(folder) as store:
        finale = Finale(store, Scripted(StoreError("the disk is full")), lambda: program(folder, 9))
        with pytest.raises(StoreError, match="the disk is full"):
            await finale.run()
        assert store.read.open_test() is not None, "it goes on when the store can be written again"


@pytest.mark.parametrize("end", [Outcome.KEEP, StageFailed(FailureKind.INPUT, "no such file")])
async def test_after_a_test_its_lane_shows_it_no_longer(folder: Path, end: Outcome | Exception) -> None:
    class Shows(Scripted):
        async def test(self, test: PromotionTest) -> Verdict:
            await store.do(writes.start_waiting, Lane.EVALUATE, "an uploaded model")
            await store.do(writes.set_progress, Progress(Lane.EVALUATE, 2, "votes", 27, 100, "", None, time.time()))
            return await super().test(test)

    with Store(folder) as store:
        await Finale(store, Shows(end), lambda: program(folder, 9)).run()
        (lane,) = store.read.at_work()
        assert (lane.lane, lane.experiment, lane.doing) == (Lane.EVALUATE, None, "an uploaded model")


async def test_nothing_is_tested_where_the_baseline_still_reigns(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        await store.do(writes.propose, Proposal("its own recipe", "baseline", None, "program"))
        await store.do(writes.change_champion, 0, "the baseline")
        tester = Scripted()
        await Finale(store, tester, lambda: program(tmp_path, 9)).run()
        assert tester.tests == [] and store.read.promotion_tests() == []


def test_the_command_says_what_is_there_and_what_lacks_and_promotes_when_nothing_does(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["promote", str(folder)]) == 1
    assert "✗ fresh votes: exp-0002 was not tested" in capsys.readouterr().out
    was_tested(folder, CHAMPION, BASE)
    with serving(folder, "exp-0002"):
        assert main(["promote", "--check", str(folder)]) == 0
        assert "✗" not in (said := capsys.readouterr().out) and "✓ served" in said
        assert main(["promote", str(folder)]) == 0
    assert capsys.readouterr().out.endswith("exp-0002 is promoted\n")
    assert main(["demote", str(folder)]) == 0 and "nothing is promoted" in capsys.readouterr().out
    assert main(["demote", str(folder)]) == 1
    assert "refused: nothing is promoted" in capsys.readouterr().err
