"""The stand-in as a process."""

from __future__ import annotations

from tests.standins.dify import DifyStandIn
from tests.standins.served import parser, run

if __name__ == "__main__":
    command = parser("dify", __doc__)
    command.add_argument("--prefix", default="", help="a path before /v1, as a reverse proxy has it")
    options = command.parse_args()
    standin = DifyStandIn(host=options.host, port=options.port, prefix=options.prefix)
    keys = ",".join(f"{name}={key}" for name, key in standin.keys.items())
    run(standin, lambda: f"dify stand-in {standin.base_url} keys {keys}")
