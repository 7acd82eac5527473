from __future__ import annotations

import pytest

from evalrpc_server.domain.selectors import Selector, SelectorError, SelectorSyntaxError

CHUNKS = {"list": {"chunks": [{"content": "a"}]}, "dict": {"chunks": {"h1": {"content": "a"}}}}


@pytest.mark.parametrize("shape", ["list", "dict"])
def test_one_expression_reads_lists_and_objects_of_chunks(shape):
    selector = Selector("chunks.*.content || chunks[].content")
    assert selector.find(CHUNKS[shape]) == ["a"]
    assert selector.find({"chunks": []}) == []
    assert selector.find({}) is None


@pytest.mark.parametrize(
    ("predicate", "document", "holds"),
    [
        ("code == `0`", {"code": 0}, True),
        ("code == `0`", {"code": 1}, False),
        ("code", {"code": 0}, True),
        ("!code", {}, True),
        ("done", {"done": False}, False),
        ("done", {"done": ""}, False),
        ("choices && !error", {"choices": [1]}, True),
    ],
)
def test_predicates_know_false_from_zero(predicate, document, holds):
    assert Selector(predicate).holds(document) is holds


def test_integers_stay_exact():
    assert Selector("a.b").find({"a": {"b": 9007199254740993123}}) == 9007199254740993123


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("", "it is empty"),
        ("a..b", "malformed at character 3"),
        ("a[", "ends too early"),
        ("nothing(a)", "which JMESPath does not have"),
        ("length()", "with 0 arguments; it takes 1"),
        ("[@,@]|" * 9 + "@", "may repeat its input 512 times"),
        ("a" * 2001, "at most 2000 characters"),
        ("(" * 1500 + "a" + ")" * 400, "is"),
    ],
)
def test_a_wrong_expression_is_told_before_it_is_used(expression, problem):
    with pytest.raises(SelectorSyntaxError, match=problem.replace("(", r"\(")):
        Selector(expression)


@pytest.mark.parametrize(
    ("expression", "document", "problem"),
    [
        ("length(a)", {"a": 1}, r"length\(\) was given number"),
        ("join(a, b)", {"a": "x" * 3_000_000, "b": ["", "", ""]}, "grows too long"),
        ("a[].[@,@][].[@,@][].[@,@]", {"a": list(range(50_000))}, "too many steps"),
    ],
)
def test_an_expression_that_does_not_fit_the_document_fails(expression, document, problem):
    with pytest.raises(SelectorError, match=problem):
        Selector(expression).find(document)
