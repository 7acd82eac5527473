"""The rules of the contract that buf does not check."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from evalrpc.v1 import error_reason_pb2
from evalrpc_server.domain.reasons import Reason

PROTO = Path("proto/evalrpc/v1")
FILES = sorted(PROTO.glob("*.proto"))
PUBLISHED = {
    name.removeprefix("ERROR_REASON_") for name, number in error_reason_pb2.ErrorReason.items() if number
}
REASON = re.compile(r"// (\{.*\})\n +ERROR_REASON_(\w+) = ")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_file_imports_nothing_from_elsewhere(path: Path):
    imports = re.findall(r'^import "(.*)";', path.read_text("utf-8"), re.MULTILINE)
    assert all(name.startswith(("evalrpc/v1/", "google/protobuf/")) for name in imports)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_file_is_short_enough_to_read(path: Path):
    assert len(path.read_text("utf-8").splitlines()) <= 280


def test_every_reason_has_a_sample_of_itself():
    samples = dict[str, str]()
    for sample, name in REASON.findall((PROTO / "error_reason.proto").read_text("utf-8")):
        samples[name] = sample
    assert samples.keys() == PUBLISHED
    for name, sample in samples.items():
        info = json.loads(sample)
        assert info["reason"] == name
        assert info["domain"] == "evalrpc.dev"
        assert all(isinstance(value, str) for value in info["metadata"].values())


def test_the_catalogue_and_the_server_know_the_same_reasons():
    assert {reason.value for reason in Reason} == PUBLISHED


def test_every_reason_named_in_a_comment_is_in_the_catalogue():
    codes = {"INVALID_ARGUMENT", "NOT_FOUND", "ALREADY_EXISTS", "FAILED_PRECONDITION", "RESOURCE_EXHAUSTED"}
    codes |= {"OUT_OF_RANGE", "UNAVAILABLE", "UNIMPLEMENTED", "DEADLINE_EXCEEDED"}
    for path in PROTO.glob("*_service.proto"):
        # Reasons stand in brackets behind the status code: INVALID_ARGUMENT (INVALID_FIELD: ..., PAGE_TOKEN).
        comments = re.sub(r"\n *// ?", " ", path.read_text("utf-8"))
        for code, reasons in re.findall(r"\b([A-Z][A-Z_]{3,}) \(([^)]*)\)", comments):
            named = set(re.findall(r"\b[A-Z]{3,}(?:_[A-Z]+)+\b|\bINTERNAL\b|\bDRAINING\b", reasons))
            assert named <= PUBLISHED | codes, f"{path.name}: {code} ({named - PUBLISHED})"
