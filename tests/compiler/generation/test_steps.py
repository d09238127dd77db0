"""Position by position a model gives the scores that it gives for whole texts; what looks ahead is refused."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from axonc.compiler.ir.verify import verify
from axonc.generation import stepper
from axonc.program import Program
from axonc.spec.source import CompileError
from axonc.specification import check

ZOO = Path(__file__).parents[3] / "examples" / "zoo"
HEAD = "axonc 1\nmodel m(d = 8)\ninput tokens: i32[N, T]\n"
TAIL = "logits = y |> dense(9)\ngenerate tokens from logits { limit 7 }\n"
LENGTH = 7
CHUNK = 4
REDUCED: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "characters": ({"entries": 9, "width": 8, "units": 8}, ()),
    "gpt2": ({"vocabulary": 9, "context": 16, "d": 8, "heads": 2, "depth": 2}, ()),
    "seq2seq": (
        {"source_words": 9, "target_words": 9, "width": 8, "units": 8, "alignment": 4},
        ("source", "length"),
    ),
    "transformer": ({"entries": 9, "d": 8, "heads": 2, "hidden": 16, "depth": 2}, ("source",)),
}
# What stands between the tokens and the scores of a model that keeps all that it needs.
CACHED = {
    "dense": "y = embedding(9, d)(tokens) |> dense(d, activation = relu)",
    "rnn": "y = embedding(9, d)(tokens) |> rnn(d)",
    "lstm": "y = embedding(9, d)(tokens) |> lstm(d) |> lstm(d)",
    "gru": "y = embedding(9, d)(tokens) |> gru(d)",
    "running sum": "y = embedding(9, d)(tokens) |> cumsum(axis = 1)",
    "running mean": "y = cumsum(embedding(9, d)(tokens), axis = 1) / cast(unsqueeze(range(T) + 1, 1), f32)",
    "convolution": "y = embedding(9, d)(tokens) |> conv1d(d, 3, padding = [[2, 0]])",
    "dilation": "y = embedding(9, d)(tokens) |> conv1d(d, 2, padding = [[3, 0]], dilation = 3)",
    "no reach": "y = embedding(9, d)(tokens) |> conv1d(d, 1)",
    "rotary": "y = embedding(9, d)(tokens) |> transformer_encoder(2, causal = true, rotary = true)",
    "groups": "y = embedding(9, d)(tokens) |> self_attention(4, causal = true, groups = 2)",
    "seen": "y = embedding(9, d)(tokens) |> self_attention(2, causal = true, mask = tokens != 3 or range(T) == 0)",
    "learned": "y = embedding(9, d)(tokens) |> learned_positions(20) |> self_attention(2, causal = true)",
    "waves": "y = embedding(9, d)(tokens) |> sinusoidal_positions |> self_attention(2, causal = true)",
    "statistics": "y = embedding(9, d)(tokens) |> batch_norm |> self_attention(2, causal = true)",
    "own mask": """x = embedding(9, d)(tokens)
at = unsqueeze(range(T), 1)
near = range(T) <= at and range(T) > at - 3
y = softmax(where(near, x @ transpose(x), -1e9)) @ x""",
    "linear": """x = embedding(9, d)(tokens)
y = tril(x @ transpose(x)) @ x""",
    "means": """x = embedding(9, d)(tokens)
y = tril(ones(T, T)) / cast(unsqueeze(range(T) + 1, 1), f32) @ x""",
    "maxima": """x = embedding(9, d)(tokens)
before = reshape(range(T) <= unsqueeze(range(T), 1), T, T, 1)
y = max(where(before, unsqueeze(x, 1), -1e9), axis = 2)""",
    "additive": """x = embedding(9, d)(tokens)
score = tanh(unsqueeze(x, 2) + unsqueeze(x |> dense(d), 1)) |> dense(1) |> squeeze(-1)
y = softmax(where(range(T) <= unsqueeze(range(T), 1), score, -1e9)) @ x""",
    "added mask": """x = embedding(9, d)(tokens)
hidden = cast(range(T) > unsqueeze(range(T), 1), f32) * -1e9
y = softmax(x @ transpose(x) + hidden) @ x""",
    "cut mask": """x = embedding(9, d)(tokens)
mask = tril(ones(16, 16))[: T, : T]
y = softmax(where(mask > 0, x @ transpose(x), -1e9)) @ x""",
    "decay": """x = embedding(9, d)(tokens)
gap = cast(unsqueeze(range(T), 1) - range(T), f32)
y = (x @ transpose(x) * where(gap >= 0, 0.9 ** gap, 0.0)) @ x""",
    "same before": """x = embedding(9, d)(tokens)
same = unsqueeze(tokens, 2) == unsqueeze(tokens, 1) and range(T) <= unsqueeze(range(T), 1)
y = x * unsqueeze(cast(sum(same, axis = -1), f32), -1)""",
    "best before": """x = embedding(9, d)(tokens)
score = where(range(T) <= unsqueeze(range(T), 1), x @ transpose(x), -1e9)
y = x * unsqueeze(cast(argmax(score, axis = -1), f32), -1)""",
    "several kinds": """x = embedding(9, d)(tokens) |> gru(d)
y = x + (x |> self_attention(2, causal = true)) |> lstm(d) |> conv1d(d, 2, padding = [[1, 0]])""",
    "distances": """x = embedding(9, d)(tokens)
apart = unsqueeze(range(T), 1) - range(T)
bias = squeeze(embedding(16, 1)(clip(apart, 0, 15)), -1)
y = softmax(where(apart >= 0, x @ transpose(x) + bias, -1e9)) @ x""",
}
# What is right, but computed again at every position.
REPEATED = {
    "shift": "x = embedding(9, d)(tokens)\ny = x + concat(zeros(N, 1, d), x[:, : -1], axis = 1)",
    "rows": "x = embedding(9, d)(tokens)\ny = reshape(reshape(x, -1, d) |> dense(d), N, T, d)",
}
# What looks ahead, with the line and column at fault.
AHEAD = {
    "y = embedding(9, d)(tokens) |> self_attention(2)": (4, 32),
    "y = embedding(9, d)(tokens) |> gru(d, bidirectional = true)": (4, 32),
    "y = embedding(9, d)(tokens) |> conv1d(d, 3)": (4, 32),
    "x = embedding(9, d)(tokens)\ny = x + mean(x, axis = 1, keep = true)": (5, 9),
    "x, last = embedding(9, d)(tokens) |> gru(d, state = true)\ny = x + unsqueeze(last, 1)": (4, 38),
    "x = embedding(9, d)(tokens)\ny = cumsum(x, axis = 1, reverse = true)": (5, 5),
    "x = embedding(9, d)(tokens)\ny = triu(x @ transpose(x)) @ x": (5, 28),
    "x = embedding(9, d)(tokens)\ny = cumsum(x, axis = 1) / T": (5, 25),
}


def made(text: str | Path, **given: Any) -> Program:
    """A program with weights far from zero."""
    program = Program(check(text, **given))
    random = np.random.default_rng(3)
    for array in program.parameters.values():
        array[...] = random.normal(0, 0.4, array.shape)
    return program


def given(names: tuple[str, ...], rows: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(4)
    both = {
        "source": random.integers(1, 9, (rows, 5)).astype(np.int32),
        "length": random.integers(2, 6, rows).astype(np.int32),
    }
    return {name: both[name] for name in names}


@pytest.fixture(autouse=True)
def short_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("axonc.generation.CHUNK", CHUNK)


def check_against_whole(program: Program, inputs: dict[str, np.ndarray], grown: str) -> None:
    """The scores of every position against the last ones of the model's prediction for the text up to there."""
    growth = program.specification.growth
    assert growth is not None
    for count in (1, CHUNK):
        for graph in (growth.steps(count).begin, growth.steps(count).step):
            verify(graph)
    rows = 3
    tokens = np.random.default_rng(5).integers(1, 9, (rows, LENGTH)).astype(np.int32)
    writer = stepper(program, inputs, 7, LENGTH + 1)  # the last token of a text is not read
    assert writer.limit == LENGTH + 1
    whole = program.predict({**inputs, grown: tokens})["logits"]
    for _ in range(2):  # nothing is left of an earlier text
        writer.begin(inputs, rows)
        for position in range(LENGTH):
            found = writer.advance(tokens[:, position], position).copy()
            np.testing.assert_allclose(found, whole[:, position], rtol=1e-5, atol=1e-5)
            if position == 3:
                short = program.predict({**inputs, grown: tokens[:, :4]})["logits"]
                np.testing.assert_allclose(found, short[:, -1], rtol=1e-5, atol=1e-5)
        writer.begin(inputs, rows)
        writer.advance(tokens[:, 0], 0)
        writer.read(tokens[:, 1 : 1 + CHUNK], 1)
        found = writer.advance(tokens[:, 1 + CHUNK], 1 + CHUNK)
        np.testing.assert_allclose(found, whole[:, 1 + CHUNK], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", REDUCED)
def test_the_models_of_the_zoo_score_each_position_as_the_whole_text(name: str) -> None:
    constants, inputs = REDUCED[name]
    text = re.sub(r"^assert parameters.*\n", "", (ZOO / f"{name}.axon").read_text(), flags=re.M)
    program = made(text, overrides=constants)
    growth = program.specification.growth
    assert growth is not None
    assert growth.repeated is None
    check_against_whole(program, given(inputs, 3), growth.section.input)


@pytest.mark.parametrize("name", CACHED)
def test_what_positions_share_is_kept_and_scores_stay_the_same(name: str) -> None:
    program = made(f"{HEAD}{CACHED[name]}\n{TAIL}")
    growth = program.specification.growth
    assert growth is not None
    assert growth.repeated is None
    check_against_whole(program, {}, "tokens")


@pytest.mark.parametrize("name", ["lstm", "convolution", "running sum", "rotary", "additive"])
def test_a_row_that_follows_another_goes_on_from_its_text(name: str) -> None:
    program = made(f"{HEAD}{CACHED[name]}\n{TAIL}")
    tokens = np.random.default_rng(8).integers(1, 9, (4, LENGTH)).astype(np.int32)
    writer = stepper(program, {}, 4, LENGTH)
    writer.begin({}, 4)
    for position in range(3):
        writer.advance(tokens[:, position], position)
    rows = np.array([2, 2, 0, 1])
    writer.follow(rows)
    found = writer.advance(tokens[:, 3], 3)
    whole = np.concatenate([tokens[rows, :3], tokens[:, 3:4]], axis=1)
    np.testing.assert_allclose(found, program.predict({"tokens": whole})["logits"][:, -1], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", REPEATED)
def test_what_cannot_be_kept_is_computed_again_and_says_where(name: str) -> None:
    program = made(f"{HEAD}{REPEATED[name]}\n{TAIL}")
    growth = program.specification.growth
    assert growth is not None
    assert growth.repeated is not None
    assert growth.repeated.span.line == 5
    check_against_whole(program, {}, "tokens")


def test_a_weight_of_the_text_s_length_fixes_it() -> None:
    body = f"weight place: f32[T, d] = normal(1)\ny = embedding(9, d)(tokens) + place |> gru(d)\n{TAIL}"
    program = made(HEAD + body, sizes={"T": LENGTH})
    random = np.random.default_rng(6)
    tokens = random.integers(1, 9, (2, LENGTH)).astype(np.int32)
    writer = stepper(program, {}, 2, 100)
    assert writer.limit == LENGTH + 1
    writer.begin({}, 2)
    whole = program.predict({"tokens": tokens})["logits"]
    for position in range(LENGTH):
        found = writer.advance(tokens[:, position], position)
        np.testing.assert_allclose(found, whole[:, position], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("body", AHEAD)
def test_a_model_that_looks_ahead_is_refused_where_it_does(body: str) -> None:
    with pytest.raises(CompileError) as failure:
        check(f"{HEAD}{body}\n{TAIL}")
    ((code, line, column),) = [(d.code, d.place.span.line, d.place.span.column) for d in failure.value.diagnostics]
    assert (code, (line, column)) == ("not-causal", AHEAD[body])


def test_a_model_of_one_length_that_looks_ahead_is_refused() -> None:
    with pytest.raises(CompileError, match="not-causal"):
        check(f"{HEAD.replace('T]', '8]')}y = embedding(9, d)(tokens) |> self_attention(2)\n{TAIL}")
    check(f"{HEAD.replace('T]', '8]')}y = embedding(9, d)(tokens) |> self_attention(2, causal = true)\n{TAIL}")


def test_scores_that_depend_on_a_target_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text\nab\nba\n")
    letters = "text |> characters(9, limit = 2)"
    data = f'data "a.csv" {{\n  tokens = {letters}\n  target next = {letters}\n}}\n'
    body = "y = embedding(9, d)(tokens) + embedding(9, d)(next)\noutput z = embedding(9, d)(tokens)"
    path = tmp_path / "m.axon"
    path.write_text(f"{HEAD.replace('input', data + 'input', 1)}input next: i32[N, T]\n{body}\n{TAIL}")
    with pytest.raises(CompileError, match=r"target-in-output.*`logits` depends on `next`"):
        check(path)
