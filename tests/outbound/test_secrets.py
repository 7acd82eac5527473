from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalrpc_server.outbound.secrets import REDACTED, SecretError, Secrets


def secrets(**values: str) -> Secrets:
    return Secrets(environment={f"EVALRPC_SECRET_{name}": value for name, value in values.items()})


def test_references_are_replaced_by_values():
    assert secrets(A="one", B="two").expand("x ${secret:A} ${secret:B} ${secret:A}") == "x one two one"


def test_a_value_that_looks_like_a_reference_is_not_resolved_again():
    assert secrets(A="${secret:B}", B="two").expand("${secret:A}") == "${secret:B}"


def test_the_prefix_can_be_chosen():
    assert Secrets(prefix="MY_", environment={"MY_KEY": "value"}).resolve("KEY") == "value"


def test_a_file_holds_a_secret_and_its_line_end_is_not_part_of_it(tmp_path):
    (tmp_path / "KEY").write_text("value\r\n")
    assert Secrets(directory=tmp_path, environment={}).resolve("KEY") == "value"


def test_the_environment_comes_before_files(tmp_path):
    (tmp_path / "KEY").write_text("file")
    assert (
        Secrets(directory=tmp_path, environment={"EVALRPC_SECRET_KEY": "variable"}).resolve("KEY")
        == "variable"
    )


def test_a_file_that_changes_is_read_anew(tmp_path, monkeypatch):
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    store = Secrets(directory=tmp_path, environment={})
    (tmp_path / "KEY").write_text("old-value")
    assert store.resolve("KEY") == "old-value"
    (tmp_path / "KEY").write_text("new-value")
    now[0] += 2
    assert store.resolve("KEY") == "new-value"
    assert store.redact("old-value new-value") == f"{REDACTED} {REDACTED}"


@pytest.mark.parametrize("value", ["", "a\nb", "a\rb", "a\x00b", "ü"])
def test_a_value_that_no_header_can_carry_is_refused_without_being_told(value):
    with pytest.raises(SecretError) as raised:
        secrets(KEY=value).resolve("KEY")
    assert raised.value.name == "KEY"
    assert not value or value not in str(raised.value)


def test_an_unknown_secret_is_named_with_what_to_do(tmp_path):
    with pytest.raises(SecretError, match="EVALRPC_SECRET_NONE") as raised:
        Secrets(directory=tmp_path, environment={}).resolve("NONE")
    assert raised.value.name == "NONE"
    assert "directory" in str(raised.value)
    assert str(tmp_path) not in str(raised.value)


def test_representation_and_errors_hold_no_value():
    store = secrets(KEY="hunter2-hunter2")
    store.resolve("KEY")
    assert "hunter2" not in repr(store)


def test_only_what_was_resolved_is_redacted():
    store = secrets(A="alpha-value", B="beta-value")
    assert store.redact("alpha-value beta-value") == "alpha-value beta-value"
    store.resolve("A")
    assert store.redact("alpha-value beta-value") == f"{REDACTED} beta-value"


def test_encoded_forms_are_redacted():
    store = secrets(KEY='a"b\\c/d+e=f g')
    value = store.resolve("KEY")
    text = json.dumps({"k": value}) + " a%22b%5Cc%2Fd%2Be%3Df%20g"
    assert store.redact(text) == f'{{"k": "{REDACTED}"}} {REDACTED}'


def test_the_longer_of_two_overlapping_secrets_goes_as_a_whole():
    store = secrets(A="token", B="token-long")
    store.expand("${secret:A}${secret:B}")
    assert store.redact("token-long token") == f"{REDACTED} {REDACTED}"


def test_short_values_are_left_in_answers_and_redacted_in_errors():
    store = secrets(FLAG="true", KEY="long-enough")
    store.expand("${secret:FLAG}${secret:KEY}")
    assert (
        store.redact_answer('{"output": true, "k": "long-enough"}')
        == f'{{"output": true, "k": "{REDACTED}"}}'
    )
    assert store.redact("true") == REDACTED


@given(
    secret=st.text("abcdef", min_size=6, max_size=12),
    before=st.text("xyz", max_size=40),
    repeats=st.integers(1, 20),
    cut=st.integers(0, 300),
    limit=st.integers(1, 64),
)
def test_an_excerpt_never_holds_a_part_of_a_secret(secret, before, repeats, cut, limit):
    store = secrets(KEY=secret)
    store.resolve("KEY")
    body = (before + secret * repeats).encode()
    excerpt = store.excerpt(body[:cut], limit=limit, complete=cut >= len(body))
    assert len(excerpt.encode()) <= limit
    assert (before + REDACTED * repeats).startswith(excerpt)


def test_an_excerpt_is_valid_text_whatever_was_received():
    store = secrets()
    excerpt = store.excerpt(bytes(range(256)) * 20, limit=2048)
    assert len(excerpt.encode("utf-8")) <= 2048
    assert "\x00" not in excerpt
    assert store.excerpt(base64.b64encode(b"plain"), limit=2048) == base64.b64encode(b"plain").decode()
