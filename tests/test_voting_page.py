"""The voting page in a real browser, against the real service: by keyboard, on a phone, under attack, cut off."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Route, expect, sync_playwright
from test_voters import pair
from voting import CHROMIUM, Arena, fresh, opened, readable, said, watch

from lanes.arena.ballots import Source

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="no chromium on this machine; the voting page needs a real browser (apt install chromium)"
)

PHONE = {"width": 360, "height": 740}

HOSTILE = (
    "<script>alert(1)</script><img src=https://evil.example/x onerror=alert(2)>\n"
    "**bold** [click](javascript:alert(3)) \x1b[31mred\x1b[0m \u202egnp.exe\n```html\n<b>bold</b>\n```\n&amp; "
)
SHOWN = HOSTILE.replace("\x1b", "").replace("\u202e", "")

TWICE = """async () => {
  const button = document.querySelector("[data-choice=a]");
  button.click();
  const prompt = () => document.querySelector("#prompt").textContent;
  while (prompt() !== "question 1") await new Promise(requestAnimationFrame);
  button.click();
}"""
"""The second click of a slow double click falls on the next pair."""


@pytest.fixture(scope="module")
def arena(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arena]:
    arena = Arena(tmp_path_factory.mktemp("arena"))
    arena.start()
    yield arena
    arena.kill()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, chromium_sandbox=os.geteuid() != 0)
        yield browser
        browser.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A window in which nothing may go wrong unseen: no script fails, no policy is broken, nothing asks a question."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    wrong: list[str] = []
    watch(context, wrong)
    yield context
    context.close()
    assert not wrong


def test_a_whole_session_with_the_keyboard_alone(arena: Arena, context: BrowserContext) -> None:
    arena.put(*fresh("keyboard", 5), votes_per_voter=3)
    page, press = opened(context, arena.link("anna")), context.pages[0].keyboard.press
    seen: list[str] = []

    def look() -> None:
        seen.append(page.locator("#a").inner_text())
        assert "exp-" not in page.content() and "champion exp" not in page.content()
        expect(page.get_by_role("heading", name="Prompt")).to_be_focused()

    look()
    press("1")
    said(page, "Vote counted: 1 of 3.")
    look()
    press("2")
    said(page, "Vote counted: 2 of 3.")
    look()
    press("Tab")
    expect(page.get_by_role("textbox", name="Comment")).to_be_focused()
    page.keyboard.type("2 of 3 steps are wrong in A\nsecond line")
    for _ in range(4):
        press("Tab")
    expect(page.get_by_role("button", name="B is better")).to_be_focused()
    press("Enter")
    expect(page.get_by_role("heading", name="Thank you!")).to_be_focused()
    expect(page.locator("#count")).to_have_text("3 of 3")
    press("Tab")
    press("Enter")
    expect(page.locator("#count")).to_have_text("0 of 3")
    ballots = arena.ballots("anna")
    assert [ballot.choice for ballot in ballots] == ["a", "tie", "b"]
    assert [ballot.comment for ballot in ballots] == ["", "", "2 of 3 steps are wrong in A\nsecond line"]
    assert all(ballot.seconds and 0.4 < ballot.seconds < 60 for ballot in ballots)
    for ballot, text in zip(ballots, seen, strict=True):
        assert text.startswith("candidate's" if ballot.model_a == "exp-0001" else "champion's")
    assert len({ballot.battle for ballot in ballots}) == 3


def test_keys_with_ctrl_held_down_or_switched_off_do_not_vote(arena: Arena, context: BrowserContext) -> None:
    arena.put(*fresh("keys", 3))
    page = opened(context, arena.link("keys"))
    page.keyboard.press("Control+1")
    page.evaluate("document.dispatchEvent(new KeyboardEvent('keydown', {key: '1', repeat: true}))")
    page.get_by_role("checkbox").uncheck()
    page.keyboard.press("1")
    page.wait_for_timeout(300)
    assert not arena.ballots("keys")
    page.get_by_role("checkbox").check()
    page.keyboard.press("1")
    said(page, "Vote counted")
    assert len(arena.ballots("keys")) == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_nothing_is_cut_off_the_buttons_stay_and_all_text_is_readable(
    arena: Arena, browser: Browser, scheme: str
) -> None:
    long = replace(
        pair(0), id=f"long-{scheme}", answer_a="x" * 500 + "\n```\n" + "y = 1; " * 60 + "\n```\n" + "word " * 900
    )
    arena.put(long, *fresh(f"phone-{scheme}", 1))
    context = browser.new_context(
        viewport=PHONE, is_mobile=True, has_touch=True, color_scheme=scheme, reduced_motion="reduce"
    )  # fmt: skip
    page = opened(context, arena.link(f"phone-{scheme}"))
    buttons = page.get_by_role("group", name="Your vote").get_by_role("button")
    for end in (0, 1_000_000):
        page.evaluate("end => window.scrollTo(0, end)", end)
        assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
        for box in (button.bounding_box() for button in buttons.all()):
            assert box and box["height"] >= 44 and box["width"] >= 44
            assert 0 <= box["x"] and box["x"] + box["width"] <= PHONE["width"]
            assert box["y"] + box["height"] <= PHONE["height"]
    first, second = (page.locator(name).bounding_box() for name in ("#a", "#b"))
    assert first and second and second["y"] >= first["y"] + first["height"]
    assert buttons.first.evaluate("node => getComputedStyle(node).transitionDuration") == "0s"
    readable(page)
    buttons.first.tap()
    said(page, "Vote counted")
    readable(page)
    buttons.first.tap()
    expect(page.locator("#rest")).to_be_visible()
    readable(page)
    context.close()


def test_a_screen_reader_is_told_what_everything_is(arena: Arena, context: BrowserContext) -> None:
    arena.put(replace(pair(0), id="reader"))
    page = opened(context, arena.link("reader"))
    assert page.evaluate("document.documentElement.lang") == "en"
    assert page.title() == "Which answer is better?"
    text = page.locator("body").aria_snapshot()
    order = (
        "banner", 'heading "Which answer is better?" [level=1]', "0 of 20", 'progressbar "Votes of this session"',
        "main", "status", 'region "Prompt"', 'heading "Prompt" [level=2]', "question 0", 'region "Answer A"',
        'heading "Answer A" [level=2]', 'region "Answer B"', 'heading "Answer B" [level=2]',
        'textbox "Comment (optional, sent with your vote)"', 'checkbox "Keys 1 2 3 vote" [checked]',
        'group "Your vote"', 'button "A is better"', 'button "About equal"', 'button "B is better"',
    )  # fmt: skip
    at = [text.find(part) for part in order]
    assert -1 not in at and at == sorted(at), text
    page.keyboard.press("3")
    expect(page.get_by_role("heading", name="Nothing to compare right now")).to_be_focused()
    assert "candidate" not in page.locator("body").inner_text()


def test_hostile_text_is_shown_letter_by_letter_and_nothing_of_it_runs_or_loads(
    arena: Arena, context: BrowserContext
) -> None:
    asked = ({"role": "system", "content": HOSTILE}, {"role": "user", "content": HOSTILE})
    arena.put(replace(pair(0), id="hostile", messages=asked, answer_a=HOSTILE, answer_b=HOSTILE))
    elsewhere: list[str] = []
    context.on("request", lambda request: request.url.startswith(arena.address) or elsewhere.append(request.url))
    page = opened(context, arena.link("hostile"))
    for name in ("#a", "#b"):
        assert lines(page.locator(name).text_content()) == lines(SHOWN)
    assert lines(page.locator("#prompt").text_content()) == lines(f"Instructions{SHOWN}User{SHOWN}")
    assert not page.locator("main").locator("script, img, b, a, strong").count()
    page.get_by_role("textbox").fill(HOSTILE)
    page.get_by_role("button", name="About equal").click()
    expect(page.locator("#rest")).to_be_visible()
    [ballot] = arena.ballots("hostile")
    assert ballot.comment == SHOWN.strip() and not elsewhere


def lines(text: str | None) -> str:
    """Text without the ends of its lines: those beside a block of code are made by the block."""
    return (text or "").replace("\n", "")


def test_votes_on_one_pair_from_two_tabs_count_once(arena: Arena, context: BrowserContext) -> None:
    arena.put(*fresh("tabs", 2))
    link = arena.link("tabs")
    first, second = opened(context, link), opened(context, link)
    first.keyboard.press("1")
    said(first, "Vote counted: 1 of 20.")
    second.keyboard.press("3")
    said(second, "You had voted on this pair before; that vote counts.")
    assert [ballot.choice for ballot in arena.ballots("tabs")] == ["a"]
    assert second.locator("#prompt").inner_text() == first.locator("#prompt").inner_text() == "question 1"


def test_a_double_click_is_one_vote_and_back_does_not_vote_again(arena: Arena, context: BrowserContext) -> None:
    arena.put(*fresh("double", 3))
    page = opened(context, arena.link("double"))
    page.evaluate(TWICE)
    said(page, "Vote counted: 1 of 20.")
    page.get_by_role("button", name="A is better").dispatch_event("click", {"detail": 2})
    page.wait_for_timeout(300)
    page.goto(f"{arena.address}/v1/openapi.json")
    page.go_back()
    expect(page.locator("#prompt")).to_have_text("question 1")
    assert len(arena.ballots("double")) == 1


def test_a_vote_whose_answer_was_lost_is_sent_again_and_counts_once(arena: Arena, context: BrowserContext) -> None:
    arena.put(*fresh("lost", 2))
    page = opened(context, arena.link("lost"))
    tries: list[str] = []
    lost = True

    def lose(route: Route) -> None:
        tries.append(route.request.post_data or "")
        answer = route.fetch()
        route.abort() if lost else route.fulfill(response=answer)

    page.route("**/v1/votes", lose)
    page.keyboard.press("3")
    said(page, "Your vote is kept, but not sent yet.")
    assert len(arena.ballots("lost")) == 1
    lost = False
    said(page, "Vote counted: 1 of 20.")
    assert len(tries) > 1 and len(set(tries)) == 1 and len(arena.ballots("lost")) == 1


@pytest.mark.slow
def test_a_vote_outlives_a_killed_service_and_a_closed_page(
    context: BrowserContext, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    arena = Arena(tmp_path)
    request.addfinalizer(arena.kill)
    arena.put(*fresh("killed", 4))
    arena.start()
    link = arena.link("killed")
    page = opened(context, link)
    arena.kill()
    page.keyboard.press("2")
    said(page, "Your vote is kept, but not sent yet.")
    arena.start()
    said(page, "Vote counted: 1 of 20.")
    arena.kill()
    page.keyboard.press("1")
    said(page, "Your vote is kept, but not sent yet.")
    page.close()
    arena.start()
    opened(context, link)
    assert [ballot.choice for ballot in arena.ballots("killed")] == ["tie", "a"]


@pytest.mark.slow
def test_a_vote_that_is_too_fast_gets_a_friendly_line_and_is_cast_again(arena: Arena, context: BrowserContext) -> None:
    arena.put(*fresh("fast", 2), min_seconds=2.5)
    page = opened(context, arena.link("fast"))
    page.get_by_role("textbox").fill("B is right")
    page.get_by_role("button", name="A is better").click()
    said(page, "please look at both answers for 2.5 s at least")
    assert not arena.ballots("fast")
    expect(page.get_by_role("textbox")).to_have_value("B is right")
    page.wait_for_timeout(2000)
    page.keyboard.press("3")
    said(page, "Vote counted")
    assert [(ballot.choice, ballot.comment) for ballot in arena.ballots("fast")] == [("b", "B is right")]


@pytest.mark.slow
def test_attention_checks_look_like_any_pair_and_are_told_apart_in_the_ledger(
    arena: Arena, context: BrowserContext
) -> None:
    arena.put(*fresh("checks", 4), attention_every=3)
    page = opened(context, arena.link("checks"))
    for number in range(1, 4):
        page.keyboard.press("1")
        said(page, f"Vote counted: {number} of 20.")
    sources = [ballot.source for ballot in arena.ballots("checks")]
    assert sources == [Source.HELDOUT, Source.HELDOUT, Source.ATTENTION]


@pytest.mark.parametrize(
    ("link", "title"), [("/", "This page needs your own link"), ("/#nobody", "This link is not known")]
)
def test_without_a_link_of_ones_own_the_page_says_so(
    arena: Arena, context: BrowserContext, link: str, title: str
) -> None:
    page = context.new_page()
    page.goto(f"{arena.address}{link}")
    expect(page.get_by_role("heading", name=title)).to_be_visible()
    expect(page.locator("#pair")).to_be_hidden()
