from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalrpc_server.domain.documents import Document
from evalrpc_server.domain.templates import (
    JsonTemplate,
    TemplateError,
    TemplateSyntaxError,
    TextTemplate,
)

SCOPE = {
    "input": Document(
        '{"question":"Who \\"is\\" it?\\n","big":9007199254740993,"price":1.10,"on":true,"none":null,'
        '"list":[{"a":1},2],"a b":"spaced","é":"é"}'
    ),
    "item_id": Document('"it-1"'),
    "metadata": Document("null"),
}


def render(template: object) -> str:
    return JsonTemplate(template).render(SCOPE)


@pytest.mark.parametrize(
    ("placeholder", "expected"),
    [
        ("{{input.question}}", '"Who \\"is\\" it?\\n"'),
        ("{{input.big}}", "9007199254740993"),
        ("{{input.price}}", "1.10"),
        ("{{ input.on }}", "true"),
        ("{{input.none}}", "null"),
        ("{{input.list}}", '[{"a":1},2]'),
        ("{{input.list[0].a}}", "1"),
        ("{{input.list[-1]}}", "2"),
        ('{{input["a b"]}}', '"spaced"'),
        ('{{input["\\u00e9"]}}', '"é"'),
        ("{{input.missing?}}", "null"),
        ("{{metadata.user.name?}}", "null"),
    ],
)
def test_a_lone_placeholder_becomes_the_value_with_its_own_type(placeholder, expected):
    assert render({"x": placeholder}) == f'{{"x":{expected}}}'


def test_values_within_a_text_stand_as_text():
    text = "Q {{input.question}}/{{input.big}}/{{input.on}}/{{input.list}}/{{input.none?}}."
    assert json.loads(render([text])) == ['Q Who "is" it?\n/9007199254740993/true/[{"a":1},2]/.']


def test_what_holds_no_placeholder_is_sent_as_it_is():
    template = {"a": [1, 1.5, True, None, "x } {"], "b": {}, "c": []}
    assert json.loads(render(template)) == template


def test_braces_are_written_as_text_in_quotes():
    assert json.loads(render(['{{"{{"}}x}}', '{{"{{"}} {{item_id}}'])) == ["{{x}}", "{{ it-1"]


@given(st.text())
def test_no_value_can_leave_its_place(text):
    rendered = JsonTemplate({"a": "{{input}}", "b": "<{{input}}>", "c": 1}).render(
        {"input": Document(json.dumps(text))}
    )
    assert json.loads(rendered) == {"a": text, "b": f"<{text}>", "c": 1}


@pytest.mark.parametrize(
    ("placeholder", "problem"),
    [
        ("{{input.missing}}", "leads to no value"),
        ("{{input.list[7]}}", "leads to no value"),
        ("{{input.question.x}}", "leads to no value"),
        ("a {{input.none}}", "is null"),
    ],
)
def test_a_path_that_leads_nowhere_fails_and_names_itself(placeholder, problem):
    with pytest.raises(TemplateError, match=problem) as raised:
        render(placeholder)
    assert raised.value.placeholder in placeholder


@pytest.mark.parametrize(
    "text", ["{{", "{{}}", "{{input.x", "{{a b}}", "{{input..x}}", "{{input[x]}}", "{{.x}}"]
)
def test_a_malformed_placeholder_is_a_fault_of_the_template(text):
    with pytest.raises(TemplateSyntaxError):
        TextTemplate(text)


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ({"messages": [{"content": "{{a b}}"}]}, ".messages[0].content"),
        ({"a": {"{{input}}": 1}}, ".a"),
        ({"a": [1e300]}, ".a[0]"),
    ],
)
def test_a_fault_names_its_place(template, path):
    with pytest.raises(TemplateSyntaxError) as raised:
        JsonTemplate(template)
    assert raised.value.path == path


def test_text_templates_escape_values_and_nothing_else():
    template = TextTemplate("a b/{{input.question}}/${x}")
    assert template.render(SCOPE, escape=lambda _: "<>", literal=str.upper) == "A B/<>/${X}"
