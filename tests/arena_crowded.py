"""The arena's service with room for so few connections that a test can fill it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from lanes import connection
from lanes.arena import serve

MOST = 40

if __name__ == "__main__":
    os.umask(0o077)
    connection.MOST = MOST
    sys.exit(serve.main(Path(sys.argv[1])))
