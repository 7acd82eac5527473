from __future__ import annotations

import base64
import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalrpc_server.outbound.sealing import FILE_NAME, Sealing, SealingError, ephemeral_sealing, load_sealing
from evalrpc_server.outbound.secrets import REDACTED, SecretError, Secrets

KEYS = [bytes(range(64)), bytes(range(64, 128))]


@given(st.text())
def test_what_is_sealed_is_opened_again(value):
    sealing = Sealing(KEYS[:1])
    sealed = sealing.seal(value)
    assert sealing.open(sealed) == value
    assert sealed.replace("-", "").replace("_", "").isalnum()


def test_the_same_value_is_sealed_to_the_same_text_and_others_to_others():
    sealing = Sealing(KEYS[:1])
    assert sealing.seal("key-1") == sealing.seal("key-1") != sealing.seal("key-2")


def test_a_new_key_seals_while_the_old_one_still_opens():
    before, after = Sealing(KEYS[:1]), Sealing([KEYS[1], KEYS[0]])
    assert after.open(before.seal("value")) == "value"
    with pytest.raises(SealingError):
        before.open(after.seal("value"))


@pytest.mark.parametrize("sealed", ["", "A", "AAAA", "!", "A" * 200])
def test_what_was_not_sealed_is_refused(sealed):
    with pytest.raises(SealingError, match="a key that this server does not have"):
        Sealing(KEYS).open(sealed)


def test_a_key_is_made_once_for_its_owner_alone(tmp_path):
    first = load_sealing(None, tmp_path / "data")
    second = load_sealing(None, tmp_path / "data")
    assert second.open(first.seal("value")) == "value"
    (made,) = (tmp_path / "data").iterdir()
    assert made.name == FILE_NAME
    assert stat.S_IMODE(made.stat().st_mode) == 0o600


def test_a_configured_key_is_used_and_none_is_made(tmp_path):
    file = tmp_path / "key"
    file.write_text("\n".join(base64.b64encode(key).decode() for key in KEYS))
    assert load_sealing(file, tmp_path / "data").open(Sealing(KEYS[:1]).seal("value")) == "value"
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("content", ["", "not base64!", "AAAA", "\xfc"])
def test_a_file_without_a_key_is_refused_without_being_quoted(tmp_path, content):
    file = tmp_path / "key"
    file.write_text(content, encoding="latin-1")
    with pytest.raises(SealingError, match=r"sealing key .*key") as raised:
        load_sealing(file, tmp_path)
    assert not content or content not in str(raised.value).replace(str(file), "")


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(SealingError, match="No such file"):
        load_sealing(tmp_path / "none", tmp_path)


def test_sealed_values_are_opened_where_references_are_and_scrubbed_from_then_on():
    secrets = Secrets(environment={"EVALRPC_SECRET_A": "one"}, sealing=ephemeral_sealing())
    text = f"Bearer {secrets.seal('hunter-2000')} and ${{secret:A}}"
    assert "hunter" not in text
    assert secrets.expand(text) == "Bearer hunter-2000 and one"
    assert secrets.redact("it said hunter-2000") == f"it said {REDACTED}"


def test_a_body_is_opened_as_json_and_a_path_percent_encoded():
    secrets = Secrets(environment={}, sealing=ephemeral_sealing())
    sealed = secrets.seal('a "quoted"\nkey')
    body = f'{{"k":"{sealed}"}}'.encode()
    assert secrets.open_body(body, {sealed}, json_text=True) == b'{"k":"a \\"quoted\\"\\nkey"}'
    assert secrets.open_body(body, {sealed}, json_text=False) == b'{"k":"a "quoted"\nkey"}'
    assert secrets.open_body(body, (), json_text=True) == body
    assert secrets.open_path(f"/v1?key={sealed}&x=1".encode()) == b"/v1?key=a%20%22quoted%22%0Akey&x=1"


def test_a_value_of_another_server_names_what_mends_it():
    foreign = Secrets(environment={}, sealing=ephemeral_sealing()).seal("value")
    for secrets in (Secrets(environment={}, sealing=ephemeral_sealing()), Secrets(environment={})):
        with pytest.raises(SecretError, match="--sealing-key"):
            secrets.expand(foreign)
