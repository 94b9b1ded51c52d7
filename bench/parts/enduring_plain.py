"""The standard library's sqlite3, called from a loop: ``python -m bench.parts.enduring_plain FOLDER SECONDS``."""

from __future__ import annotations

import asyncio
import sqlite3
import sys

from bench.parts.enduring import Endured, endure


async def main(path: str, seconds: float) -> Endured:
    """Endure it."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE records (number INTEGER PRIMARY KEY)")

    async def write(number: int) -> None:
        connection.execute("INSERT INTO records VALUES (?)", [number])

    found = await endure(write, seconds)
    there = {number for (number,) in connection.execute("SELECT number FROM records")}
    found.missing = sum(number not in there for number in range(len(found.acknowledged)))
    return found


if __name__ == "__main__":
    asyncio.run(main(f"{sys.argv[1]}/plain.sqlite", float(sys.argv[2]))).tell()
