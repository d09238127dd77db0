"""`axonc check`: every mistake of all files, one line for each that has none, quickly."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

GOLDEN = Path(__file__).parent / "golden"


def test_a_spec_without_mistakes_is_one_line(axonc, folder):
    weights = 2 * (64 * 16 + 16) + 16 * 10 + 10
    ended = axonc("check", "digits.axon")
    line = f"digits.axon: digits, {weights:,} parameters, image f32[N, 8, 8] -> logits f32[N, 10]\n"
    assert ended == (0, line, "")


def test_every_mistake_of_every_file_is_reported_in_one_run(axonc, folder):
    ended = axonc("check", "broken.axon", "digits.axon", "missing.axon")
    assert ended.code == 1
    assert ended.out.startswith("digits.axon: digits")
    assert all(code in ended.err for code in ("unknown-layer", "unknown-argument", "unreadable-file"))
    assert "mistakes in 2 of 3 files" in ended.err


def test_the_screen_of_a_spec_with_mistakes(axonc, folder, golden):
    golden(GOLDEN / "check_broken.txt", axonc("check", "broken.axon").err)


def test_json_has_the_facts_of_what_is_well_and_the_places_of_what_is_not(axonc, folder):
    ended = axonc("check", "--json", "digits.axon", "broken.axon")
    found = json.loads(ended.out)
    assert (ended.code, ended.err, found["ok"]) == (1, "", False)
    well, wrong = found["specs"]
    assert (well["ok"], well["outputs"]) == (True, {"logits": "f32[N, 10]"})
    text = (folder / "broken.axon").read_text().splitlines()
    first = wrong["diagnostics"][0]
    marked = text[first["line"] - 1][first["column"] - 1 : first["end_column"] - 1]
    assert (wrong["ok"], marked) == (False, "denze")


def test_a_file_of_blocks_is_a_library_and_a_file_of_nothing_a_mistake(axonc, folder):
    (folder / "blocks.axon").write_text("axonc 1\n\nblock twice(x) {\n  x |> dense(3) |> dense(3)\n}\n")
    (folder / "empty.axon").write_text("axonc 1\n")
    assert axonc("check", "blocks.axon") == (0, "blocks.axon: a library of blocks: twice\n", "")
    assert json.loads(axonc("check", "blocks.axon", "--json").out)["specs"][0]["blocks"] == ["twice"]
    for arguments in (["check", "empty.axon"], ["plan", "empty.axon"], ["plan", "blocks.axon"]):
        ended = axonc(*arguments)
        assert (ended.code, ended.out) == (1, "")
        assert "error[no-output]" in ended.err


def test_set_changes_a_constant_and_an_unknown_one_is_a_mistake(axonc, folder):
    assert "5,386 parameters" not in axonc("check", "digits.axon").out
    weights = 2 * (64 * 5 + 5) + 5 * 10 + 10
    assert f"{weights:,} parameters" in axonc("check", "digits.axon", "--set", "hidden=5").out
    ended = axonc("check", "digits.axon", "--set", "hiden=5")
    assert ended.code == 1
    assert "hiden" in ended.err


def test_data_that_are_not_there_are_a_warning_and_wrong_data_are_code_3(axonc, folder):
    (folder / "flowers.csv").rename(folder / "elsewhere.csv")
    ended = axonc("check", "flowers.axon")
    assert ended.code == 0
    assert "warning[no-such-file]" in ended.err
    (folder / "flowers.csv").write_text("length,height,species\n1,2,small\n")
    ended = axonc("check", "flowers.axon")
    assert ended.code == 3
    place = next(i for i, line in enumerate((folder / "flowers.axon").read_text().splitlines(), 1) if "width" in line)
    assert f"flowers.axon:{place}:" in ended.err
    assert "width" in ended.err


def test_control_characters_of_a_file_name_are_not_sent_to_the_terminal(axonc, folder):
    (folder / "a\x1b[31mb.axon").write_text((folder / "digits.axon").read_text())
    ended = axonc("check", "a\x1b[31mb.axon", "c\x1b[2J.axon")
    assert "\x1b" not in ended.out + ended.err
    assert "\\x1b[31m" in ended.out


def test_checking_takes_less_than_a_second_with_the_start_of_the_process(folder):
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(folder / "compiled")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)

    def fastest(*arguments: str) -> float:
        taken = []
        for _ in range(4):  # the first one compiles modules
            start = time.perf_counter()
            subprocess.run([sys.executable, *arguments], check=True, capture_output=True, env=environment, timeout=60)
            taken.append(time.perf_counter() - start)
        return min(taken)

    busy = fastest("-c", "import numpy")
    assert fastest("-m", "axonc", "check", "digits.axon") < max(1, 4 * busy)


def test_a_spec_without_data_is_checked_without_numpy(folder):
    code = "import sys; from axonc.cli.main import run; run(['check', 'digits.axon']); print('numpy' in sys.modules)"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert ended.stdout.splitlines()[-1] == "False"


def test_a_layer_whose_weights_nothing_reads_is_warned_of(axonc, folder):
    lines = (
        "axonc 1\ninput x: f32[N, 4]\ninput y: f32[N, 3]\nspare = x |> dense(2)\nz = x |> dense(3)\nloss mse(z, y)\n"
    )
    (folder / "idle.axon").write_text(lines)
    ended = axonc("check", "idle.axon")
    assert "warning[idle-weight]: neither a loss nor an output reads the weight `dense.weight`" in ended.err
    assert (ended.code, ended.err.count("warning"), "idle.axon:4:14" in ended.err) == (0, 1, True)
    (folder / "used.axon").write_text(f"{lines}output z\noutput spare\n")
    assert axonc("check", "used.axon").err == ""


def test_more_classes_than_logits_are_a_mistake(axonc, folder):
    with (folder / "flowers.csv").open("a") as file:
        file.write("1,2,another\n" * 20)
    ended = axonc("check", "flowers.axon")
    assert ended.code == 1
    assert re.search(r"error\[too-few-entries\]: the data give `\w+` 3 classes, the model has 2\n", ended.err), (
        ended.err
    )


def test_a_budget_of_a_free_size_is_said_to_be_open_until_it_has_a_number(axonc, folder):
    lines = "axonc 1\ninput x: f32[N, T, 6]\ny = x |> dense(3)\nassert flops <= 200, parameters == 21\n"
    (folder / "free.axon").write_text(lines)
    ended = axonc("check", "free.axon")
    assert ended.code == 0
    assert "warning[open-budget]: `flops <= 200` was not checked: it depends on the size T" in ended.err
    assert ended.err.count("warning") == 1
    assert axonc("check", "free.axon", "--size", "T=5").err == ""  # 5 · 3 · (2 · 6 + 1) = 195
    ended = axonc("check", "free.axon", "--size", "T=6")
    assert ended.code == 1
    assert "234 <= 200 is false" in ended.err
