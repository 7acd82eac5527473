"""Evaluators that the server has: its own, and those that were registered under a name and a version."""

from __future__ import annotations

from evalrpc import Client, builtin, registered

with Client() as client:
    for each in client.list_builtin_evaluators(level="item"):
        if each.name == "contains":
            print(each.name, sorted(each.params_schema["properties"]))
    accuracy = client.register_evaluator(builtin("contains", name="capital_named", ignore_case=True))
    print(accuracy, client.get_evaluator("capital_named").version)
    result = client.run_experiment(
        name="Registered",
        data=[{"input": "PARIS", "expected_output": "paris"}],
        task=lambda *, item: item.input,
        evaluators=[registered("capital_named"), registered(str(accuracy), name="pinned")],
    )
    client.delete_evaluator("capital_named")
print([(each.name, each.evaluator, each.value) for each in result.item_results[0].evaluations])
