"""The folder of a run: never another's, never torn, and saying what it ran on."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from axonc.runtime import archive
from axonc.runtime.errors import FileError
from axonc.runtime.run import RunFolder, read_metrics


def test_a_folder_says_what_ran_and_on_what(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a\n1\n")
    with RunFolder.new(tmp_path / "run") as run:
        run.describe("axonc 1\nmodel ü\n", version="0.1.0", seed=7, data=tmp_path / "a.csv")
    facts = json.loads((run.path / "run.json").read_text())
    assert (run.path / "spec.axon").read_text() == "axonc 1\nmodel ü\n"
    assert facts["spec"]["sha256"] == hashlib.sha256("axonc 1\nmodel ü\n".encode()).hexdigest()
    assert facts["data"]["sha256"] == hashlib.sha256(b"a\n1\n").hexdigest()
    assert (facts["version"], facts["seed"], facts["numpy"]) == ("0.1.0", 7, np.__version__)


def test_the_identity_names_the_blas_and_its_threads_as_threadpoolctl_does(tmp_path: Path) -> None:
    threadpoolctl = pytest.importorskip("threadpoolctl")
    code = "import json; from axonc.runtime.identity import identity; print(json.dumps(identity()['blas']))"
    for threads in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "OPENBLAS_NUM_THREADS": threads},
        )
        assert json.loads(done.stdout)["threads"] == int(threads)
    (numpy_blas,) = [
        library
        for library in threadpoolctl.threadpool_info()
        if library["user_api"] == "blas" and "numpy" in library["filepath"]
    ]
    assert json.loads(done.stdout)["kernel"] == numpy_blas["architecture"]


def test_numbered_folders_never_meet(tmp_path: Path) -> None:
    runs = [RunFolder.numbered(tmp_path / "runs", "digits") for _ in range(3)]
    assert [run.path.name for run in runs] == ["digits-1", "digits-2", "digits-3"]
    for run in runs:
        run.close()
    assert RunFolder.numbered(tmp_path / "runs", "digits").path.name == "digits-4"


def test_a_folder_that_holds_anything_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(FileError, match=r"holds files already \(`letter.txt`\), .* choose an empty or a new folder"):
        RunFolder.new(tmp_path)
    assert os.listdir(tmp_path) == ["letter.txt"]
    with RunFolder.new(tmp_path / "run") as run:
        run.log({"step": 1})
    with pytest.raises(FileError, match=r"holds files already \(`metrics.jsonl`\)"):
        RunFolder.new(tmp_path / "run")
    with pytest.raises(FileError, match="cannot be made: Not a directory"):
        RunFolder.new(tmp_path / "letter.txt" / "run")


TAKING = """
import sys
from pathlib import Path
from axonc.runtime.errors import FileError
from axonc.runtime.run import RunFolder
try:
    run = getattr(RunFolder, sys.argv[2])(Path(sys.argv[1]))
    print("taken", flush=True)
    sys.stdin.read()
except FileError as error:
    print(error)
"""


def test_of_two_trainings_one_gets_the_folder(tmp_path: Path) -> None:
    command = [sys.executable, "-c", TAKING, tmp_path / "run", "new"]
    first = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert first.stdout
    assert first.stdin
    assert first.stdout.readline() == "taken\n"
    with pytest.raises(FileError, match=rf"in use by another training \(process {first.pid}\)"):
        RunFolder.new(tmp_path / "run")
    first.kill()
    first.communicate()
    RunFolder.new(tmp_path / "run").close()


def test_a_run_is_reopened_only_where_one_was_and_nobody_trains(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"it has no run.json"):
        RunFolder.reopen(tmp_path)
    with RunFolder.new(tmp_path / "run") as run:
        run.describe("", version="", seed=0)
        with pytest.raises(FileError, match="in use by another training"):
            RunFolder.reopen(tmp_path / "run")
    with RunFolder.reopen(tmp_path / "run") as again:
        again.log({"step": 1})


def test_records_are_lines_of_json_and_an_unfinished_one_is_passed_over(tmp_path: Path) -> None:
    with RunFolder.new(tmp_path / "run") as run:
        assert list(read_metrics(run.path)) == []
        run.log({"step": 1, "losses": {"loss": 0.5}})
        run.log({"step": 2, "losses": {"loss": float("nan"), "kl": float("inf")}})
        with open(run.path / "metrics.jsonl", "a") as file:
            file.write('{"step": 3, "lo')
        expected = [{"step": 1, "losses": {"loss": 0.5}}, {"step": 2, "losses": {"loss": None, "kl": None}}]
        assert list(read_metrics(run.path)) == expected
        assert run.rewind(1) == expected[:1]
        run.log({"step": 9})
        assert list(read_metrics(run.path)) == [expected[0], {"step": 9}]


def test_weights_carry_the_texts_of_the_model(tmp_path: Path) -> None:
    with RunFolder.new(tmp_path / "run", {"spec": "text"}) as run:
        run.save("best", {"w": np.ones(3)}, {"epoch": "4"})
        arrays, metadata = run.load("best")
    assert metadata == {"spec": "text", "epoch": "4"}
    np.testing.assert_array_equal(arrays["w"], np.ones(3))


FULL = """
import resource, sys
import numpy as np
from pathlib import Path
from axonc.runtime.errors import FileError
from axonc.runtime.run import RunFolder
run = RunFolder.new(Path(sys.argv[1]))
run.save("best", {"w": np.arange(10.0)}, {})
run.log({"step": 1})
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
errors = []
for attempt in (lambda: run.save("best", {"w": np.ones(1000)}, {}), lambda: run.log({"step": 2, "x": "y" * 2000})):
    try:
        attempt()
    except FileError as error:
        errors.append(error)
assert len(errors) == 2, errors
print(errors[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 1000))
try:
    RunFolder.new(Path(sys.argv[1]).with_name("other"))
except FileError as error:
    print(error)
"""


def test_a_full_disk_leaves_what_was_there_whole(tmp_path: Path) -> None:
    path = tmp_path / "run"
    done = subprocess.run([sys.executable, "-c", FULL, path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "metrics.jsonl: cannot be written:" in done.stdout
    assert f"{tmp_path / 'other'}: cannot be made:" in done.stdout
    assert "what was there before is untouched" in done.stdout
    np.testing.assert_array_equal(archive.read(path / "best.safetensors")[0]["w"], np.arange(10.0))
    assert list(read_metrics(path)) == [{"step": 1}]
    assert (path / "metrics.jsonl").read_text().endswith("\n")
    assert sorted(os.listdir(path)) == ["best.safetensors", "lock", "metrics.jsonl"]
