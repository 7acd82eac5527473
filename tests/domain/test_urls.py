from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from evalrpc_server.domain.spec.fields import HttpUrl

URL: TypeAdapter[str] = TypeAdapter(HttpUrl)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "localhost", "app-1.example", "1a.example", "büro.example"]
)  # fmt: skip
def test_hosts_and_addresses_are_taken(host):
    assert URL.validate_python(f"http://{host}:9000/x")


@pytest.mark.parametrize(
    "host", ["2130706433", "127.1", "0x7f000001", "0177.0.0.1", "127.0.0.1.", "1.2.3.4.5", "app.0x1", "\u2460.0.0.1", "\u24db"]
)  # fmt: skip
def test_numbers_that_only_some_take_for_addresses_are_refused(host):
    with pytest.raises(ValidationError, match="four decimal numbers"):
        URL.validate_python(f"http://{host}:9000/x")
