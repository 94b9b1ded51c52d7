"""The arena's service with so little patience that a test can see where it ends."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from lanes import connection
from lanes.arena import schema, serve

REQUEST_SECONDS = 0.7
BUSY_SECONDS = 0.3

if __name__ == "__main__":
    os.umask(0o077)
    connection.REQUEST_SECONDS = REQUEST_SECONDS
    schema.BUSY_SECONDS = BUSY_SECONDS
    sys.exit(serve.main(Path(sys.argv[1])))
