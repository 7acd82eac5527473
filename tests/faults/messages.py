"""Random messages of any type, made from its descriptor: some absurd, most nearly right, so that they get past the door."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

_Field = FieldDescriptor
_SIGNED = {_Field.TYPE_INT32, _Field.TYPE_SINT32, _Field.TYPE_SFIXED32}
_WIDE = {_Field.TYPE_INT64, _Field.TYPE_SINT64, _Field.TYPE_SFIXED64}
_DEEPEST = 6

TEXTS = (
    "",
    " ",
    "a",
    "accuracy",
    "accuracy@1",
    "accuracy@99999999999999999999999999",
    "accuracy@" + "9" * 5000,
    "a@0",
    "@",
    "contains",
    "mean",
    "\x00",
    "nul\x00inside",
    "line\nbreak",
    "\u202eright to left",
    "e\u0301\U0001f9d1\u200d\U0001f680",
    "\ufffe\uffff",
    "x" * 256,
    "y" * 20_000,
    "../../etc/passwd",
    "'; DROP TABLE experiments; --",
    "%s%n{0}{}",
    "${secret:NOT_THERE}",
    "${secret:",
    "1e400",
    "NaN",
    "null",
    "[1, 2.50, 12345678901234567890]",
    '{"a": {"b": [null, true]}}',
    '"\\ud800"',
    "[" * 200,
    "[" * 200 + "]" * 200,
    "{not json",
    "http://",
    "http://[::1",
    "http://127.0.0.1:99999/x",
    "http://user:word@127.0.0.1/",
    "ftp://127.0.0.1/",
    "127.0.0.1:1",
    "(a+)+$",
    "(?P<n",
    "/a/0/~1",
    "2026-02-30T00:00:00Z",
)
INTEGERS = (0, 1, 2, 3, 10, 100, -1, -100, 255, 1000, 10_001, 86_401)
FLOATS = (
    0.0,
    -0.0,
    0.5,
    1.0,
    -1.0,
    3.0,
    1e-320,
    1e308,
    2.0**53 + 2,
    float("nan"),
    float("inf"),
    -float("inf"),
)


class Messages:
    """A source of messages.

    Args:
        dice: decides everything.
        texts: strings that mean something to the server, besides the absurd ones; it may grow.
        addresses: URLs and targets that fields of these names get.
    """

    def __init__(self, dice: random.Random, texts: list[str], addresses: Sequence[str]) -> None:
        self._dice = dice
        self._texts = texts
        self._addresses = addresses

    def message(self, kind: type[Message], depth: int = 0) -> Message:
        """Returns a message with some of its fields set."""
        made = kind()
        for field in made.DESCRIPTOR.fields:
            if self._dice.random() < (0.5 if depth < 2 else 0.3):
                self._set(made, field, depth)
        return made

    def mutated(self, seed: Message) -> Message:
        """Returns a copy of a message with a few fields set anew, somewhere within."""
        made = type(seed)()
        made.CopyFrom(seed)
        for _ in range(self._dice.choice((1, 1, 1, 2, 3))):
            place, depth = made, 0
            while (inner := self._inner(place)) is not None and self._dice.random() < 0.75:
                place, depth = inner, depth + 1
            if place.DESCRIPTOR.fields:
                self._set(place, self._dice.choice(place.DESCRIPTOR.fields), depth)
        return made

    def damaged(self, raw: bytes) -> bytes:
        """Returns bytes that are cut off, changed, or have nothing to do with those given."""
        dice = self._dice
        match dice.randrange(4):
            case 0:
                return dice.randbytes(dice.randint(0, 200))
            case 1:
                return raw[: dice.randint(0, len(raw))]
            case 2:
                place = dice.randint(0, len(raw))
                return raw[:place] + dice.randbytes(dice.randint(1, 8)) + raw[place:]
            case _:
                changed = bytearray(raw or b"\x00")
                for _ in range(dice.randint(1, 4)):
                    changed[dice.randrange(len(changed))] = dice.randrange(256)
                return bytes(changed)

    def _inner(self, message: Message) -> Message | None:
        """Returns one of the messages right within a message, if there is one."""
        found: list[Message] = []
        for field, value in message.ListFields():
            if _is_map(field):
                found += [entry for entry in value.values() if isinstance(entry, Message)]
            elif field.message_type is not None:
                found += value if field.is_repeated else [value]
        return self._dice.choice(found) if found else None

    def _set(self, message: Message, field: Any, depth: int) -> None:
        if field.message_type is not None and depth >= _DEEPEST:
            return
        if _is_map(field):
            key, value = (field.message_type.fields_by_name[name] for name in ("key", "value"))
            for _ in range(self._dice.randint(0, 3)):
                entry = self._scalar(key)
                if value.message_type is not None:
                    getattr(message, field.name)[entry].CopyFrom(self._within(value, depth))
                else:
                    getattr(message, field.name)[entry] = self._scalar(value)
        elif field.is_repeated:
            message.ClearField(field.name)
            for _ in range(self._dice.choice((0, 1, 1, 2, 3))):
                if field.message_type is not None:
                    getattr(message, field.name).add().CopyFrom(self._within(field, depth))
                else:
                    getattr(message, field.name).append(self._scalar(field))
        elif field.message_type is not None:
            getattr(message, field.name).CopyFrom(self._within(field, depth))
        else:
            setattr(message, field.name, self._scalar(field))

    def _within(self, field: Any, depth: int) -> Message:
        return self.message(GetMessageClass(field.message_type), depth + 1)

    def _scalar(self, field: FieldDescriptor) -> Any:
        if field.type == _Field.TYPE_ENUM:
            assert field.enum_type is not None
            return self._dice.choice([*field.enum_type.values_by_number, 77])
        return self._scalars()[field.type](field)

    def _scalars(self) -> dict[int, Callable[[FieldDescriptor], Any]]:
        dice = self._dice
        return {
            _Field.TYPE_STRING: self._text,
            _Field.TYPE_BYTES: lambda _: dice.randbytes(dice.randint(0, 20)),
            _Field.TYPE_BOOL: lambda _: dice.random() < 0.5,
            _Field.TYPE_DOUBLE: lambda _: dice.choice(FLOATS),
            _Field.TYPE_FLOAT: lambda _: dice.choice(FLOATS),
            **dict.fromkeys(_SIGNED, lambda _: dice.choice((*INTEGERS, -(2**31), 2**31 - 1))),
            **dict.fromkeys(_WIDE, lambda _: dice.choice((*INTEGERS, -(2**63), 2**63 - 1, 315_576_000_001))),
            _Field.TYPE_UINT32: lambda _: dice.choice((0, 1, 100, 2**32 - 1)),
            _Field.TYPE_UINT64: lambda _: dice.choice((0, 1, 100, 2**64 - 1)),
        }

    def _text(self, field: FieldDescriptor) -> str:
        if field.name in {"url", "target", "base_url"} and self._dice.random() < 0.8:
            return self._dice.choice(self._addresses)
        return self._dice.choice(self._texts if self._texts and self._dice.random() < 0.4 else TEXTS)


def _is_map(field: Any) -> bool:
    return field.message_type is not None and bool(field.message_type.GetOptions().map_entry)
