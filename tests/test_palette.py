"""The palette: every entry does what it says, wherever it is called up."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import pytest
from runs import write_run
from test_dashboard import WIDE, Recorded, until_shown

from tui.app import Dashboard
from tui.keys import ACTIONS


async def test_every_entry_does_its_action_also_from_a_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_run(tmp_path / "run", 3)
    app, ran, done = Dashboard(tmp_path / "run", Recorded()), set[str](), set[str]()
    run_action = app.run_action

    async def run_and_note(action: Any, *args: Any, **kwargs: Any) -> bool:
        found = await run_action(action, *args, **kwargs)
        ran.add(str(action))
        return found

    def noted(name: str, act: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(act)
        def act_and_note(*args: Any) -> Any:
            done.add(name)
            return act(*args)

        return act_and_note

    async with app.run_test(size=WIDE) as pilot:
        await until_shown(pilot, "candidate #5")
        shown = [action for action in ACTIONS if action.palette]
        for entry, action in zip(app.get_system_commands(app.screen), shown, strict=True):
            while len(app.screen_stack) > 1:
                await app.pop_screen()
            app.action_show_help()
            await pilot.pause(0)
            method = f"action_{action.name.partition('(')[0]}"
            with monkeypatch.context() as patch:
                patch.setattr(app, "run_action", run_and_note)
                patch.setattr(app, method, noted(action.name, getattr(app, method)))
                entry.callback()
                while action.name not in ran:
                    await pilot.pause(0)
    assert done == {action.name for action in shown}
