"""The stand-in as a process."""

from __future__ import annotations

from tests.standins.ragflow import RagflowStandIn
from tests.standins.served import parser, run

if __name__ == "__main__":
    command = parser("ragflow", __doc__)
    command.add_argument("--generation", choices=("0.21", "0.24", "0.26"), default="0.21")
    options = command.parse_args()
    standin = RagflowStandIn(generation=options.generation, host=options.host, port=options.port)
    run(
        standin,
        lambda: (
            f"ragflow {standin.generation} stand-in {standin.url} key {standin.key} "
            f"chat {standin.chat_id} agent {standin.agent_id}"
        ),
    )
