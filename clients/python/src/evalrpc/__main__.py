"""The `evalrpc` command as `python -m evalrpc`."""

from __future__ import annotations

import sys

from evalrpc.cli import main

if __name__ == "__main__":
    sys.exit(main())
