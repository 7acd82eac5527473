"""Selectors and predicates over JSON: JMESPath (https://jmespath.org/specification.html), bounded in what it may cost.

In a predicate, null, false, "", [] and {} are false and everything else is true, also the number 0.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, TypeAlias

import jmespath
import jmespath.exceptions
from jmespath.functions import Functions, signature
from jmespath.visitor import Options, TreeInterpreter

from evalrpc_server.domain.documents import JsonValue

MAX_EXPRESSION_CHARACTERS = 2000
MAX_WIDTH = 256
"""How many times over an expression may repeat its input: the product of the sizes of its multi-selects."""

_MAX_STEPS = 200_000
_MAX_CHARACTERS = 4 * 1024 * 1024


_Node: TypeAlias = Any
"""A node of an expression's tree, a dict; jmespath names no type for it."""


class SelectorSyntaxError(ValueError):
    """An expression is no JMESPath, or may grow too much; the message follows the field's name."""


class SelectorError(Exception):
    """An expression cannot be applied to this document; the message follows the field's name."""


class Selector:
    """A compiled expression.

    Raises:
        SelectorSyntaxError: it is malformed or too large.
    """

    def __init__(self, expression: str) -> None:
        self.expression = expression
        self._tree = _compile(expression)

    def find(self, document: JsonValue) -> JsonValue:
        """Returns what the expression selects; None where it selects nothing.

        Raises:
            SelectorError: a function was given what it does not take, or the expression takes too long.
        """
        interpreter = _BoundedInterpreter()
        try:
            return interpreter.visit(self._tree, document)
        except jmespath.exceptions.JMESPathError as error:
            raise SelectorError(f"cannot be applied to the answer: {_explain(error)}") from None
        except RecursionError:
            raise SelectorError("cannot be applied to the answer: it is nested too deep") from None
        except (TypeError, ValueError, OverflowError):
            raise SelectorError("cannot be applied to the answer: it meets values of other types") from None

    def holds(self, document: JsonValue) -> bool:
        """Returns whether the document makes the expression true.

        Raises:
            SelectorError: as `find`.
        """
        found = self.find(document)
        return not (found is None or found is False or found in ("", [], {}))


class _TooCostlyError(jmespath.exceptions.JMESPathError):
    pass


class _BoundedFunctions(Functions):
    @signature({"types": ["string"]}, {"types": ["array-string"]})
    def _func_join(self, separator: str, strings: list[str]) -> str:
        if sum(map(len, strings)) + len(separator) * len(strings) > _MAX_CHARACTERS:
            raise _TooCostlyError("its text grows too long")
        return separator.join(strings)


class _BoundedInterpreter(TreeInterpreter):
    """Counts its steps, of which one is taken for each element of a projection."""

    def __init__(self) -> None:
        super().__init__(Options(custom_functions=_BoundedFunctions()))
        self._steps = 0

    def visit(self, node: _Node, *args: Any, **kwargs: Any) -> Any:
        self._steps += 1
        if self._steps > _MAX_STEPS:
            raise _TooCostlyError("it takes too many steps")
        return super().visit(node, *args, **kwargs)


@lru_cache(maxsize=1000)
def _compile(expression: str) -> _Node:
    if len(expression) > MAX_EXPRESSION_CHARACTERS:
        raise SelectorSyntaxError(f"must be at most {MAX_EXPRESSION_CHARACTERS} characters")
    try:
        tree: _Node = jmespath.compile(expression).parsed
        width = _width(tree)
        _check_functions(tree)
    except jmespath.exceptions.JMESPathError as error:
        raise SelectorSyntaxError(f"is not valid JMESPath: {_explain(error)}") from None
    except RecursionError:
        raise SelectorSyntaxError("is nested too deep") from None
    if width > MAX_WIDTH:
        raise SelectorSyntaxError(
            f"may repeat its input {width} times, and {MAX_WIDTH} times is the limit; select less at once"
        )
    return tree


def _width(node: _Node) -> int:
    children = [child for child in node.get("children", ()) if isinstance(child, dict)]
    width = len(children) if node["type"] in {"multi_select_list", "multi_select_dict"} else 1
    for child in children:
        width *= _width(child)
    return max(width, 1)


def _check_functions(node: _Node) -> None:
    children = [child for child in node.get("children", ()) if isinstance(child, dict)]
    if node["type"] == "function_expression":
        known = _BoundedFunctions.FUNCTION_TABLE.get(node["value"])
        if known is None:
            raise SelectorSyntaxError(f"calls {node['value']}(), which JMESPath does not have")
        parameters = known["signature"]
        variadic = bool(parameters) and bool(parameters[-1].get("variadic"))
        if len(children) < len(parameters) or (len(children) > len(parameters) and not variadic):
            raise SelectorSyntaxError(
                f"calls {node['value']}() with {len(children)} arguments; it takes {len(parameters)}"
            )
    for child in children:
        _check_functions(child)


def _explain(error: jmespath.exceptions.JMESPathError) -> str:
    if isinstance(error, jmespath.exceptions.IncompleteExpressionError):
        return "it ends too early"
    if isinstance(error, jmespath.exceptions.EmptyExpressionError):
        return "it is empty"
    if isinstance(error, jmespath.exceptions.LexerError | jmespath.exceptions.ParseError):
        return f"it is malformed at character {error.lex_position + 1}"
    if isinstance(error, jmespath.exceptions.JMESPathTypeError):
        return f"{error.function_name}() was given {error.actual_type}, and takes {', '.join(error.expected_types)}"
    return str(error).partition("\n")[0][:200]
