"""Runs a command and turns whatever goes wrong into a line for a person."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Sequence

from evalrpc._errors import EvalrpcError
from evalrpc.cli.arguments import parse
from evalrpc.cli.exits import INTERRUPTED, UNSUCCESSFUL
from evalrpc.cli.output import Notes, complain


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit code.

    0: it did what it was asked to, and a run that it followed succeeded. 1: a threshold was missed. 2: the run failed or
    was cancelled, or the command could not be carried out. 130: it was interrupted.
    """
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # gRPC's own lines would come between ours
    arguments = parse(argv)
    logging.getLogger("evalrpc").setLevel(logging.INFO)
    logging.getLogger("evalrpc").addHandler(Notes())
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        code: int = arguments.command(arguments)
        sys.stdout.flush()
    except EvalrpcError as error:
        complain(error)
        return UNSUCCESSFUL
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nobody reads on, as with `| head`
        return UNSUCCESSFUL
    except OSError as error:
        complain(f"{error.filename}: {error.strerror}" if error.filename else str(error))
        return UNSUCCESSFUL
    except KeyboardInterrupt:
        complain("interrupted")
        return INTERRUPTED
    return code
