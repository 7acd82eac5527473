"""A first run: a function of this process, an evaluator of the server's, and the report."""

from __future__ import annotations

from typing import Any

from evalrpc import Client, builtin

CAPITALS = {"France": "Paris", "Germany": "Berlin"}


def capital(*, item: Any) -> str:
    """Answers a question about a country."""
    return f"It is {CAPITALS[item.input]}."


with Client() as client:  # at EVALRPC_ADDRESS, or localhost:50051
    result = client.run_experiment(
        name="Geography Quiz",
        data=[{"input": country, "expected_output": city} for country, city in CAPITALS.items()],
        task=capital,
        evaluators=[builtin("contains", name="accuracy")],
        run_evaluators=[builtin("mean", name="avg_accuracy", evaluation="accuracy")],
    )
print(result.format(include_item_results=True))
