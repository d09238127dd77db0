"""`axonc generate`: from a run's folder and a prompt to texts on the screen."""

import json

import pytest

from ..compiler.native.compiled import needs_compiler

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
COUNTS = """axonc 1
model counts

data "counts.csv" {
  first = first |> words
  much = much
  said = said |> words
  target next = next |> words
  batch 8
}

input first: i32[N, S]
input much: f32[N]
input said: i32[N, T]
input next: i64[N, T]

begin = first |> embedding(20, 8) |> gru(8, sequence = false)
begin = begin + (reshape(much, -1, 1) |> dense(8))
logits = said |> embedding(20, 8) |> gru(16, initial = concat(begin, begin)) |> dense(20)
loss cross_entropy(logits, next)
train { optimizer adam(5e-2); epochs 2 }
generate said from logits { start "go"; stop "go"; limit 4 }
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folder of a run on letters, whose data are gone."""
    from axonc.cli.main import run

    folder = tmp_path_factory.mktemp("letters")
    (folder / "a.txt").write_text("a cat sat. the cat ate. " * 60)
    (folder / "letters.axon").write_text(LETTERS)
    assert run(["train", str(folder / "letters.axon"), "--out", str(folder / "run"), "--quiet"]) == 0
    (folder / "a.txt").unlink()
    return folder / "run"


@pytest.fixture
def counts(axonc, tmp_path, monkeypatch):
    """The folder of a run with inputs that do not grow."""
    monkeypatch.chdir(tmp_path)
    rows = [f"{word} {word},{i},go {word} up,{word} up go" for i, word in enumerate(["one", "two", "three"] * 4)]
    (tmp_path / "counts.csv").write_text("\n".join(["first,much,said,next", *rows]) + "\n")
    (tmp_path / "counts.axon").write_text(COUNTS)
    ended = axonc("train", "counts.axon", "--out", "run", "--quiet")
    assert ended.code == 0, ended.err
    return tmp_path


def test_a_prompt_is_gone_on_with(axonc, trained):
    assert axonc("generate", str(trained), "--prompt", "the c") == (0, "the cat ate\n", "")


def test_several_prompts_and_counts_are_a_line_each(axonc, trained):
    ended = axonc("generate", str(trained), "--prompt", "the c", "--prompt", " a c", "--count", "2")
    assert ended.out.splitlines() == ["the cat ate", "the cat ate", " a cat sat", " a cat sat"]


def test_json_holds_tokens_and_scores(axonc, trained):
    ended = axonc("generate", str(trained), "--prompt", "the c", "--beam", "2", "--json")
    found = json.loads(ended.out)
    (text,) = found["texts"]
    assert (ended.code, found["ok"], found["name"], text["text"]) == (0, True, "letters", "the cat ate")
    assert (len(text["prompt"]), len(text["tokens"]), text["stopped"]) == (5, 6, True)
    assert text["score"] < 0


@needs_compiler
def test_native_code_writes_what_numpy_writes(axonc, trained):
    native = ("--backend", "native")
    assert axonc("generate", str(trained), "--prompt", "the c", *native) == (0, "the cat ate\n", "")
    ended = axonc("generate", str(trained / "best.safetensors"), "--prompt", "the c", *native)
    assert ended.code == 3
    assert "give the folder of the training" in ended.err


def test_equal_seeds_draw_equal_texts(axonc, trained):
    def drawn(seed: str) -> str:
        asked = ("--temperature", "2", "--top-k", "9", "--top-p", "0.95", "--seed", seed, "--count", "4")
        return axonc("generate", str(trained), "--prompt", "t", *asked).out

    assert drawn("3") == drawn("3") != drawn("4")


def test_a_limit_is_kept_and_a_prompt_beyond_it_refused(axonc, trained):
    assert axonc("generate", str(trained), "--prompt", "the", "--limit", "5").out == "the c\n"
    ended = axonc("generate", str(trained), "--prompt", "the cat", "--limit", "5")
    assert (ended.code, ended.out) == (3, "")
    assert ended.err.startswith("error[too-long]: the prompt has 7 tokens, the limit is 5")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--temperature", "-1"],
        ["--top-p", "2"],
        ["--input", "source=3"],
        ["--count", "0"],
    ],
)
def test_wrong_options_are_a_wrong_command_line(axonc, trained, arguments):
    ended = axonc("generate", str(trained), "--prompt", "t", *arguments)
    assert ended.code == 2
    assert arguments[0] in ended.err


def test_the_plan_of_a_step_shows_one_position_and_what_it_keeps(axonc, folder):
    text = LETTERS.split("\n\n")
    spec = "\n\n".join(part for part in text if not part.startswith("data")).replace('stop "."', "stop 2")
    (folder / "letters.axon").write_text(spec.replace("gru(24)", "self_attention(2, causal = true)"))
    ended = axonc("plan", "letters.axon", "--phase", "step", "--rows", "3")
    assert ended.code == 0, ended.err
    assert "letters: one more token of a text with 3 samples" in ended.out
    assert "f32[N, 2, 40, 6]" in ended.out
    assert "generate.0' = update(generate.0" in ended.out
    assert axonc("plan", "digits.axon", "--phase", "step").code == 2


def test_what_is_no_run_or_does_not_write_is_said(axonc, folder):
    assert axonc("generate", "nowhere", "--prompt", "t").err.startswith("error[no-run]")
    assert axonc("train", "flowers.axon", "--out", "run", "--quiet").code == 0
    ended = axonc("generate", "run", "--prompt", "t")
    assert (ended.code, ended.err.splitlines()[0]) == (3, "error[no-generation]: the spec does not say how it writes")


def test_inputs_that_do_not_grow_are_values_or_a_table(axonc, counts):
    one = axonc("generate", "run", "--input", "first=one one", "--input", "much=0")
    assert one.code == 0, one.err
    (counts / "new.csv").write_text("first,much\none one,0\ntwo two,1\n")
    table = axonc("generate", "run", "--input", "new.csv")
    assert table.code == 0, table.err
    assert len(table.out.splitlines()) == 2
    assert table.out.splitlines()[0] == one.out.strip("\n")


def test_what_is_read_and_what_is_written_must_have_the_same_tokens(axonc, counts):
    text = (counts / "counts.csv").read_text()
    (counts / "counts.csv").write_text(text.replace(" up go", " up end"))
    assert axonc("train", "counts.axon", "--out", "other", "--quiet").code == 0
    ended = axonc("generate", "other", "--input", "first=one", "--input", "much=0")
    assert (ended.code, ended.out) == (3, "")
    assert "the tokens of `said` and of the target `next` are not the same" in ended.err


@pytest.mark.parametrize(
    ("arguments", "code", "problem"),
    [
        (["--input", "first=one one"], 3, "much"),
        (["--input", "furst=one one", "--input", "much=0"], 2, "there are first, much"),
        (["--input", "first=one one", "--input", "much=many"], 2, "expected a number"),
        (["--input", "gone.csv"], 3, "cannot-read"),
    ],
)
def test_inputs_at_fault_are_named(axonc, counts, arguments, code, problem):
    ended = axonc("generate", "run", *arguments)
    assert ended.code == code
    assert problem in ended.err


def test_a_model_file_writes_without_its_folder(axonc, trained, tmp_path):
    file = tmp_path / "model.safetensors"
    file.write_bytes((trained / "best.safetensors").read_bytes())
    assert axonc("generate", str(file), "--prompt", "the c") == (0, "the cat ate\n", "")
    assert axonc("generate", str(file), "--prompt", "t", "--limit", "41").code == 3


def test_slow_writing_is_noted(axonc, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.txt").write_text("a cat sat. the cat ate. " * 20)
    text = LETTERS.replace("|> gru(24)", "|> reshape(-1, 12) |> reshape(N, T, 12)").replace("epochs 10", "epochs 1")
    (tmp_path / "letters.axon").write_text(text)
    assert axonc("train", "letters.axon", "--out", "run", "--quiet").code == 0
    ended = axonc("generate", "run", "--prompt", "a")
    assert ended.code == 0
    assert ended.err.startswith("warning[computed-again]: for each token that is written all positions are computed")
    checked = axonc("check", "letters.axon")
    assert checked.code == 0
    assert "letters.axon:13:60" in checked.err


def test_line_ends_stay_and_other_control_characters_are_shown(axonc, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.txt").write_text("ab\n\x1bc" * 100)
    (tmp_path / "letters.axon").write_text(LETTERS.replace('stop "."; limit 40', "limit 11"))
    assert axonc("train", "letters.axon", "--out", "run", "--quiet").code == 0
    ended = axonc("generate", "run", "--prompt", "a", "--count", "2")
    assert ended.out == "ab\n\\x1bcab\n\\x1bca\n" + "-" * 40 + "\nab\n\\x1bcab\n\\x1bca\n"
