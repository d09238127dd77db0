"""The command line as a whole: codes, help, and what happens when something fails."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from axonc import __version__
from axonc.cli.failure import INTERNAL, report_internal
from axonc.cli.main import COMMANDS, help_of
from axonc.runtime.archive import read


def test_the_version_is_that_of_the_package(axonc):
    assert axonc("--version") == (0, f"axonc {__version__}\n", "")


@pytest.mark.parametrize("command", COMMANDS)
def test_each_help_says_what_the_command_does_with_an_example_that_names_it(axonc, command):
    ended = axonc(command, "--help")
    assert ended.code == 0
    assert re.search(rf"Examples:\n    axonc {command} ", ended.out)


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_the_page_of_the_command_line_says_what_the_help_says(command):
    page = (Path(__file__).parents[2] / "docs" / "cli.md").read_text()
    assert f"```\n{help_of(command)}\n```" in page, "run `python docs/generate.py`"


def test_every_module_of_a_command_is_listed_and_every_listed_command_is_there(axonc):
    listed = axonc("--help").out
    assert all(f"\n  {command} " in listed for command in COMMANDS)


def test_the_first_sentence_of_every_command_fits_on_a_narrow_terminal(axonc):
    assert "..." not in axonc("--help").out.split("Commands:")[1].split("Examples:")[0]


def test_a_command_that_is_nearly_right_is_suggested(axonc):
    ended = axonc("chekc")
    assert ended.code == 2
    assert "did you mean 'check'?" in ended.err


def test_an_option_that_is_nearly_right_is_suggested(axonc):
    ended = axonc("plan", "--formt", "json", "x.axon")
    assert ended.code == 2
    assert "--format" in ended.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["check"],
        ["plan", "digits.axon", "--rows", "0"],
        ["plan", "digits.axon", "--set", "hidden"],
        ["plan", "digits.axon", "--size", "T=x"],
        ["plan", "digits.axon", "--stage", "graph", "--format", "html"],
        ["train", "digits.axon", "--backend", "abacus"],
        ["convert", "digits.axon", "digits.txt"],
    ],
)
def test_a_wrong_command_line_is_code_2_and_says_how_to_get_help(axonc, folder, arguments):
    ended = axonc(*arguments)
    assert ended.code == 2
    assert ended.out == ""
    assert f"axonc {arguments[0]} --help" in ended.err


def test_a_failure_of_ours_is_one_sentence_and_a_file_with_the_traceback(capsys):
    with pytest.raises(ZeroDivisionError) as failure:
        raise ZeroDivisionError("the reason")
    assert report_internal(failure.value) == INTERNAL
    message = capsys.readouterr().err
    assert len(message.splitlines()) == 1
    assert "Traceback" not in message
    path = Path(re.search(r"file (\S+)$", message.strip())[1])
    assert "ZeroDivisionError: the reason" in path.read_text()
    path.unlink()


def test_a_reader_that_goes_away_is_no_error(folder):
    command = f"{sys.executable} -m axonc plan deep.axon --stage plan | head -n 1"
    ended = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=60, check=False)
    assert len(ended.stdout.splitlines()) == 1
    assert ended.stderr == ""


def test_a_run_that_was_interrupted_ends_as_one_that_was_not(axonc, folder):
    text = (folder / "flowers.axon").read_text().replace("epochs 12", "epochs 600")
    text = text.replace("batch 8", "batch 8; augment { size { noise 0.1 } }")
    (folder / "flowers.axon").write_text(text)
    command = [sys.executable, "-m", "axonc", "train", "flowers.axon", "--out", "run", "--quiet"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not (folder / "run" / "metrics.jsonl").exists() and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=50)
    assert process.returncode == 130
    resumed, whole = (
        axonc("train", *arguments, "--quiet") for arguments in (["run", "--resume"], ["flowers.axon", "--out", "whole"])
    )
    assert resumed.out.splitlines()[:-1] == whole.out.splitlines()[:-1]
    found, wanted = (read(folder / name / "last.safetensors")[0] for name in ("run", "whole"))
    assert {name: array.tobytes() for name, array in found.items()} == {n: a.tobytes() for n, a in wanted.items()}


def test_a_run_goes_on_as_it_began(axonc, folder):
    assert axonc("train", "run", "--resume", "--seed", "3").code == 2
    assert axonc("train", "nowhere", "--resume").code == 3


def test_ctrl_c_in_training_is_code_130_and_says_where_the_run_is(folder):
    text = (folder / "flowers.axon").read_text().replace("epochs 12", "epochs 1_000_000")
    (folder / "flowers.axon").write_text(text)
    command = [sys.executable, "-m", "axonc", "train", "flowers.axon", "--out", "run", "--quiet"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    started = time.monotonic()
    while not (folder / "run" / "metrics.jsonl").exists() and time.monotonic() < started + 50:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, message = process.communicate(timeout=50)
    assert process.returncode == 130
    assert message == "what was reached is in run; go on with `axonc train run --resume`\ninterrupted\n"
    assert (folder / "run" / "last.safetensors").exists()


def test_a_closed_output_is_no_failure(folder):
    command = [sys.executable, "-m", "axonc", "check", "digits.axon"]
    ended = subprocess.run(
        ["sh", "-c", '"$@" >&-', "sh", *command], cwd=folder, capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stderr) == (0, "")


def test_predicting_what_is_missing_names_it(axonc, folder):
    (folder / "out.csv").write_text("")
    ended = axonc("predict", "run", "--input", "none.csv", "--output", "out.csv")
    assert (ended.code, "error[no-such-file]: run: does not exist" in ended.err) == (3, True), ended.err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_an_output_that_is_full_is_code_3(folder):
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "axonc", "plan", "digits.axon"]
        ended = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert ended.returncode == 3
    assert "cannot-write" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_pipes_get_no_colour_whatever_the_environment_says(folder):
    environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
    command = [sys.executable, "-m", "axonc", "check", "broken.axon"]
    ended = subprocess.run(command, capture_output=True, env=environment, timeout=60, check=False)
    assert b"\x1b" not in ended.stdout + ended.stderr


def test_loading_the_command_line_loads_neither_numpy_nor_rich_nor_the_compiler():
    code = "import axonc.cli.main, sys; print({'numpy', 'rich', 'axonc.compiler.phases'} & set(sys.modules))"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert ended.stdout == "set()\n"
