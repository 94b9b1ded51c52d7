"""Watching a folder: what its library has to complain about stays off the terminal."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_watching_library_writes_nothing_to_the_terminal(tmp_path: Path) -> None:
    code = (
        "import asyncio, logging, sys; from pathlib import Path; from lanes.folder_watch import watched\n"
        "async def main():\n"
        "    changed = asyncio.Event()\n"
        "    with watched(Path(sys.argv[1]), changed):\n"
        "        (Path(sys.argv[1]) / 'new').touch()\n"
        "        await asyncio.wait_for(changed.wait(), 20)\n"
        "        logging.getLogger('watchdog.observers.inotify').error('called when the thread is inactive')\n"
        "asyncio.run(main())"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
