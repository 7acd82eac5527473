"""Both clients offer the same."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest

import evalrpc
from evalrpc import AsyncClient, AsyncRun, Client, Run


@pytest.mark.parametrize(("ordinary", "asynchronous"), [(Client, AsyncClient), (Run, AsyncRun)])
def test_both_kinds_have_the_same_methods_with_the_same_parameters(
    ordinary: type, asynchronous: type
) -> None:
    ours, theirs = public(ordinary), public(asynchronous)
    if "aclose" in theirs:
        theirs["close"] = theirs.pop("aclose")  # as asynchronous generators have it
    assert set(ours) == set(theirs)
    for name, method in ours.items():
        if callable(method):
            assert parameters(method) == parameters(theirs[name]), name


@pytest.mark.parametrize(
    "kind", [Client, AsyncClient, Run, AsyncRun, *(getattr(evalrpc, name) for name in evalrpc.__all__)]
)
def test_every_public_name_is_described(kind: object) -> None:
    if inspect.isclass(kind):
        assert kind.__doc__
        for name, member in public(kind).items():
            if inspect.isfunction(member) or isinstance(member, property):
                assert member.__doc__, f"{kind.__name__}.{name}"
    elif inspect.isfunction(kind):
        assert kind.__doc__


def parameters(method: Callable[..., Any]) -> list[tuple[str, Any, Any]]:
    """Returns the names, kinds and defaults of a method's parameters."""
    return [(each.name, each.kind, each.default) for each in inspect.signature(method).parameters.values()]


def public(kind: type) -> dict[str, Any]:
    """Returns what a class offers."""
    return {name: member for name, member in inspect.getmembers(kind) if not name.startswith("_")}
