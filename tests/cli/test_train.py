"""`axonc train`, `evaluate` and `predict`: from a spec and a table to names of classes in a file."""

import csv
import json

import numpy as np
import pytest

from ..compiler.native.compiled import needs_compiler

NATIVE = ("--backend", "native", "--threads", "1")


@pytest.fixture
def trained(axonc, folder):
    """The folder of a finished run."""
    ended = axonc("train", "flowers.axon", "--out", "run", "--quiet")
    assert ended.code == 0, ended.err
    return folder / "run"


def test_training_shows_each_epoch_and_where_the_model_is(axonc, folder):
    ended = axonc("train", "flowers.axon")
    assert ended.code == 0
    lines = ended.out.splitlines()
    start = next(i for i, line in enumerate(lines) if line.split()[:1] == ["epoch"])
    rows = [line.split() for line in lines[start + 1 : start + 13]]
    assert [int(row[0]) for row in rows] == list(range(1, 13))
    assert float(rows[-1][1]) < float(rows[0][1])
    assert "accuracy" in lines[start]
    assert lines[-1] == "model: runs/flowers-1/best.safetensors"
    assert (folder / "runs" / "flowers-1" / "best.safetensors").exists()


def test_json_is_one_value_with_every_epoch(axonc, folder):
    ended = axonc("train", "flowers.axon", "--json", "--out", "run")
    found = json.loads(ended.out)
    assert (ended.code, found["ok"], found["folder"]) == (0, True, "run")
    assert [e["epoch"] for e in found["epochs"]] == list(range(1, 13))
    assert found["test"]["accuracy"] == 1.0


def test_the_same_seed_gives_the_same_losses_and_another_gives_others(axonc, folder):
    def losses(seed: str, out: str) -> list[float]:
        found = json.loads(axonc("train", "flowers.axon", "--json", "--seed", seed, "--out", out).out)
        return [e["train"]["loss"] for e in found["epochs"]]

    first = losses("3", "a")
    assert losses("3", "b") == first
    assert losses("4", "c") != first


def test_evaluate_measures_each_part(axonc, trained):
    ended = axonc("evaluate", "run", "--json")
    found = json.loads(ended.out)
    assert (ended.code, found["part"], found["samples"]) == (0, "test", 12)
    assert found["metrics"]["accuracy"] == 1.0
    assert "validation part" in axonc("evaluate", "run", "--part", "validation").out


def test_evaluate_finds_data_that_were_moved(axonc, trained, folder):
    (folder / "moved").mkdir()
    (folder / "flowers.csv").rename(folder / "moved" / "flowers.csv")
    assert axonc("evaluate", "run").code == 3
    assert axonc("evaluate", "run", "--data", "moved").code == 0


def test_rows_that_were_not_trained_on_are_not_taken_for_the_same(axonc, trained, folder):
    with open(folder / "flowers.csv", "a") as file:
        file.write("4.1,1.1,small\n")
    for arguments in (["evaluate", "run"], ["train", "run", "--resume"]):
        ended = axonc(*arguments)
        assert ended.code == 3
        assert "error[data-changed]" in ended.err


def test_files_elsewhere_are_read_where_their_folder_is_allowed(axonc, folder):
    inner = folder / "inner"
    inner.mkdir()
    (folder / "blocks.axon").write_text("block twice(x) { x + x }\n")
    text = (folder / "flowers.axon").read_text().replace('"flowers.csv"', '"../flowers.csv"')
    text = text.replace("axonc 1", 'axonc 1\ninclude "../blocks.axon"').replace("= size |>", "= size |> twice |>")
    (inner / "flowers.axon").write_text(text)
    refused = axonc("check", "inner/flowers.axon")
    assert refused.code == 1
    assert "`--allow FOLDER`" in refused.err
    assert axonc("check", "inner/flowers.axon", "--allow", ".").code == 0
    assert axonc("train", "inner/flowers.axon", "--allow", ".", "--out", "run", "--quiet").code == 0
    assert axonc("evaluate", "run").code == 0
    assert axonc("train", "inner/flowers.axon", "--allow", "nowhere").code == 2


def test_predictions_are_names_of_classes(axonc, trained, folder):
    (folder / "new.csv").write_text("width,length\n1.1,4.2\n2.1,6.3\n")
    ended = axonc("predict", "run", "--input", "new.csv", "--output", "out.csv")
    assert ended == (0, "2 predictions of species in out.csv\n", "")
    with open(folder / "out.csv", newline="") as file:
        assert list(csv.reader(file)) == [["species"], ["small"], ["large"]]
    assert axonc("predict", "run", "--input", "new.csv", "--output", "out.npz").code == 0
    assert list(np.load(folder / "out.npz")["species"]) == ["small", "large"]


@needs_compiler
def test_native_code_measures_and_predicts_what_numpy_does(axonc, trained, folder):
    plain, native = (json.loads(axonc("evaluate", "run", "--json", *more).out) for more in ((), NATIVE))
    assert native["metrics"] == pytest.approx(plain["metrics"], rel=1e-5)
    for more, name in (((), "plain.csv"), (NATIVE, "native.csv")):
        assert axonc("predict", "run", "--input", "flowers.csv", "--output", name, *more).code == 0
    assert (folder / "plain.csv").read_text() == (folder / "native.csv").read_text()
    ended = axonc("predict", "run/best.safetensors", "--input", "flowers.csv", "--output", "out.csv", *NATIVE)
    assert ended.code == 3
    assert "give the folder of the training" in ended.err


def test_predictions_never_replace_their_input(axonc, trained, folder):
    (folder / "new.csv").write_text("width,length\n1.1,4.2\n2.1,6.3\n")
    assert axonc("predict", "run", "--input", "new.csv", "--output", "new.csv").code == 2
    assert (folder / "new.csv").read_text().startswith("width,length\n1.1")


def test_predictions_of_a_normalised_target_are_in_its_own_units(axonc, folder):
    rows = "\n".join(f"{x},{1000 + 50 * x}" for x in range(40))
    (folder / "line.csv").write_text(f"x,price\n{rows}\n")
    (folder / "line.axon").write_text("""axonc 1
model line
data "line.csv" {
  place = x |> normalise
  target worth = price |> normalise
  split { train 1.0 }
}
input place: f32[N]
input worth: f32[N]
guess = unsqueeze(place, -1) |> dense(1) |> squeeze(-1)
output price = guess
loss mse(guess, worth)
train { optimizer adam(0.1); epochs 150 }
""")
    assert axonc("train", "line.axon", "--out", "run", "--quiet").code == 0
    (folder / "new.csv").write_text("x\n10\n30\n")
    assert axonc("predict", "run", "--input", "new.csv", "--output", "out.csv").code == 0
    found = [float(line) for line in (folder / "out.csv").read_text().split()[1:]]
    assert found == pytest.approx([1500, 2500], rel=0.01)


def test_data_that_are_wrong_are_code_3_with_file_row_and_column(axonc, trained, folder):
    (folder / "bad.csv").write_text("width,length\n1.1,4.2\noops,6.3\n")
    ended = axonc("predict", "run", "--input", "bad.csv", "--output", "out.csv")
    assert ended.code == 3
    assert all(word in ended.err for word in ("bad.csv", "line 3", "width", "oops"))
    assert not (folder / "out.csv").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "digits.axon"],
        ["evaluate", "nowhere"],
        ["predict", "nowhere", "--input", "flowers.csv", "--output", "out.csv"],
        ["predict", "flowers.csv", "--input", "flowers.csv", "--output", "out.csv"],
    ],
)
def test_what_is_missing_is_code_3_and_one_message(axonc, folder, arguments):
    ended = axonc(*arguments)
    assert ended.code == 3
    assert ended.err.startswith("error[")
    assert "Traceback" not in ended.err


def test_a_folder_that_holds_something_is_not_trained_into(axonc, trained):
    before = (trained / "metrics.jsonl").read_bytes()
    ended = axonc("train", "flowers.axon", "--out", "run")
    assert ended.code == 3
    assert "folder-in-use" in ended.err
    assert (trained / "metrics.jsonl").read_bytes() == before


def test_training_that_diverges_is_code_4(axonc, folder):
    text = (folder / "flowers.axon").read_text()
    text = text.replace("adam(0.05)", "sgd(1e30)").replace("cross_entropy(logits, kind)\nm", "sum(logits ** 2)\nm")
    (folder / "wild.axon").write_text(text)
    ended = axonc("train", "wild.axon", "--quiet")
    assert ended.code == 4
    assert "error[diverged]" in ended.err


@pytest.mark.parametrize(("rate", "rises"), [(0.3, False), (1.1, True)])
def test_a_loss_that_rises_and_metrics_that_nobody_measured_are_noted(axonc, folder, rate, rises):
    (folder / "line.csv").write_text("x,y\n1,2\n-1,-2\n")
    spec = """axonc 1
data "line.csv" { x = x; target y = y }
input x: f32[N, 1]
input y: f32[N, 1]
line = x |> dense(1, bias = false)
loss mse(line, y)
metric mae(line, y)
"""
    (folder / "line.axon").write_text(f"{spec}train {{ optimizer sgd({rate}); epochs 10 }}\n")
    notes = [line for line in axonc("train", "line.axon", "--out", "run").out.splitlines() if line.startswith("note")]
    assert notes[0].endswith("axonc evaluate run")
    assert ["the training loss rose from" in note for note in notes[1:]] == [True] * rises
    assert "mae" in axonc("evaluate", "run").out


def test_a_mistake_is_json_where_json_was_asked_for(axonc, folder):
    ended = axonc("train", "digits.axon", "--json")
    found = json.loads(ended.out)
    assert (ended.code, ended.err, found["ok"], found["error"]["code"]) == (3, "", False, "no-data")
    ended = axonc("train", "broken.axon", "--json")
    found = json.loads(ended.out)
    assert (ended.code, found["ok"], len(found["diagnostics"])) == (1, False, 2)
