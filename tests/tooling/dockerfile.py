"""Reads a Dockerfile and carries its build out in a plain directory, where there is no engine to do it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction: its keyword and the rest of its line, continuation lines joined."""

    keyword: str
    text: str

    @property
    def words(self) -> list[str]:
        """The arguments that are no options."""
        return [word for word in self.text.split() if not word.startswith("--")]

    @property
    def options(self) -> dict[str, str]:
        """The leading `--name=value` options, without the dashes."""
        return dict(word[2:].split("=", 1) for word in self.text.split() if re.match(r"--[a-z-]+=", word))

    @property
    def command(self) -> list[str]:
        """The command in the exec form, as ENTRYPOINT, CMD and HEALTHCHECK have it."""
        command = json.loads(self.text[self.text.index("[") :])
        assert isinstance(command, list)
        return [str(part) for part in command]


@dataclass(frozen=True, slots=True)
class Stage:
    """A build stage: the base it starts from and its instructions."""

    base: str
    instructions: list[Instruction] = field(default_factory=list)

    def all(self, keyword: str) -> list[Instruction]:
        """The stage's instructions with this keyword, in order."""
        return [instruction for instruction in self.instructions if instruction.keyword == keyword]

    def last(self, keyword: str) -> Instruction:
        """The instruction that counts where a later one overrides an earlier."""
        return self.all(keyword)[-1]

    @property
    def environment(self) -> dict[str, str]:
        """What the ENV instructions set."""
        return dict(pair.split("=", 1) for env in self.all("ENV") for pair in env.text.split())


def parse(text: str) -> list[Stage]:
    """Returns the stages of a Dockerfile, with the values of ARG put in."""
    lines = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ").splitlines()
    arguments: dict[str, str] = {}
    stages: list[Stage] = []
    for line in filter(str.strip, lines):
        keyword, rest = line.split(maxsplit=1)
        if keyword == "ARG":
            name, value = rest.split("=", 1)
            arguments[name] = value
        elif keyword == "FROM":
            for name, value in arguments.items():
                rest = rest.replace(f"${{{name}}}", value)
            stages.append(Stage(rest.split()[0]))
        else:
            stages[-1].instructions.append(Instruction(keyword, " ".join(rest.split())))
    return stages


class PlainBuild:
    """Carries out the RUN, COPY and WORKDIR steps of all stages under `root`, with a fresh environment as the base.

    All stages share one root, since an installed environment names its own path; what a stage leaves behind
    besides the paths that the next one copies from it is removed between them.
    """

    def __init__(self, root: Path, context: Path) -> None:
        """Prepares the base: an environment with nothing in it but Python and pip."""
        self._root = root
        self._context = context
        self._base = root.parent / "base"
        subprocess.run([sys.executable, "-m", "venv", self._base], check=True)

    def run(self, stages: list[Stage]) -> None:
        """Builds every stage in order; raises `CalledProcessError` with the output of a step that fails."""
        for number, stage in enumerate(stages):
            directory = "/"
            if number:
                self._keep_only([copy.words[0] for copy in stage.all("COPY") if "from" in copy.options])
            for step in stage.instructions:
                match step.keyword:
                    case "WORKDIR":
                        directory = step.text
                        self.path(directory).mkdir(parents=True, exist_ok=True)
                    case "COPY" if "from" in step.options:
                        assert step.words[0] == step.words[1]
                        assert self.path(step.words[0]).exists()
                    case "COPY":
                        self._copy(step.words[:-1], self.path(directory) / step.words[-1])
                    case "RUN":
                        self._shell(step.text, self.path(directory))

    def path(self, absolute: str) -> Path:
        """Where a path of the image lies here."""
        return self._root / absolute.lstrip("/")

    def localise(self, text: str) -> str:
        """Puts this build's root before every absolute path in `text`."""
        return re.sub(r"(?<![\w./])/(?=[a-z])", f"{self._root}/", text)

    def environment(self, stage: Stage) -> dict[str, str]:
        """The variables that a process of this stage gets, its paths localised."""
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL"))
        }
        for name, value in stage.environment.items():
            inherited[name] = self.localise(value).replace("$PATH", inherited.get("PATH", ""))
        return inherited

    def _copy(self, sources: list[str], target: Path) -> None:
        for source in sources:
            origin = self._context / source
            if origin.is_dir():
                shutil.copytree(origin, target, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
            else:
                target.mkdir(parents=True, exist_ok=True)
                shutil.copy(origin, target)

    def _shell(self, command: str, directory: Path) -> None:
        if os.geteuid() != 0:
            command = re.sub(r"-[og] \d+ ", "", command)
        environment = os.environ | {"PATH": f"{self._base / 'bin'}:{os.environ['PATH']}"}
        done = subprocess.run(
            ["sh", "-ec", self.localise(command)],
            cwd=directory,
            env=environment,
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}"

    def _keep_only(self, paths: list[str]) -> None:
        kept = [self.path(path) for path in paths]
        for entry in self._root.iterdir():
            if not any(path.is_relative_to(entry) for path in kept):
                shutil.rmtree(entry)
