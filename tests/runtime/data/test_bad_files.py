"""Bad data files, each refused with its file, row and column."""

import io
import os
import resource
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from axonc.runtime.data import dataset, inputs
from axonc.runtime.data.recipe import AllExcept, Binding, Column, Pattern, Recipe, Step
from axonc.runtime.errors import DataError, FileError, Mistake

NORMALISE, CLASSES, LOG, WORDS = Step("normalise"), Step("classes"), Step("log"), Step("words")
X = Binding("x", False, (Column("a"), Column("b")))
Y = Binding("y", True, (Column("c"),), (CLASSES,))
GOOD = "a,b,c\n1,2,yes\n3,4,no\n5,6,yes\n7,8,no\n"


def alone(name: str, *steps: Step, **wanted: object) -> Binding:
    return Binding("x", False, (Column(name),), steps, **wanted)  # type: ignore[arg-type]


def several(*selectors: object, steps: tuple[Step, ...] = ()) -> Binding:
    return Binding("x", False, selectors, steps)  # type: ignore[arg-type]


# text or bytes, bindings, code, line, column, a part of the message
TABLES = {
    "empty": ("", [X], "empty-file", None, None, "is empty, expected a line of column names"),
    "blank lines only": ("\n\n\n", [X], "empty-file", None, None, "is empty"),
    "only a mark of UTF-8": (b"\xef\xbb\xbf", [X], "empty-file", None, None, "is empty"),
    "header only": ("a,b\n", [X], "no-rows", None, None, "line of names but no rows"),
    "header and blank lines": ("a,b\n\n\n", [X], "no-rows", None, None, "no rows"),
    "no header": ("1,2\n3,4\n", [X], "no-names", 1, None, "found numbers (`1`, …) in the first line"),
    "nameless column": (",a,b\n0,1,2\n", [X], "nameless-column", 1, None, "has no name for column 1"),
    "blank name": ("a, ,b\n0,1,2\n", [X], "nameless-column", 1, None, "has no name for column 2"),
    "the name twice": ("a,b,a\n0,1,2\n", [X], "duplicate-column", 1, "a", "found the name 2 times"),
    "twice but for a space": ("a,b, a\n0,1,2\n", [X], "duplicate-column", 1, "a", "2 times"),
    "missing column": ("a,c\n0,1\n", [X], "missing-column", None, "b", "no such column; there is `a`, `c`"),
    "misspelt column": ("area,b\n0,1\n", [alone("aera")], "missing-column", None, "aera", "did you mean `area`?"),
    "semicolons": ("a;b\n0;1\n", [X], "missing-column", None, "a", "separate the columns by commas"),
    "tabs": ("a\tb\n0\t1\n", [X], "missing-column", None, "a", "call the file .tsv"),
    "pattern without match": (GOOD, [several(Pattern("z*"))], "missing-column", None, None, "no column matches `z*`"),
    "nothing left": (GOOD, [several(AllExcept((Pattern("*"),)))], "missing-column", None, None, "no column is left"),
    "all but a missing one": (
        GOOD,
        [several(AllExcept((Column("q"),)))],
        "missing-column",
        None,
        "q",
        "no such column",
    ),
    "asked for twice": (GOOD, [several(Column("a"), Pattern("a*"))], "column-twice", None, "a", "asked for twice"),
    "too few values": ("a,b\n1,2\n3\n", [X], "ragged-row", 3, None, "found 1 values, the line of names has 2"),
    "too many values": ("a,b\n1,2\n3,4,5\n", [X], "ragged-row", 3, None, "found 3 values"),
    "ragged after blank lines": ("a,b\n1,2\n\n\n3\n", [X], "ragged-row", 5, None, "found 1 values"),
    "ragged after a quoted line end": ('c,a\n"x\ny",1\nz\n', [alone("a")], "ragged-row", 4, None, "found 1 values"),
    "ragged beyond the first block": ("a,b\n" + "1,2\n" * 2000 + "1\n", [X], "ragged-row", 2002, None, "found 1"),
    "trailing separator": ("a,b\n1,2,\n", [X], "ragged-row", 2, None, "found 3 values"),
    "unclosed quote": ('a,b\n1,2\n"3,4\n5,6\n', [X], "bad-table", 3, None, "look for a quote that is not closed"),
    "text after a quote": ('a,b\n1,2\n"3"x,4\n', [X], "bad-table", 3, None, "is no table"),
    "text for a number": ("a,b\n1,2\n3,four\n", [X], "not-a-number", 3, "b", "found `four`, expected a number"),
    "late text for a number": ("a,b\n" + "1,2\n" * 5000 + "x,2\n", [X], "not-a-number", 5002, "a", "found `x`"),
    "the first of two faults": ("a,b\n1,x\ny,2\n", [X], "not-a-number", 2, "b", "found `x`"),
    "underscores": ("a,b\n1,1_000\n", [X], "not-a-number", 2, "b", "leave out what parts the thousands"),
    "thousands": ('a,b\n1,"1,234.5"\n', [X], "not-a-number", 2, "b", "leave out what parts the thousands"),
    "German thousands": ("a,b\n1,1.234.567\n", [X], "not-a-number", 2, "b", "leave out what parts the thousands"),
    "a date": ("a,b\n1,2024-01-31\n", [X], "not-a-number", 2, "b", "write a date as numbers"),
    "a German date": ("a,b\n1,31.01.2024 12:30\n", [X], "not-a-number", 2, "b", "write a date as numbers"),
    "truth": ("a,b\n1,True\n", [X], "not-a-number", 2, "b", "write 1 and 0, or use `classes`"),
    "a share": ("a,b\n1,12 %\n", [X], "not-a-number", 2, "b", "write the number alone"),
    "money": ("a,b\n1,$12.50\n", [X], "not-a-number", 2, "b", "found `$12.50`"),
    "digits of another script": ("a,b\n1,١٢\n", [X], "not-a-number", 2, "b", "found `١٢`"),
    "decimal comma": ('a,b\n1,"2,5"\n', [X], "not-a-number", 2, "b", "write a decimal point"),
    "hexadecimal": ("a,b\n1,0x10\n", [X], "not-a-number", 2, "b", "for text use `classes`"),
    "control characters": ("a,b\n1,\x1b[31m\n", [X], "not-a-number", 2, "b", r"found `\x1b[31m`"),
    "a long text": ("a,b\n1," + "z" * 999 + "\n", [X], "not-a-number", 2, "b", "z…`"),
    "a field beyond all measure": ("a,b\n1," + "z" * 200_000 + "\n", [X], "bad-table", 2, None, "field limit"),
    "nothing for a number": ("a,b\n1,2\n3,\n", [X], "missing-value", 3, "b", "found nothing, expected a number"),
    "blanks for a number": ("a,b\n1,2\n3,  \n", [X], "missing-value", 3, "b", "found nothing"),
    "nan": ("a,b\n1,2\n3,nan\n", [X], "not-finite", 3, "b", "found `nan`, expected a finite number"),
    "NaN": ("a,b\n1,NaN\n", [X], "not-finite", 2, "b", "found `NaN`"),
    "NA": ("a,b\n1,NA\n", [X], "missing-value", 2, "b", "found `NA`, expected a number; fill it in"),
    "inf": ("a,b\n-inf,2\n", [X], "not-finite", 2, "a", "found `-inf`"),
    "overflow": ("a,b\n1e999,2\n", [X], "not-finite", 2, "a", "found `1e999`"),
    "not UTF-8": ("a,b\n1,2\n3,\xfc\n".encode("latin-1"), [X], "not-utf-8", 3, None, "found the byte 0xfc"),
    "UTF-16": ("a,b\n1,2\n".encode("utf-16"), [X], "not-utf-8", 1, None, "found the byte 0xff"),
    "cut inside a character": ("a,b\n1,ü".encode()[:-1], [X], "not-utf-8", 2, None, "found the byte 0xc3"),
    "too big for f32": ("a,b\n1,1e300\n", [several(Pattern("*"))], "wrong-type", 2, "b", "found 1e+300"),
    "a fraction for an integer": (
        "a,b\n1,2\n3,2.5\n",
        [alone("b", dtype="i64")],
        "wrong-type",
        3,
        "b",
        "found 2.5, expected a whole number that i64 can hold",
    ),
    "too big for i8": ("a\n1\n128\n", [alone("a", dtype="i8")], "wrong-type", 3, "a", "found 128.0"),
    "negative for u8": ("a\n-1\n", [alone("a", dtype="u8")], "wrong-type", 2, "a", "found -1.0"),
    "too big to be exact": (f"a\n{2**53 + 1}\n", [alone("a", dtype="i64")], "wrong-type", 2, "a", "whole number"),
    "two for a truth": ("a\n0\n1\n2\n", [alone("a", dtype="bool")], "wrong-type", 4, "a", "correct it, or give `"),
    "label out of range": (
        "a\n0\n3\n",
        [alone("a", dtype="i64", entries=3)],
        "out-of-range",
        3,
        "a",
        "numbers begin at 0: correct them",
    ),
    "negative label": ("a\n0\n-1\n", [alone("a", dtype="i64", entries=3)], "out-of-range", 3, "a", "found -1"),
    "columns for one number": (GOOD, [Binding("x", False, X.columns, shape=())], "wrong-shape", None, "a", "wants []"),
    "too few columns": (
        GOOD,
        [Binding("x", False, X.columns, shape=(3,))],
        "wrong-shape",
        None,
        "a",
        "[2], `x` wants [3]",
    ),
    "a free size beside the whole": (
        GOOD,
        [Binding("x", False, X.columns, shape=(2, "F"))],
        "wrong-shape",
        None,
        "a",
        "[2]",
    ),
    "log of nothing": (
        "a,b\n1,2\n3,0\n",
        [several(Pattern("*"), steps=(LOG,))],
        "not-positive",
        3,
        "b",
        "found 0.0, `log` takes",
    ),
    "log of less": ("a\n1\n-2\n", [alone("a", LOG)], "not-positive", 3, "a", "found -2.0"),
    "one class": ("a,c\n1,yes\n2,yes\n", [alone("a"), Y], "one-class", None, "c", "found `yes` in every training row"),
    "a constant target": (
        "a\n1\n1\n",
        [Binding("y", True, (Column("a"),))],
        "one-class",
        None,
        "a",
        "found 1.0 in every training row of the target `y`",
    ),
    "nothing for a class": ("a,c\n1,yes\n2,no\n3,\n", [Y], "missing-value", 4, "c", "expected the name of a class"),
    "two columns of words": (
        GOOD,
        [Binding("x", False, X.columns, (WORDS,))],
        "several-columns",
        None,
        "b",
        "expected one",
    ),
    "window beyond the rows": (
        GOOD,
        [alone("a", Step("window", (("length", 9),)))],
        "too-few-rows",
        None,
        None,
        "takes 9",
    ),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_bad_table_is_refused_with_its_place(tmp_path: Path, name: str) -> None:
    content, bindings, code, row, column, message = TABLES[name]
    path = tmp_path / "a.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError) as caught:
        dataset.load(Recipe("a.csv", tuple(bindings)), tmp_path)
    error = caught.value
    assert (error.code, error.row, error.column, error.file) == (code, row, column, str(path))
    text = str(error)
    assert message in text
    assert text.startswith(f"{path}{f', line {row}' if row else ''}{f', column `{column}`' if column else ''}: ")
    assert error.exit_code == 3
    assert "\x1b" not in text
    assert len(text) < 500


PREDICTED = [
    name
    for name, (_, bindings, code, *_) in TABLES.items()
    if bindings == [X] and code not in ("wrong-type", "one-class", "no-names")
]


@pytest.mark.parametrize("name", PREDICTED)
def test_a_bad_table_is_refused_with_its_place_when_predicting(tmp_path: Path, name: str) -> None:
    content, _, code, row, column, message = TABLES[name]
    (tmp_path / "a.csv").write_text(GOOD)
    recipe = Recipe("a.csv", (X, Y))
    learned = dataset.load(recipe, tmp_path).learned
    path = tmp_path / "b.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError) as caught:
        inputs.read_inputs(recipe, learned, path)
    error = caught.value
    assert (error.code, error.row, error.column, error.file) == (code, row, column, str(path))
    assert message in str(error)


def test_there_are_at_least_sixty_bad_files() -> None:
    assert len(TABLES) + len(ARCHIVES) >= 60


def stored(**arrays: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)  # type: ignore[arg-type]
    return file.getvalue()


def zipped(**members: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return file.getvalue()


def member(header: str, data: bytes = b"") -> bytes:
    text = header.encode() + b"\n"
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text + data


def damaged() -> bytes:
    content = bytearray(stored(a=np.arange(100.0)))
    content[300] ^= 1
    return bytes(content)


FOUR = np.arange(4.0)
A = alone("a")
TERABYTES = member("{'descr': '<f8', 'fortran_order': False, 'shape': (549755813888,), }", bytes(64))
# bytes, binding, code, row, column, a part of the message
ARCHIVES = {
    "no archive": (b"PK but not really", A, "bad-npz", None, None, "is no npz file"),
    "empty": (b"", A, "bad-npz", None, None, "is no npz file"),
    "without arrays": (zipped(), A, "empty-file", None, None, "holds no arrays"),
    "cut short": (stored(a=FOUR)[:-30], A, "bad-npz", None, None, "is no npz file, or is damaged"),
    "damaged": (damaged(), A, "bad-npz", None, None, "Bad CRC-32"),
    "pickled": (stored(a=np.array([{}, 1], object)), A, "pickled", None, "a", "never loaded"),
    "no header": (zipped(a=b"nothing"), A, "bad-npz", None, "a", "no header of an array"),
    "a header that is code": (zipped(a=member("__import__('os')")), A, "bad-npz", None, "a", "no header"),
    "terabytes declared": (zipped(a=TERABYTES), A, "bad-npz", None, "a", "4398046511104 bytes, but has 64"),
    "missing array": (stored(b=FOUR), A, "missing-column", None, "a", "no such column; there is `b`"),
    "complex numbers": (stored(a=FOUR * 1j), A, "wrong-type", None, "a", "found complex128"),
    "dates": (stored(a=np.array(["2020-01-01"], "M8[D]")), A, "wrong-type", None, "a", "found datetime64[D]"),
    "a scalar": (stored(a=np.array(1.0)), A, "no-rows", None, "a", "found a single value"),
    "no rows": (stored(a=np.zeros((0, 3))), A, "no-rows", None, None, "without rows"),
    "text for numbers": (stored(a=np.array(["x", "y"])), A, "not-a-number", 0, "a", "found `x`, expected a number"),
    "nan": (stored(a=np.array([1, np.nan])), A, "not-finite", 1, "a", "found nan, expected a finite number"),
    "inf within a row": (
        stored(a=np.array([[1, 2], [3, np.inf]])),
        A,
        "not-finite",
        1,
        "a",
        "found inf at [1], expected a finite number",
    ),
    "differing rows": (
        stored(a=FOUR, b=np.arange(5.0)),
        several(Column("a"), Column("b")),
        "ragged-arrays",
        None,
        "b",
        "found 5 rows, `a` has 4",
    ),
    "an image beside a number": (
        stored(a=np.zeros((4, 2, 2)), b=FOUR),
        several(Column("a"), Column("b")),
        "wrong-shape",
        None,
        "a",
        "bind it alone",
    ),
    "wrong shape": (
        stored(a=np.zeros((4, 8, 8))),
        alone("a", shape=(7, "W")),
        "wrong-shape",
        None,
        "a",
        "gives rows of shape [8, 8], `x` wants [7, W]",
    ),
    "fractions for integers": (
        stored(a=np.array([[1, 2], [3, 4.5]])),
        alone("a", dtype="i32"),
        "wrong-type",
        1,
        "a",
        "found 4.5 at [1], expected a whole number",
    ),
    "label out of range": (
        stored(a=np.array([0, 1, 10])),
        alone("a", entries=10),
        "out-of-range",
        2,
        "a",
        "found 10, expected 0 to 9 for `x`",
    ),
    "images as classes": (stored(a=np.zeros((4, 2))), alone("a", CLASSES), "wrong-shape", 0, "a", "expected one text"),
    "bytes that are no text": (
        stored(a=np.array([b"\xff", b"a"])),
        alone("a", CLASSES),
        "not-utf-8",
        None,
        "a",
        "UTF-8",
    ),
}


@pytest.mark.parametrize("name", ARCHIVES)
def test_a_bad_archive_is_refused_with_its_place(tmp_path: Path, name: str) -> None:
    content, binding, code, row, column, message = ARCHIVES[name]
    path = tmp_path / "a.npz"
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        dataset.load(Recipe("a.npz", (binding,)), tmp_path)
    error = caught.value
    assert (error.code, error.row, error.column, error.file) == (code, row, column, str(path))
    assert message in str(error)
    assert row is None or f"{path}, row {row}, column `{column}`" in str(error)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_an_archive_with_two_arrays_of_one_name_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        for _ in range(2):
            archive.writestr("a.npy", b"")
    with pytest.raises(DataError, match="column `a`: found the name twice"):
        dataset.load(Recipe("a.npz", (A,)), tmp_path)


LOADING = """
import resource, sys
from pathlib import Path
from axonc.runtime.data import dataset
from axonc.runtime.data.recipe import *
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    dataset.load(Recipe(sys.argv[2], (Binding("x", False, (Column("a"),)),)), Path(sys.argv[1]))
except Exception as error:
    print(error.code, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_a_decompression_bomb_is_refused_before_it_unpacks(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive, archive.open("a.npy", "w") as file:
        file.write(member("{'descr': '<f8', 'fortran_order': False, 'shape': (25000000,), }"))
        for _ in range(200):
            file.write(bytes(1_000_000))
    assert (tmp_path / "a.npz").stat().st_size < 250_000
    command = [sys.executable, "-c", LOADING, tmp_path, "a.npz"]
    code, grown = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert code == "unpacks-too-far"
    assert int(grown) * resource.getpagesize() // 4096 < 64 * 1024


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("none.csv", "no-such-file"),
        ("a.parquet", "unknown-format"),
        ("../outside.csv", "outside-folder"),
        ("/etc/passwd", "outside-folder"),
        ("link.csv", "outside-folder"),
        ("pipe.csv", "cannot-read"),
        ("folder.csv", "no-images"),
    ],
)
def test_what_is_no_file_of_the_folder_is_refused(tmp_path: Path, source: str, code: str) -> None:
    home = tmp_path / "home"
    (home / "folder.csv").mkdir(parents=True)
    (tmp_path / "outside.csv").write_text(GOOD)
    (home / "link.csv").symlink_to(tmp_path / "outside.csv")
    (home / "a.parquet").write_text(GOOD)
    os.mkfifo(home / "pipe.csv")
    with pytest.raises(FileError) as caught:
        dataset.load(Recipe(source, (X,)), home)
    assert caught.value.code == code
    assert str(home / source) in str(caught.value)


def test_the_schema_of_a_table_reads_all_that_is_bound_once_it_reads(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(GOOD.replace("5,6", "5,six"))
    with pytest.raises(DataError, match="found `six`, expected a number"):
        dataset.schema(Recipe("a.csv", (X, Y)), tmp_path)


def test_a_misspelt_file_is_answered_by_its_neighbour(tmp_path: Path) -> None:
    (tmp_path / "flowers.csv").write_text(GOOD)
    with pytest.raises(FileError, match="did you mean `flowers"):
        dataset.load(Recipe("flower.csv", (X,)), tmp_path)


def test_a_file_outside_is_read_where_its_folder_is_allowed(tmp_path: Path) -> None:
    home, other = tmp_path / "home", tmp_path / "other"
    home.mkdir()
    other.mkdir()
    (other / "a.csv").write_text(GOOD)
    assert dataset.load(Recipe("../other/a.csv", (X,)), home, allowed=[other]).parts["train"].count == 4


def test_a_class_that_training_never_saw_is_refused_in_validation_and_in_prediction(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("kind\ncat\ndog\ncat\n")
    (tmp_path / "validation.csv").write_text("kind\ncat\ncats\n")
    binding = Binding("x", False, (Column("kind"),), (CLASSES,))
    split = (("train", "train.csv"), ("validation", "validation.csv"))
    with pytest.raises(DataError, match=r"validation.csv, line 3, column `kind`: found `cats`, .* did you mean `cat`"):
        dataset.load(Recipe("", (binding,), split), tmp_path)
    recipe = Recipe("train.csv", (binding,))
    learned = dataset.load(recipe, tmp_path).learned
    with pytest.raises(DataError, match=r"line 3, column `kind`: found `cats`"):
        inputs.read_inputs(recipe, learned, tmp_path / "validation.csv")


def test_running_text_that_is_empty_or_not_utf_8_is_refused(tmp_path: Path) -> None:
    recipe = Recipe("a.txt", (alone("text", Step("characters")),))
    for content, code in ((b"", "empty-file"), (b"ab\ncd\xff", "not-utf-8")):
        (tmp_path / "a.txt").write_bytes(content)
        with pytest.raises(DataError) as caught:
            dataset.load(recipe, tmp_path)
        assert caught.value.code == code
    assert caught.value.row == 2


@pytest.mark.parametrize(
    "split",
    [
        (("train", 0.8), ("validation", 0.3)),
        (("train", 1.2), ("validation", -0.2)),
        (("validation", 1.0),),
        (("train", 0.5), ("dev", 0.5)),
        (("train", 0.0), ("test", 1.0)),
    ],
)
def test_a_split_that_is_none_is_refused(tmp_path: Path, split: tuple[tuple[str, float], ...]) -> None:
    (tmp_path / "a.csv").write_text(GOOD)
    with pytest.raises(DataError) as caught:
        dataset.load(Recipe("a.csv", (X,), split), tmp_path)
    assert caught.value.code == "bad-split"


def test_a_part_without_rows_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(GOOD)
    with pytest.raises(DataError, match="would leave the part `test` without rows: there are 4 in all"):
        dataset.load(Recipe("a.csv", (X,), (("train", 0.95), ("test", 0.05))), tmp_path)


def test_random_bytes_never_escape_as_anything_but_a_mistake(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    good = {"a.csv": GOOD.encode(), "a.npz": stored(a=FOUR, b=FOUR, c=np.array(["x", "y", "x", "y"]))}
    for name, content in good.items():
        for _ in range(400):
            changed = bytearray(content)
            for at in rng.integers(0, len(changed), 4):
                changed[at] = rng.integers(0, 256)
            (tmp_path / name).write_bytes(changed)
            try:
                dataset.load(Recipe(name, (X, Y)), tmp_path)
            except Mistake:
                continue
