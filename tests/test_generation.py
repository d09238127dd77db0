"""`Program.generate`: what a trained program writes, from tokens, texts and inputs that do not grow."""

from __future__ import annotations

import contextlib
import json
import re
from pathlib import Path
from typing import Any

import axonc
import numpy as np
import pytest
from axonc import backends
from axonc.program import Program
from axonc.runtime import archive
from axonc.runtime.errors import Mistake
from scipy import special, stats

WRITER = """axonc 1
model writer(entries = 5, d = 8)
input tokens: i32[N, T]
input next: i64[N, T]
logits = tokens |> embedding(entries, d) |> transformer_encoder(2, causal = true) |> gru(d) |> dense(entries)
loss cross_entropy(logits, next)
"""
TRANSLATOR = """axonc 1
model translator(entries = 5, d = 8)
input source: i32[N, S]
input previous: i32[N, T]
words = embedding(entries, d)
memory = words(source) |> self_attention(2)
x = words(previous) |> transformer_decoder(memory, heads = 2)
logits = x |> dense(entries)
generate previous from logits { start 1; stop 2; limit 6; beam 3 }
"""
LETTERS = """axonc 1
model letters
data "a.txt" {
  tokens = text |> characters |> window(12)
  target next = tokens |> shift(1)
  batch 16
}
input tokens: i32[N, T]
input next: i64[N, T]
logits = tokens |> embedding(30, 12) |> gru(24) |> dense(30)
loss cross_entropy(logits, next)
train { optimizer adam(2e-2); epochs 10 }
generate tokens from logits { stop "."; limit 40 }
"""


GENERATE = "generate tokens from logits {{ limit {} }}\n"


def made(text: str, deviation: float = 0.7) -> Program:
    program = axonc.compile(text)
    random = np.random.default_rng(3)
    for array in program.parameters.values():
        array[...] = random.normal(0, deviation, array.shape)
    return program


def writer(settings: str) -> Program:
    return made(f"{WRITER}generate tokens from logits {{ {settings} }}\n")


def greedy(program: Program, prompt: list[int], limit: int) -> list[int]:
    """The likeliest token again and again, from predictions for the whole text so far."""
    text = list(prompt)
    while len(text) < limit:
        text.append(int(program.predict({"tokens": np.array([text], np.int32)})["logits"][0, -1].argmax()))
    return text[len(prompt) :]


def test_the_likeliest_token_is_written_again_and_again() -> None:
    program = writer("limit 12")
    found = program.generate([[1], [2, 3], np.array([4, 4, 1])])
    for prompt, written in zip(([1], [2, 3], [4, 4, 1]), found, strict=True):
        assert list(written.tokens) == greedy(program, prompt, 12)
        assert (list(written.prompt), written.text, written.stopped) == (prompt, None, False)


def test_scores_are_log_probabilities_of_what_was_written() -> None:
    program = writer("limit 8; temperature 0.5; top_k 3")
    (written,) = program.generate([[1, 2]])
    whole = np.array([[1, 2, *written.tokens]], np.int32)
    shares = special.log_softmax(program.predict({"tokens": whole})["logits"][0].astype(float), axis=-1)
    expected = sum(shares[i, whole[0, i + 1]] for i in range(1, 7))
    assert written.score == pytest.approx(expected, abs=1e-4)


def test_drawn_texts_come_as_often_as_their_probabilities_say() -> None:
    program = writer("limit 3; temperature 1")
    rows = 3000
    found = program.generate([[2]], count=rows, seed=11)
    first = special.softmax(program.predict({"tokens": np.array([[2]], np.int32)})["logits"][0, 0].astype(float))
    counts = np.zeros((5, 5))
    for written in found:
        counts[tuple(written.tokens)] += 1
    pairs = np.array([[2, token] for token in range(5)], np.int32)
    second = special.softmax(program.predict({"tokens": pairs})["logits"][:, 1].astype(float), axis=-1)
    assert stats.chisquare(counts.reshape(-1), (first[:, None] * second).reshape(-1) * rows).pvalue > 1e-3


def test_a_beam_finds_the_likeliest_translation() -> None:
    program = made(TRANSLATOR)
    source = np.array([[1, 2, 3], [4, 4, 0]], np.int32)
    found = program.generate(inputs={"source": source}, beam=400, limit=5)
    for row, written in zip(source, found, strict=True):
        whole = np.array([[1, *index] for index in np.ndindex(5, 5, 5)], np.int32)
        logits = program.predict({"source": np.repeat(row[None], len(whole), axis=0), "previous": whole})["logits"]
        shares = special.log_softmax(logits.astype(float), axis=-1)
        texts = {}
        for index in np.ndindex(5, 5, 5, 5):
            end = index.index(2) + 1 if 2 in index else 4
            begun = shares[index[0] * 25 + index[1] * 5 + index[2]]
            texts[index[:end]] = sum(begun[i, index[i]] for i in range(end))
        text = max(texts, key=lambda text: texts[text])
        assert written.score == pytest.approx(texts[text], abs=1e-4)
        assert tuple(written.tokens) == (text[:-1] if text[-1] == 2 else text)
        assert written.stopped == (text[-1] == 2)


def test_a_narrow_beam_moves_its_caches_with_its_texts() -> None:
    program = writer("limit 8; beam 3; stop 2")
    program.parameters["dense.bias"][...] = [0, 0, -3, 0, 0]
    program.parameters["gru.gru_pass.weight"][...] *= 2
    prompts = [(1,), (3,), (4, 0), (0,)]
    moved = 0
    for prompt, written in zip(prompts, program.generate(prompts), strict=True):
        texts: list[tuple[tuple[int, ...], float]] = [(prompt, 0.0)]
        while any(len(text) < 8 and text[-1] != 2 for text, _ in texts):
            tried = []
            for text, score in texts:
                if text[-1] == 2:
                    tried.append((text, score))
                    continue
                scores = program.predict({"tokens": np.array([text], np.int32)})["logits"][0, -1]
                shares = special.log_softmax(scores.astype(float))
                tried += [((*text, token), score + shares[token]) for token in range(5)]
            best = sorted(tried, key=lambda pair: -pair[1])[:3]
            moved += len(texts) == 3 and [t[: len(texts[0][0])] for t, _ in best] != [t for t, _ in texts]
            texts = best
        text, score = texts[0]
        assert written.score == pytest.approx(score, abs=1e-4)
        assert [*prompt, *written.tokens, *[2] * written.stopped] == list(text)
    assert moved > 3


def test_a_length_that_another_input_shares_is_that_of_the_text() -> None:
    program = made(TRANSLATOR.replace("[N, S]", "[N, T]").replace("limit 6", "limit 30"))
    source = np.array([[1, 2, 3, 4, 0], [4, 4, 0, 0, 1]], np.int32)
    found = program.generate(inputs={"source": source}, temperature=0.0)
    for row, written in zip(source, found, strict=True):
        previous = [1]
        while len(previous) < 5 and (len(previous) == 1 or previous[-1] != 2):
            padded = np.array([previous + [0] * (5 - len(previous))], np.int32)
            scores = program.predict({"source": row[None], "previous": padded})["logits"][0, len(previous) - 1]
            previous.append(int(scores.argmax()))
        assert [*written.tokens, *[2] * written.stopped] == previous[1:]


def test_weights_that_were_written_since_are_used() -> None:
    program = writer("limit 9")
    before = program.generate([[1]])[0].tokens.tolist()
    program.parameters["dense.bias"][3] = 100
    assert program.generate([[1]])[0].tokens.tolist() == [3] * 8
    program.parameters["dense.bias"][3] = made(WRITER).parameters["dense.bias"][3]
    assert program.generate([[1]])[0].tokens.tolist() == before


def test_native_code_writes_the_same() -> None:
    if backends.backend("native").name != "native":
        pytest.skip("there is no C compiler")
    text = f"{WRITER}generate tokens from logits {{ limit 80 }}\n"
    plain, native = (axonc.compile(text, backend=name) for name in ("numpy", "native"))
    native.restore(plain.snapshot())
    for prompts in ([[1], [2, 3, 4]], [list(range(5)) * 14]):  # the last one is read in chunks
        found, wanted = (p.generate(prompts, temperature=1.0, seed=2) for p in (native, plain))
        for a, z in zip(found, wanted, strict=True):
            assert a.tokens.tolist() == z.tokens.tolist()
            assert a.score == pytest.approx(z.score, abs=1e-3)


def test_averages_write_where_training_makes_them() -> None:
    text = WRITER + "train { optimizer sgd(0.1); average 0.9 }\ngenerate tokens from logits { limit 6 }\n"
    program = made(text)
    batch = {"tokens": np.ones((2, 4), np.int32), "next": np.full((2, 4), 3)}
    for _ in range(5):
        program.train_step(batch)
    assert program.generate([[1]])[0].tokens.tolist() == greedy(program, [1], 6)
    program.averages["dense.bias"][2] = 100
    assert program.generate([[1]])[0].tokens.tolist() == [2] * 5


def test_what_the_caller_asks_takes_the_place_of_what_the_spec_says() -> None:
    program = writer("limit 20; beam 2; start 1")
    assert len(program.generate(limit=5)[0].tokens) == 4
    drawn = program.generate(temperature=2.0, seed=1, count=3)
    assert len({tuple(w.tokens) for w in drawn}) == 3
    same = program.generate(top_k=1)[0].tokens.tolist()
    assert same == program.generate(temperature=0.0)[0].tokens.tolist()


@pytest.mark.parametrize(
    ("prompts", "inputs", "asked", "code"),
    [
        ([], {}, {}, "no-prompt"),
        ([[1, 2]], {}, {"limit": 1}, "too-long"),
        (["text"], {}, {}, "no-vocabulary"),
        ([1, 2], {}, {}, "wrong-prompt"),
        ([[1.5]], {}, {}, "wrong-prompt"),
        ([[1]], {"tokens": np.ones((1, 2), np.int32)}, {}, "unknown-input"),
        ([[1]], {}, {"beam": 2, "top_k": 3}, "wrong-setting"),
        ([[1]], {}, {"top_p": 1.5}, "wrong-setting"),
        ([[1]], {}, {"limit": 0}, "wrong-setting"),
        ([[1]], {}, {"count": 0}, "wrong-setting"),
        ([[1]], {}, {"count": 3, "beam": 2}, "wrong-setting"),
        ([[7]], {}, {}, "index-out-of-range"),
    ],
)
def test_what_cannot_be_written_is_refused(prompts: list[Any], inputs: Any, asked: Any, code: str) -> None:
    with pytest.raises(axonc.InputError) as failure:
        writer("limit 6").generate(prompts, inputs, **asked)
    assert failure.value.code == code


@pytest.mark.parametrize(
    ("prompts", "inputs", "code"),
    [
        ([], {}, "missing-input"),
        ([[1]], {"source": np.ones((2, 3), np.int32)}, "uneven-inputs"),
        ([], {"source": np.ones(3, np.int32)}, "wrong-shape"),
        ([], {"source": np.ones((1, 3))}, "wrong-dtype"),
    ],
)
def test_inputs_that_do_not_grow_are_looked_at(prompts: list[Any], inputs: Any, code: str) -> None:
    with pytest.raises(axonc.InputError) as failure:
        made(TRANSLATOR).generate(prompts, inputs)
    assert failure.value.code == code


def test_inputs_that_disagree_about_a_size_are_refused() -> None:
    text = TRANSLATOR.replace("input previous", "input seen: bool[N, S]\ninput previous")
    program = made(text.replace("decoder(memory,", "decoder(memory, mask = seen,"))
    source = np.array([[1, 2, 3]], np.int32)
    assert program.generate(inputs={"source": source, "seen": source > 0})
    with pytest.raises(axonc.InputError) as failure:
        program.generate(inputs={"source": source, "seen": source[:, :2] > 0})
    assert failure.value.code == "wrong-shape"


def test_a_spec_without_the_section_does_not_write() -> None:
    with pytest.raises(axonc.InputError, match="does not say how it writes"):
        made(WRITER).generate([[1]])


def test_a_program_that_was_trained_on_text_writes_text(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a cat sat. the cat ate. " * 60)
    (tmp_path / "letters.axon").write_text(LETTERS)
    program = axonc.compile(tmp_path / "letters.axon")
    with pytest.raises(axonc.InputError) as failure:
        program.generate(["the c"])
    assert failure.value.code == "no-vocabulary"
    program.fit()
    first, second = program.generate(["the c", " a c"])
    assert (first.text, second.text) == ("the cat ate", " a cat sat")
    assert first.stopped


def test_padding_ends_a_row_and_unknown_letters_are_not_drawn(tmp_path: Path) -> None:
    rows = ["ab", "abab", "ababab"] * 8
    (tmp_path / "a.csv").write_text("\n".join(["said,next", *(f"{r},{r[1:]}a" for r in rows)]) + "\n")
    text = LETTERS.replace("text |> characters |> window(12)", "said |> characters(9)")
    text = text.replace("tokens |> shift(1)", "next |> characters(9)").replace('stop "."; ', "")
    (tmp_path / "rows.axon").write_text(text.replace("a.txt", "a.csv").replace("epochs 10", "epochs 1"))
    program = axonc.compile(tmp_path / "rows.axon")
    program.fit()
    program.parameters["dense.bias"][...] = [8] * 2 + [0] * 28  # padding and the unknown are likeliest
    found = program.generate(["a"], temperature=1, count=60, seed=1)
    assert {w.stopped for w in found} == {True}
    assert {token for w in found for token in w.tokens} <= {2, 3}
    program.parameters["dense.bias"][0] = -20
    assert {token for w in program.generate(["a"], temperature=1, count=60, seed=1) for token in w.tokens} == {2, 3}


def test_the_last_token_is_written_but_never_read() -> None:
    program = made(WRITER.replace("|> transformer", "|> learned_positions(5) |> transformer") + GENERATE.format(6))
    (written,) = program.generate([[1, 2]])
    assert len(written.tokens) == 4
    assert list(written.tokens[:3]) == greedy(program, [1, 2], 5)


def test_a_saved_model_writes_what_its_program_writes(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a cat sat. the cat ate. " * 60)
    (tmp_path / "letters.axon").write_text(LETTERS)
    program = axonc.compile(tmp_path / "letters.axon")
    program.fit(out=tmp_path / "run")
    program.save(tmp_path / "letters.safetensors")
    for model in (axonc.load(tmp_path / "letters.safetensors"), axonc.load(tmp_path / "run").clone()):
        asked: dict[str, Any] = {"temperature": 1.5, "count": 40, "seed": 3}
        found, expected = (m.generate(["the c", "a"], **asked) for m in (model, program))
        assert [w.text for w in found] == [w.text for w in expected]
        assert model.generate(["the c"], beam=2)[0].text == "the cat ate"
        with pytest.raises(axonc.InputError, match="at most 40 tokens"):
            model.generate(["the c"], limit=41)
        with pytest.raises(axonc.InputError, match="writing needs no input"):
            model.generate(["the c"], {"next": np.zeros((1, 3))})


def test_a_saved_translator_wants_its_source(tmp_path: Path) -> None:
    program = made(TRANSLATOR)
    source = np.array([[1, 2, 3], [4, 4, 0]], np.int32)
    expected = program.generate(inputs={"source": source})
    program.predict({"source": source, "previous": np.ones((2, 2), np.int32)})
    program.save(tmp_path / "model.safetensors")
    model = axonc.load(tmp_path / "model.safetensors")
    for written, wanted in zip(model.generate(inputs={"source": source}), expected, strict=True):
        assert written.tokens.tolist() == wanted.tokens.tolist()
        assert written.score == pytest.approx(wanted.score, abs=1e-5)
    for inputs, code in (({}, "missing-input"), ({"source": source[:, :2]}, "wrong-shape")):
        with pytest.raises(axonc.InputError) as failure:
            model.generate(inputs=inputs)
        assert failure.value.code == code
    with pytest.raises(axonc.InputError, match="32 texts at most"):
        model.generate(inputs={"source": source}, beam=100)


def test_a_saved_model_without_the_section_does_not_write(tmp_path: Path) -> None:
    program = made(WRITER)
    program.predict({"tokens": np.ones((1, 3), np.int32)})
    program.save(tmp_path / "model.safetensors")
    with pytest.raises(axonc.InputError, match="does not say how it writes"):
        axonc.load(tmp_path / "model.safetensors").generate([[1]])


def test_what_the_page_about_generation_shows_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    page = Path(__file__).parents[1] / "docs" / "generation.md"
    found = re.findall(r"^```(axon|python)\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    Path("fox.txt").write_text("the quick brown fox jumps over the lazy dog. " * 60)
    names: dict[str, object] = {}
    for language, text in found:
        if language == "axon":
            Path(f"{text.split('model ')[1].split('(')[0]}.axon").write_text(text)
        else:
            exec(compile(text, page, "exec"), names)
    assert len(found) == 5


@pytest.mark.parametrize("damage", ["", "[]", '{"grown": "tokens"}'])
def test_a_damaged_file_is_told(tmp_path: Path, damage: str) -> None:
    program, path = writer("limit 6"), tmp_path / "model.safetensors"
    program.predict({"tokens": np.ones((1, 3), np.int32)})
    program.save(path)
    arrays, texts = archive.read(path)
    archive.write(path, arrays, texts | {"generate": damage})
    with pytest.raises(axonc.InputError) as failure:
        axonc.load(path).generate([[1]])
    assert failure.value.code == "bad-model"


def test_facts_of_writing_that_were_changed_are_refused_or_the_model_writes(tmp_path: Path) -> None:
    section = "generate tokens from logits { limit 6 }\n"
    program = made(WRITER.replace("transformer_encoder(2, causal = true) |> ", "") + section)
    path = tmp_path / "model.safetensors"
    program.predict({"tokens": np.ones((1, 3), np.int32)})
    program.save(path)
    arrays, texts = archive.read(path)
    facts = json.loads(texts["generate"])
    for part in (facts, facts["moving"], facts["settings"]):
        for name, value in list(part.items()):
            for other in (0, 2**70, None, "f64", {"generate.9": 1}):
                part[name] = other
                archive.write(path, arrays, texts | {"generate": json.dumps(facts)})
                with contextlib.suppress(Mistake):
                    axonc.load(path).generate([[1], [2, 3]])
            part[name] = value


def test_a_stop_that_is_no_token_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a cat sat. the cat ate. " * 20)
    for stop in ("!", "at"):
        text = LETTERS.replace('stop "."', f'stop "{stop}"').replace("epochs 10", "epochs 1")
        (tmp_path / "letters.axon").write_text(text)
        program = axonc.compile(tmp_path / "letters.axon")
        program.fit()
        with pytest.raises(axonc.InputError) as failure:
            program.generate(["the"])
        assert failure.value.code == "unknown-token"
