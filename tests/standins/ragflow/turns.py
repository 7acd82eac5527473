"""What assistants and agents answer to a question, and the chunks beside it. A question `!name` asks for a fault."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.standins.served import command

CHUNKS: list[dict[str, Any]] = [
    {
        "id": f"c{number}",
        "content": text,
        "document_id": f"doc{number}",
        "document_name": f"{name}.pdf",
        "dataset_id": "ds1",
        "image_id": "",
        "positions": [[1, 2, 3, 4, 5]],
        "url": None,
        "similarity": similarity,
        "vector_similarity": similarity,
        "term_similarity": similarity,
        "doc_type": "",
    }
    for number, name, text, similarity in (
        (1, "cities", "Paris is the capital of France.", 0.71),
        (2, "rivers", "The Seine flows through Paris.", 0.42),
    )
]
EMPTY_RESPONSE = "Nothing was found in the knowledge base."
PROLOGUE = "Hi! I'm your assistant."
NOTHING_ASKED = "It seems you haven't asked a question."
HINT = " Please set LLM API-Key in 'User Setting -> Model providers -> API-Key'"


@dataclass(frozen=True)
class Turn:
    """One question with its answer.

    Attributes:
        answer: as the server decorates it: with citation marks where it shows quotes.
        chunks: what was retrieved.
        fault: what the question asks to go wrong.
    """

    answer: str
    chunks: list[dict[str, Any]]
    fault: str

    def chat_reference(self) -> Any:
        """The reference of an assistant's answer; `{}` where nothing was retrieved."""
        if not self.chunks:
            return {}
        documents = [
            {"doc_name": chunk["document_name"], "doc_id": chunk["document_id"], "count": 1}
            for chunk in self.chunks
        ]
        return {"total": len(self.chunks), "chunks": self.chunks, "doc_aggs": documents}

    def agent_reference(self) -> Any:
        """The reference of an agent's answer: objects by id in place of lists."""
        chunks = {str(20 + number): chunk for number, chunk in enumerate(self.chunks)}
        documents = {chunk["document_name"]: {"count": 1} for chunk in self.chunks}
        return {"chunks": chunks, "doc_aggs": documents}


def turn(question: str, *, marks: str, answers: dict[str, str]) -> Turn:
    """Answers a question.

    Args:
        question: what was asked; empty where the server blanked it.
        marks: how a citation is marked, with `{n}` for its number; empty where quotes are off.
        answers: what the assistant knows.
    """
    if not question:
        return Turn(NOTHING_ASKED, [], "")
    name, arguments = command(question)
    mark = marks.format(n=0)
    match name:
        case "error":
            return Turn(f"**ERROR**: {arguments[0]} - the provider said so", [], name)
        case "bad-provider-key":
            return Turn(f"Error: invalid key/api{HINT}", [], name)
        case "nothing-found":
            return Turn(EMPTY_RESPONSE, [], name)
        case "think":
            return Turn(f"<think>Let me see.\nHm.</think>\nParis{mark}.", CHUNKS, name)
        case "about-errors":
            return Turn("In Markdown, write **ERROR**: like so.", [], name)
    return Turn(f"{answers.get(question, f'Echo: {question}')}{' ' if mark else ''}{mark}", CHUNKS, name)
