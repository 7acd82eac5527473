"""The commands that write a run to a file."""

from __future__ import annotations

import os
import sys
import tempfile
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from evalrpc.cli.exits import SUCCESSFUL, UNSUCCESSFUL
from evalrpc.cli.experiments import client_for
from evalrpc.cli.exporting import MissingPackageError, write_csv, write_jsonl, write_parquet
from evalrpc.cli.output import complain, note
from evalrpc.report import write_report

_PAGE = 500


def report(arguments: Namespace) -> int:
    """Writes a run, and its baseline where one is named, as an HTML page."""
    path = arguments.output or Path(f"{arguments.id}.html")
    with client_for(arguments) as client:
        experiment = client.get(arguments.id)
        comparison = baseline = None
        if arguments.compare is not None:
            baseline = client.get(arguments.compare)
            (comparison,) = client.compare(
                arguments.compare,
                arguments.id,
                margin=arguments.margin,
                max_flips=0,
                lower_is_better=arguments.lower_is_better,
            )
        with replacing(path) as file:
            write_report(
                file,
                experiment,
                client.list_results(arguments.id, page_size=_PAGE),
                comparison=comparison,
                baseline=baseline,
                baseline_results=client.list_results(baseline.id, page_size=_PAGE) if baseline else (),
                lower_is_better=arguments.lower_is_better,
                limit=arguments.max_characters,
            )
    note(f"wrote {path} ({path.stat().st_size / 1e6:.1f} MB)")
    return SUCCESSFUL


def export(arguments: Namespace) -> int:
    """Writes a run's results in a form that other programs read."""
    writers = {"jsonl": write_jsonl, "csv": write_csv, "parquet": write_parquet}
    write = writers[arguments.format]
    with client_for(arguments) as client:
        experiment = client.get(arguments.id)
        results = client.list_results(arguments.id, page_size=_PAGE)
        try:
            if arguments.output is not None:
                with replacing(arguments.output) as file:
                    write(file, experiment, results)
            else:
                write(sys.stdout.buffer, experiment, results)
        except MissingPackageError as error:
            complain(str(error))
            return UNSUCCESSFUL
    return SUCCESSFUL


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """Opens a file that takes the place of `path` once it is whole; nothing changes where the block fails."""
    folder = path.parent
    if path.is_dir():
        raise IsADirectoryError(21, os.strerror(21), str(path))
    with tempfile.NamedTemporaryFile(dir=folder, prefix=f".{path.name}.", delete=False) as file:
        temporary = Path(file.name)
        try:
            yield file.file
            file.flush()
            mask = os.umask(0)
            os.umask(mask)
            temporary.chmod(0o666 & ~mask)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
