"""Long texts are normalised in slices, and nobody can tell."""

from __future__ import annotations

import random
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalrpc_server.evaluators.builtin import unicode
from evalrpc_server.evaluators.builtin.unicode import normalize
from evalrpc_server.evaluators.builtin.verdicts import CannotJudge

DELICATE = st.text(
    st.sampled_from(
        "aé\u0301\u0323\u0338<=\u1100\u1161\u11a8가각\u09c7\u09be\u0b47\u0b3e\ufb01\u3099か\u0344"
    )
)


@pytest.mark.parametrize("form", ["NFC", "NFKC"])
@given(text=DELICATE)
def test_slices_give_the_same_text_as_the_whole(form, text):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(unicode, "SLICE", max(3, sum(not unicode._begins_anew(c) for c in text)))
        assert normalize(form, text) == unicodedata.normalize(form, text)


def test_every_character_that_joins_the_one_before_it_is_known():
    starters = [chr(code) for code in range(0x20000) if unicodedata.category(chr(code)) not in {"Cs", "Cn"}]
    joined = {
        second
        for second in starters
        if unicode._begins_anew(second)
        for first in ("a", "\u1100", "\uac00", "\u0915", "\u304b", second)
        if unicodedata.normalize("NFC", first + second)
        != unicodedata.normalize("NFC", first) + unicodedata.normalize("NFC", second)
    }
    assert joined == set()


@pytest.mark.parametrize("form", ["NFC", "NFKC"])
def test_a_long_text_in_many_scripts(form):
    source = random.Random(11)
    text = "".join(source.choices("abc é\u0301\u0323中国가\u1100\u1161\u11a8नमस्ते", k=50_000))
    assert normalize(form, text) == unicodedata.normalize(form, text)


def test_a_text_that_grows_too_long_is_refused():
    with pytest.raises(CannotJudge, match="more than 2097152 characters"):
        normalize("NFKC", "\ufdfa" * 300_000)
