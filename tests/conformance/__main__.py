"""Runs all features in all languages and compares what they saw with what is expected.

`python -m tests.conformance` prints a line for each feature and fails where an outcome differs, or where the table in
`clients/README.md` is not of these results; `--write` writes it.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.conformance.environment import Environment, environment
from tests.conformance.features import Feature, all_features, difference
from tests.conformance.languages import LANGUAGES, Language, launch
from tests.conformance.table import PAGE, table, written

SECONDS = 300.0
"""For all features of a language."""


def shown_in(
    language: Language, place: Environment, directory: Path, names: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """Runs a language's process and returns the lines that it printed, by feature."""
    command = language.command(directory)
    begin = time.monotonic()
    with launch(language, command, place.of(language.name), names) as program:
        with contextlib.suppress(subprocess.TimeoutExpired):
            program.wait(SECONDS)
        output = program.output
    lines = [line for line in output.split("\n") if line.startswith('{"feature":')]
    if len(lines) < len(names):
        print(f"{language.title} printed after {time.monotonic() - begin:.0f} s:\n{output}", file=sys.stderr)
    print(f"{language.title}: {len(lines)} features in {time.monotonic() - begin:.1f} s", flush=True)
    return {line["feature"]: line for line in map(json.loads, lines)}


def verdict(feature: Feature, lines: Mapping[str, dict[str, Any]]) -> str | None:
    """Says what is wrong with what a language has shown of a feature; None if nothing is."""
    line = lines.get(feature.name)
    if line is None:
        return "it was not shown"
    if "failure" in line:
        return str(line["failure"])
    return difference(feature.outcome, line["outcome"])


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__)
    parser.add_argument("--write", action="store_true", help="write the table of features by language")
    parser.add_argument("--language", action="append", choices=[language.name for language in LANGUAGES])
    parser.add_argument("feature", nargs="*", help="only these; the table is left alone then")
    options = parser.parse_args(argv)
    languages = [each for each in LANGUAGES if not options.language or each.name in options.language]
    features = [each for each in all_features() if not options.feature or each.name in options.feature]
    names = [feature.name for feature in features]
    with tempfile.TemporaryDirectory() as made:
        directory = Path(made)
        with (
            environment(directory, [each.name for each in languages]) as place,
            ThreadPoolExecutor(len(languages)) as pool,
        ):
            shown = [pool.submit(shown_in, language, place, directory, names) for language in languages]
            lines = {language.name: each.result() for language, each in zip(languages, shown, strict=True)}
    passed: dict[tuple[str, str], bool] = {}
    for feature in features:
        for language in languages:
            wrong = verdict(feature, lines[language.name])
            passed[feature.name, language.name] = wrong is None
            if wrong is not None:
                print(f"FAILED {feature.name} in {language.title}: {wrong}")
    print(f"{sum(passed.values())} of {len(passed)} passed")
    if options.language or options.feature:
        return 0 if all(passed.values()) else 1
    page = PAGE.read_text("utf-8")
    current = written(page, table(features, languages, passed))
    if options.write:
        PAGE.write_text(current, "utf-8")
    elif current != page:
        print(f"The table in {PAGE.name} is not of these results: make conformance ARGS=--write")
        return 1
    return 0 if all(passed.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
