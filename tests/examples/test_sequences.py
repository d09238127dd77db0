"""The examples that read and write characters: what they are compared with, and what they write."""

from __future__ import annotations

import csv
import importlib.util
from math import fsum, log2
from pathlib import Path
from types import ModuleType

import axonc
import numpy as np
import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def ngram() -> ModuleType:
    """The script beside the character model."""
    spec = importlib.util.spec_from_file_location("ngram", EXAMPLES / "characters" / "ngram.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_ngrams_are_counted_and_tested_on_the_parts_that_the_network_has(ngram: ModuleType) -> None:
    program = axonc.compile(EXAMPLES / "characters" / "gpt.axon", overrides={"updates": 1})
    program.fit()
    assert program.data is not None
    for part, text in zip(
        program.data.parts.values(), ngram.parts(ngram.TEXT.read_text(encoding="utf-8")), strict=True
    ):
        tokens = part.arrays()["tokens"]
        assert len(tokens) == (len(text) - 1 - 128) // 64 + 1
        equal = np.array(list(text[:128]))[:, None] == np.array(list(text[:128]))
        np.testing.assert_array_equal(tokens[0][:, None] == tokens[0], equal)


def test_the_chances_of_all_characters_are_one_together(ngram: ModuleType) -> None:
    model = ngram.KneserNey("abracadabra and abracadabra", order=3, discount=0.75)
    for before in ("abr", "zzz", "", "d a", "xra"):
        everything = [model.chance(before, c) for c in {*"abracadabra and", "?"}]
        assert fsum(everything) == pytest.approx(1)


def test_bits_of_a_text_are_those_of_its_characters(ngram: ModuleType) -> None:
    model = ngram.KneserNey("abababab", order=1, discount=0.5)
    each = [model.chance("a", "b"), model.chance("b", "a")]
    assert model.bits("a", "ba") == pytest.approx(-sum(map(log2, each)) / 2)


def test_what_a_model_of_dates_writes_is_right_as_often_as_its_metric_says() -> None:
    program = axonc.compile(EXAMPLES / "dates" / "transformer.axon", overrides={"updates": 250})
    measured = program.fit().test["exact"]
    assert program.data is not None
    arrays = program.data.parts["test"].arrays()
    with (EXAMPLES / "dates" / "dates.csv").open(encoding="utf-8") as file:
        known = {row["iso"] for row in csv.DictReader(file)}
    written = program.generate(inputs={"written": arrays["written"]})
    right = [np.array_equal(w.tokens, answer) for w, answer in zip(written, arrays["answer"], strict=True)]
    assert np.mean(right) == pytest.approx(measured)
    assert measured > 0.15
    assert {w.text for w, yes in zip(written, right, strict=True) if yes} <= known
