"""Similarities are 1 for the same text in any script, and agree with the literature's examples."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalrpc_server.evaluators.builtin.words import words_of
from tests.evaluators.cases import case, say, value

SAME_TEXT = [
    "The cat sat on the mat.",
    "Столица России - Москва.",
    "中国的首都是北京。",
    "日本の首都は東京です。",
    "ประเทศไทยมีกรุงเทพเป็นเมืองหลวง",
    "भारत की राजधानी नई दिल्ली है।",
    "عاصمة مصر هي القاهرة.",
    "Η πρωτεύουσα είναι η Αθήνα.",
    "대한민국의 수도는 서울이다.",
]
SIMILARITIES = ["levenshtein", "jaro_winkler", "token_f1", "rouge_l", "bleu", "chrf"]


@pytest.mark.parametrize("text", SAME_TEXT)
@pytest.mark.parametrize("name", SIMILARITIES)
def test_the_same_text_scores_one_in_every_script(name, text):
    assert value(name, text, text) == pytest.approx(1.0)


@pytest.mark.parametrize("text", SAME_TEXT)
@pytest.mark.parametrize("name", SIMILARITIES)
def test_an_answer_that_begins_right_scores_between_nothing_and_one(name, text):
    assert 0 < value(name, text[: len(text) * 2 // 3], text) < 1


@given(st.text(), st.text())
@pytest.mark.parametrize("name", ["levenshtein", "jaro_winkler", "token_f1", "rouge_l"])
def test_a_similarity_is_a_number_from_zero_to_one_and_the_same_both_ways(name, a, b):
    there, back = value(name, a, b), value(name, b, a)
    assert 0 <= there <= 1
    assert there == pytest.approx(back)


@pytest.mark.parametrize(
    ("output", "expected", "similarity"),
    [
        ("kitten", "sitting", 1 - 3 / 7),
        ("", "", 1.0),
        ("", "abcd", 0.0),
        ("Москва", "Масква", 1 - 1 / 6),
        ("北京", "南京", 0.5),
        ("é", "e\u0301", 1.0),
        ([1, 2], [1, 3], 1 - 1 / 5),
    ],
)
def test_levenshtein(output, expected, similarity):
    assert value("levenshtein", output, expected) == pytest.approx(similarity, abs=1e-12)


@pytest.mark.parametrize(
    ("output", "expected", "similarity"),
    [("MARTHA", "MARHTA", 0.9611), ("DWAYNE", "DUANE", 0.84), ("DIXON", "DICKSONX", 0.8133), ("", "a", 0.0)],
)
def test_jaro_winkler_agrees_with_the_published_examples(output, expected, similarity):
    assert value("jaro_winkler", output, expected) == pytest.approx(similarity, abs=5e-5)


@pytest.mark.parametrize(
    ("output", "expected", "score"),
    [
        ("the cat is on the mat", "the cat sat on the mat", 10 / 12),
        ("mat the on sat cat The", "the cat sat on the mat", 1.0),
        ("Paris!", "paris", 1.0),
        ("Rome", "Paris", 0.0),
        ("", "", 1.0),
        ("", "Paris", 0.0),
        ("北京", "北海", 0.5),
        ("don't", "do n't", 0.0),
    ],
)
def test_token_f1(output, expected, score):
    assert value("token_f1", output, expected) == pytest.approx(score)


def test_rouge_l_agrees_with_the_example_of_its_paper():
    # Lin 2004, section 3.1: the candidates share two and three words in order with "police killed the gunman".
    reference = "police killed the gunman"
    assert value("rouge_l", "police kill the gunman", reference) == pytest.approx(0.75)
    assert value("rouge_l", "the gunman kill police", reference) == pytest.approx(0.5)
    said = say("rouge_l", case("the gunman police killed", reference))
    assert said.value == pytest.approx(0.5)
    assert said.comment == "precision 0.500 (2 of 4), recall 0.500 (2 of 4)"


def test_bleu_and_chrf_agree_with_sacrebleu_and_take_several_references():
    import sacrebleu

    output = "The dog had bit the man."
    references = ["The dog bit the man.", "The dog had bitten the man."]
    assert value("bleu", output, references) == pytest.approx(
        sacrebleu.sentence_bleu(output, references).score / 100
    )
    assert value("chrf", output, references[0]) == pytest.approx(
        sacrebleu.sentence_chrf(output, references[:1]).score / 100
    )
    assert value("chrf", output, references[0], word_order=2) == pytest.approx(
        sacrebleu.sentence_chrf(output, references[:1], word_order=2).score / 100
    )
    assert say("bleu", case(output, {"a": 1})).unscored


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Don't stop, it's 5 o'clock!", ["Don't", "stop", "it's", "5", "o'clock"]),
        ("naïve café\u0301", ["naïve", "café\u0301"]),
        ("北京2008年", ["北", "京", "2008", "年"]),
        ("नमस्ते दुनिया", ["नमस्ते", "दुनिया"]),
        ("snake_case a.b-c", ["snake", "case", "a", "b", "c"]),
        ("... !!! 🙂", []),
    ],
)
def test_words(text, words):
    assert words_of(text) == words
