"""Reading what a Dify application answers, as a stream of events or as one document.

https://docs.dify.ai/api-reference
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct, field

from evalrpc_server.domain.documents import JsonValue
from evalrpc_server.domain.results import Context
from evalrpc_server.domain.usage import Usage
from evalrpc_server.targets.json_paths import at, count_at, entries_at, number_at, text_at
from evalrpc_server.targets.vendors import ContextShape

_RESOURCES = ContextShape(id=("segment_id",), source=("document_name", "title"))
_IDENTIFIERS = ("message_id", "conversation_id", "workflow_run_id", "task_id")
_MOST_TOOL_CALLS = 50
_MOST_OBSERVED = 2000  # characters of what a tool gave


class Transcript(Struct):
    """What an application has said so far, put together from events.

    Attributes:
        ended: whether the event came after which there is no more to say.
        run: how the workflow ended, of an application that is one; None where nothing is known of it.
        metadata: what came with the whole answer.
        identifiers: of what Dify made: message, conversation, run, task.
    """

    ended: bool = False
    run: JsonValue = None
    metadata: JsonValue = None
    identifiers: dict[str, str] = field(default_factory=dict)
    _pieces: list[str] = field(default_factory=list)
    _thoughts: dict[str, JsonValue] = field(default_factory=dict)
    _retrieved: list[JsonValue] = field(default_factory=list)

    def add(self, event: JsonValue, *, workflow: bool) -> None:
        """Takes in an event that is no error; unknown ones say nothing.

        Args:
            event: parsed.
            workflow: whether the application is a workflow, which ends with its run.
        """
        for name in _IDENTIFIERS:
            if value := text_at(event, name):
                self.identifiers[name] = value
        match at(event, "event"):
            case "message" | "agent_message":
                self._pieces.append(text_at(event, "answer"))
            case "message_replace":
                self._pieces = [text_at(event, "answer")]
            case "agent_thought":
                self._thoughts[text_at(event, "id")] = event
            case "node_finished" if at(event, "data", "node_type") == "knowledge-retrieval":
                self._retrieved += entries_at(event, "data", "outputs", "result")
            case "workflow_finished":
                self.run = at(event, "data")
                self.ended = self.ended or workflow
            case "message_end":
                self.metadata = at(event, "metadata")
                self.ended = True

    @property
    def answer(self) -> str:
        """The text so far."""
        return "".join(self._pieces)

    @property
    def tool_calls(self) -> list[JsonValue]:
        """What an agent called, with what it got, cut to 2,000 characters each."""
        calls = [thought for thought in self._thoughts.values() if text_at(thought, "tool")]
        return [
            {
                "name": text_at(thought, "tool"),
                "arguments": text_at(thought, "tool_input")[:_MOST_OBSERVED],
                "result": text_at(thought, "observation")[:_MOST_OBSERVED],
            }
            for thought in calls[:_MOST_TOOL_CALLS]
        ]

    @property
    def contexts(self) -> tuple[Context, ...]:
        """The passages: those that the application cites, else those that its retrieval steps found."""
        cited = _RESOURCES.read(entries_at(self.metadata, "retriever_resources"))
        return cited or _RESOURCES.read(_flat(self._retrieved))

    @property
    def usage(self) -> Usage | None:
        """What the models consumed; the price only where it is in US dollars."""
        usage = at(self.metadata, "usage")
        if not isinstance(usage, dict):
            return None
        price = number_at(usage, "total_price")
        in_dollars = at(usage, "currency") == "USD" and price is not None and price >= 0
        return Usage(
            input_tokens=count_at(usage, "prompt_tokens"),
            output_tokens=count_at(usage, "completion_tokens"),
            cost_usd=price if in_dollars else None,
        )


def transcript_of(document: JsonValue) -> Transcript:
    """Reads an answer in blocking mode."""
    transcript = Transcript()
    transcript.add({**document, "event": "message"}, workflow=False)
    transcript.metadata = at(document, "metadata")
    transcript.run = at(document, "data")
    transcript.ended = True
    return transcript


def _flat(found: Sequence[JsonValue]) -> list[JsonValue]:
    """Returns what a retrieval step found in the shape of what is cited."""
    return [{**(at(entry, "metadata") or {}), **entry} for entry in found]
