"""The model server with so little patience that a test can see where it ends."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from lanes import connection
from lanes.workers import serve

REQUEST_SECONDS = 0.7

if __name__ == "__main__":
    os.umask(0o077)
    connection.REQUEST_SECONDS = REQUEST_SECONDS
    sys.exit(serve.main(Path(sys.argv[1])))
