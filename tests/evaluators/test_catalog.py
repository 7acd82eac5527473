"""The catalogue tells a caller all that is needed to use a builtin."""

from __future__ import annotations

import json
import re

import jsonschema
import pytest

from evalrpc_server.evaluators.builtin.validation import validate_builtin
from evalrpc_server.evaluators.catalog import Level, list_builtins

CATALOGUE = {builtin.name: builtin for builtin in list_builtins()}

KEYWORDS = {
    "additionalProperties",
    "default",
    "description",
    "enum",
    "exclusiveMinimum",
    "items",
    "maxItems",
    "maxLength",
    "maximum",
    "minItems",
    "minLength",
    "minProperties",
    "minimum",
    "type",
}


def test_the_catalogue_is_in_alphabetical_order_and_has_both_levels():
    assert list(CATALOGUE) == sorted(CATALOGUE)
    assert {builtin.level for builtin in list_builtins()} == {Level.ITEM, Level.RUN}


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_builtin_describes_itself_and_each_parameter(name):
    builtin = CATALOGUE[name]
    assert re.fullmatch(r"[a-z][a-z0-9_]*", name)
    assert re.match(r"[A-Z].{20,}", builtin.description)
    assert builtin.description.rstrip().endswith(".")
    schema = json.loads(builtin.params_schema)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["additionalProperties"] is False
    for parameter, about in schema["properties"].items():
        assert about["description"].endswith("."), parameter
        assert about.keys() <= KEYWORDS, parameter


@pytest.mark.parametrize("name", CATALOGUE)
def test_the_schema_and_the_server_agree_on_what_is_valid(name):
    builtin = CATALOGUE[name]
    schema = json.loads(builtin.params_schema)
    validator = jsonschema.Draft202012Validator(schema)
    defaults = {key: about["default"] for key, about in schema["properties"].items() if "default" in about}
    wrong = {key: {"wrong": "kind"} for key in schema["properties"]}
    for params in ({}, defaults, {"unheard_of": 1}, wrong):
        assert validator.is_valid(params) is not bool(validate_builtin(name, params, builtin.level)), params
