"""Lines of the log: their form, what they never hold, and that writing them holds nobody up."""

from __future__ import annotations

import io
import json
import logging
import os
import sys
import threading
import warnings
from typing import Any

import pytest

from evalrpc_server.logs import LogFormat, Logs, redact
from evalrpc_server.outbound.secrets import Secrets
from tests.processes import running

logger = logging.getLogger("test.logs")


def logged(form: LogFormat = LogFormat.JSON, **options: Any) -> tuple[io.StringIO, Logs]:
    stream = io.StringIO()
    return stream, Logs(stream=stream, form=form, **options)


def one_line(stream: io.StringIO) -> dict[str, Any]:
    [line] = stream.getvalue().splitlines()
    parsed: dict[str, Any] = json.loads(line)
    return parsed


def test_a_json_line_has_time_level_logger_message_and_the_extra_fields():
    stream, logs = logged()
    with logs:
        logger.warning("two %s", "words", extra={"experiment_id": "exp_1", "count": 3})
    line = one_line(stream)
    assert line.pop("time").endswith("Z")
    assert line == {
        "level": "warning",
        "logger": "test.logs",
        "message": "two words",
        "experiment_id": "exp_1",
        "count": 3,
    }


def test_an_exception_is_one_line_with_its_traceback():
    stream, logs = logged()
    with logs:
        try:
            raise ValueError("on\npurpose")
        except ValueError:
            logger.exception("failed")
    line = one_line(stream)
    assert line["message"] == "failed"
    assert "Traceback" in line["exception"]
    assert "ValueError: on\npurpose" in line["exception"]


def test_a_value_that_is_no_json_is_written_as_text():
    stream, logs = logged()
    with logs:
        logger.info("odd", extra={"thing": object, "set": {1}})
    assert "object" in one_line(stream)["thing"]


def test_a_text_line_is_readable_and_keeps_to_its_line():
    stream, logs = logged(LogFormat.TEXT)
    with logs:
        logger.info(
            "moves\x1b[2J the\ncursor", extra={"request_id": "req_1", "note": "two words", "empty": ""}
        )
    [line] = stream.getvalue().splitlines()
    assert 'test.logs: moves\\x1b[2J the\\ncursor request_id=req_1 note="two words"' in line


def test_levels_below_the_chosen_one_are_not_written():
    stream, logs = logged(level="WARNING")
    with logs:
        logger.info("quiet")
    assert not stream.getvalue()


def test_warnings_are_logged():
    stream, logs = logged()
    with logs, warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("mind the gap", stacklevel=1)
    assert "mind the gap" in one_line(stream)["message"]


def test_very_long_values_are_cut():
    stream, logs = logged()
    with logs:
        logger.info("x" * 10_000_000, extra={"body": "y" * 10_000_000})
    assert len(stream.getvalue()) < 200_000


def test_logging_is_as_before_afterwards():
    before = (logging.getLogger().handlers[:], logging.getLogger().level)
    _, logs = logged()
    with logs:
        assert logging.getLogger().handlers != before[0]
    assert (logging.getLogger().handlers, logging.getLogger().level) == before


@pytest.mark.parametrize("form", [LogFormat.JSON, LogFormat.TEXT])
@pytest.mark.parametrize(
    "message",
    [
        "Authorization: Bearer {}",
        "headers {{'authorization': 'Bearer {}'}}",
        'headers {{"Authorization": "Basic {}"}}',
        "sent bearer {} to them",
        "password={}&user=me",
        'body {{"api_key": "{}"}}',
        "X-Api-Key: {}",
        "postgresql://me:{}@db/evalrpc",
        "LANGFUSE_SECRET_KEY is sk-lf-{}",
        "token: {}",
        "client_secret = {}",
    ],
)
def test_what_looks_like_a_secret_is_never_written(message: str, form: LogFormat):
    secret = "c2VjcmV0c2VjcmV0-hunter2"
    stream, logs = logged(form)
    with logs:
        logger.info(message.format(secret), extra={"request": message.format(secret)})
        try:
            raise ValueError(message.format(secret))
        except ValueError:
            logger.exception("failed")
    assert "failed" in stream.getvalue()
    assert "hunter2" not in stream.getvalue()


@pytest.mark.parametrize(
    "text",
    [
        "usage: 5 tokens in, 7 tokens out",
        'input_tokens": 5',
        "the basic idea",
        "http://127.0.0.1:9000/task",
        "experiment exp_1 has secrets in its headers",
        "http://host/path?a=b@c",
    ],
)
def test_ordinary_text_is_left_alone(text: str):
    assert redact(text) == text


def test_secrets_that_the_server_knows_are_never_written():
    secrets = Secrets(environment={"EVALRPC_SECRET_KEY": 'plain "word" here'})
    secrets.resolve("KEY")
    stream, logs = logged(redactor=secrets.redact)
    with logs:
        logger.info('it said: plain "word" here', extra={"answer": 'plain "word" here'})
    assert one_line(stream)["message"] == "it said: [redacted]"
    assert one_line(stream)["answer"] == "[redacted]"


def test_a_reader_that_has_stopped_reading_holds_nobody_up():
    reader, writer = os.pipe()
    with os.fdopen(writer, "w") as stream:
        logs = Logs(stream=stream, form=LogFormat.JSON)
        logs.__enter__()
        try:
            for number in range(12_000):
                logger.info("line %d %s", number, "x" * 100)
        finally:
            drained: list[bytes] = []
            thread = threading.Thread(target=_drain, args=(reader, drained))
            thread.start()
            logs.__exit__(None, None, None)
    thread.join()
    written = [json.loads(line) for line in b"".join(drained).splitlines()]
    dropped = sum(line.get("lines_dropped", 0) for line in written)
    assert dropped > 0
    assert len([line for line in written if line["message"].startswith("line ")]) + dropped == 12_000


def _drain(reader: int, into: list[bytes]) -> None:
    with os.fdopen(reader, "rb") as pipe:
        into.extend(iter(lambda: pipe.read(65536), b""))


PROGRAM = """
import logging
from evalrpc_server.logs import Logs
with Logs():
    logging.getLogger("program").info("hello", extra={"n": 1})
"""


def test_a_log_that_is_no_terminal_is_json():
    with running([sys.executable, "-c", PROGRAM]) as program:
        assert program.wait() == 0
        assert json.loads(program.output)["message"] == "hello"


def test_a_log_on_a_terminal_is_text():
    controller, terminal = os.openpty()
    with os.fdopen(terminal, "w") as stream:
        with Logs(stream=stream):
            logger.info("hello", extra={"n": 1})
        line = os.read(controller, 4096).decode()
    os.close(controller)
    assert "INFO    test.logs: hello n=1" in line
