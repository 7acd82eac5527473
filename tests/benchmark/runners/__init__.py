"""The runners by name. A new one is a file here, a driver, and a line below."""

from __future__ import annotations

from tests.benchmark.runners.bare import Bare
from tests.benchmark.runners.base import Runner
from tests.benchmark.runners.evalrpc import Evalrpc, EvalrpcLangfuse, EvalrpcStubs, EvalrpcWatchers
from tests.benchmark.runners.langfuse_js import LangfuseJs
from tests.benchmark.runners.langfuse_python import LangfusePython

_ALL: tuple[Runner, ...] = (
    Bare(),
    Evalrpc(),
    EvalrpcLangfuse(),
    EvalrpcStubs(),
    EvalrpcWatchers(),
    LangfusePython(),
    LangfuseJs(),
)

RUNNERS: dict[str, Runner] = {runner.name: runner for runner in _ALL}
