"""The arena's service with votes that a power cut would take: what it costs to keep them."""

from __future__ import annotations

import os
import sqlite3
import sys
from pathlib import Path

from lanes.arena import schema, serve

_connect = schema.connect


def connect(folder: Path) -> sqlite3.Connection:
    """The ledger, and nobody waits for the disk."""
    connection = _connect(folder)
    connection.execute("PRAGMA synchronous = OFF")
    return connection


if __name__ == "__main__":
    os.umask(0o077)
    schema.connect = connect
    sys.exit(serve.main(Path(sys.argv[1])))
