"""The stand-in as a process."""

from __future__ import annotations

from tests.standins.openai import OpenAiStandIn
from tests.standins.served import parser, run

if __name__ == "__main__":
    options = parser("openai", __doc__).parse_args()
    standin = OpenAiStandIn(host=options.host, port=options.port)
    run(standin, lambda: f"openai stand-in {standin.base_url} key {standin.key}")
