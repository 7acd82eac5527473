"""SQL and XML are parsed, never run or expanded."""

from __future__ import annotations

import pytest

from evalrpc_server.evaluators.builtin.registry import Level
from evalrpc_server.evaluators.builtin.validation import validate_builtin
from tests.evaluators.cases import case, say, value


@pytest.mark.parametrize(
    ("output", "params", "verdict"),
    [
        ("SELECT a FROM t WHERE b > 3", {}, True),
        ("```sql\nSELECT 1;\nSELECT 2;\n```", {}, True),
        ("SELECT FROM WHERE", {}, False),
        ("SELECT (1", {}, False),
        ("", {}, False),
        ("-- only a comment", {}, False),
        ("SELECT `a` FROM `t`", {"dialect": "mysql"}, True),
        ({"sql": "SELECT 1"}, {"output_path": "/sql"}, True),
        (3, {}, False),
    ],
)
def test_sql_valid(output, params, verdict):
    assert value("sql_valid", output, **params) is verdict


@pytest.mark.parametrize(
    ("output", "expected", "verdict"),
    [
        ("select A,b\nfrom T -- all of it", "SELECT a, b FROM t;", True),
        ("SELECT a AS x FROM t", "SELECT a x FROM t", True),
        ("SELECT a FROM t", "SELECT b FROM t", False),
        ("SELECT 'A'", "SELECT 'a'", False),
        ("SELECT FROM WHERE", "SELECT a FROM t", False),
    ],
)
def test_sql_equal(output, expected, verdict):
    assert value("sql_equal", output, expected) is verdict


def test_expected_sql_that_does_not_parse_judges_nothing():
    assert (say("sql_equal", case("SELECT 1", "SELECT (")).unscored or "").startswith(
        "expected_output is not SQL"
    )


def test_an_unknown_dialect_is_refused_and_the_known_ones_are_named():
    [violation] = validate_builtin("sql_valid", {"dialect": "klingon"}, Level.ITEM)
    assert violation.path == "builtin.params.dialect"
    assert "postgres" in violation.description


def test_long_sql_is_an_error():
    said = say("sql_valid", case("SELECT " + "1 + " * 20_000 + "1"))
    assert said.error is not None
    assert "too long" in said.error.message


BILLION_LAUGHS = (
    '<!DOCTYPE l [<!ENTITY a "lol">'
    + "".join(f'<!ENTITY {chr(98 + i)} "{f"&{chr(97 + i)};" * 10}">' for i in range(9))
    + "]><l>&j;</l>"
)


@pytest.mark.parametrize(
    ("output", "params", "verdict"),
    [
        ("<a><b x='1'/>t</a>", {}, True),
        ("```xml\n<a>é</a>\n```", {}, True),
        ('<?xml version="1.0"?>\n<a/>', {}, True),
        ("<a><b></a></b>", {}, False),
        ("<a/><b/>", {}, False),
        ("text", {}, False),
        ("", {}, False),
        ("<a/>", {"root": "a"}, True),
        ("<b/>", {"root": "a"}, False),
        (BILLION_LAUGHS, {}, False),
        ('<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>', {}, True),
        ('<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>', {}, False),
        ("<a>" * 300_000, {}, False),
        ("<a>" * 100_000 + "</a>" * 100_000, {}, True),
    ],
)
def test_xml_valid(output, params, verdict):
    assert value("xml_valid", output, **params) is verdict


def test_xml_that_is_not_says_where():
    assert say("xml_valid", case("<a>\n<b></a>")).comment == "is not XML: mismatched tag at line 2, column 6"
