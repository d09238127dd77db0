"""Recipes to samples, against NumPy, scikit-learn and plain Python."""

import csv
import json
import random
import tracemalloc
from collections import Counter
from collections.abc import Mapping
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
from axonc.runtime.data import dataset
from axonc.runtime.data.functions import FUNCTIONS, WrongStep, step
from axonc.runtime.data.functions import chain as chain_of
from axonc.runtime.data.recipe import (
    AllExcept,
    Augmentation,
    Binding,
    Column,
    Pattern,
    Recipe,
    Step,
    from_json,
    to_json,
)
from axonc.runtime.data.values import Field
from numpy.lib.stride_tricks import sliding_window_view

NORMALISE, CLASSES, ONE_HOT, LOG = Step("normalise"), Step("classes"), Step("one_hot"), Step("log")
SPLIT = (("train", 0.6), ("validation", 0.2), ("test", 0.2))


def bind(name: str, columns: object, *steps: Step, target: bool = False, **wanted: object) -> Binding:
    selectors = columns if isinstance(columns, tuple) else (Column(str(columns)),)
    return Binding(name, target, selectors, steps, **wanted)  # type: ignore[arg-type]


def window(length: int, every: int | None = None) -> Step:
    return step("window", [length], {} if every is None else {"every": every})


def shift(rows: int) -> Step:
    return step("shift", [rows], {})


def write_table(path: Path, columns: Mapping[str, object], separator: str = ",") -> None:
    with open(path, "w", newline="") as file:
        writer = csv.writer(file, delimiter=separator)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))  # type: ignore[call-overload]


@pytest.fixture
def flowers(tmp_path: Path) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(3)
    table = {
        "length": rng.normal(5, 2, 200),
        "width": rng.lognormal(0, 1, 200),
        "kind": rng.choice(["setosa", "virginica", "versicolor"], 200),
        "id": np.arange(200),
    }
    write_table(tmp_path / "a.csv", table)
    return table


FACTS = bind("facts", (Column("length"), Column("width")), NORMALISE)
KIND = bind("kind", "kind", CLASSES, target=True)
ID = bind("id", "id")


def test_numbers_are_those_of_the_file(tmp_path: Path, flowers: dict[str, np.ndarray]) -> None:
    recipe = Recipe("a.csv", (bind("x", (Pattern("*th"),), dtype="f64"), bind("id", "id", dtype="i64")))
    arrays = dataset.load(recipe, tmp_path).parts["train"].arrays()
    expected = np.loadtxt(tmp_path / "a.csv", delimiter=",", skiprows=1, usecols=(0, 1))
    np.testing.assert_array_equal(arrays["x"], expected)
    np.testing.assert_array_equal(arrays["id"], np.arange(200))
    assert (arrays["x"].dtype, arrays["id"].dtype) == (np.float64, np.int64)


def test_what_spreadsheets_write_is_read(tmp_path: Path) -> None:
    text = '\ufeffa , "b, c",text\r\n 1,+2e0,"one\r\n""line"""\r\n\r\n.5,-0,plain\r\n'
    (tmp_path / "a.csv").write_text(text, newline="")
    recipe = Recipe("a.csv", (bind("x", (Column("a"), Column("b, c"))), bind("t", "text", ONE_HOT)))
    loaded = dataset.load(recipe, tmp_path)
    np.testing.assert_array_equal(loaded.parts["train"].arrays()["x"], [[1, 2], [0.5, 0]])
    assert loaded.learned["t"]["steps"] == [[['one\r\n"line"', "plain"]]]


def test_tabs_and_commas_and_arrays_give_the_same(tmp_path: Path, flowers: dict[str, np.ndarray]) -> None:
    write_table(tmp_path / "a.tsv", flowers, "\t")
    np.savez_compressed(tmp_path / "a.npz", **flowers)  # type: ignore[arg-type]
    recipe = Recipe("a.csv", (FACTS, KIND, ID), SPLIT)
    loaded = [dataset.load(Recipe(name, recipe.bindings, SPLIT), tmp_path) for name in ("a.csv", "a.tsv", "a.npz")]
    loaded.append(dataset.load(recipe, tmp_path / "nowhere", arrays=flowers))
    for other in loaded[1:]:
        assert other.learned["kind"] == loaded[0].learned["kind"]
        for part in ("train", "validation", "test"):
            for name, array in loaded[0].parts[part].arrays().items():
                np.testing.assert_allclose(other.parts[part].arrays()[name], array, rtol=1e-6)


# Splits


def test_parts_share_all_rows_without_overlap_and_a_seed_decides_which(
    tmp_path: Path, flowers: dict[str, np.ndarray]
) -> None:
    def rows(seed: int) -> dict[str, list[int]]:
        loaded = dataset.load(Recipe("a.csv", (ID,), SPLIT, seed=seed), tmp_path)
        return {part: samples.arrays()["id"].tolist() for part, samples in loaded.parts.items()}

    first = rows(0)
    assert [len(part) for part in first.values()] == [120, 40, 40]
    assert sorted(chain.from_iterable(first.values())) == list(range(200))
    assert all(part == sorted(part) for part in first.values())
    assert first == rows(0)
    assert first != rows(1)
    assert first["train"] != list(range(120))


def test_parts_may_have_files_of_their_own(tmp_path: Path, flowers: dict[str, np.ndarray]) -> None:
    write_table(tmp_path / "late.csv", {name: column[:20] for name, column in flowers.items()})
    recipe = Recipe("a.csv", (FACTS, KIND, ID), (("train", 0.9), ("validation", 0.1), ("test", "late.csv")))
    loaded = dataset.load(recipe, tmp_path)
    assert {part: samples.count for part, samples in loaded.parts.items()} == {
        "train": 180,
        "validation": 20,
        "test": 20,
    }
    np.testing.assert_array_equal(loaded.parts["test"].arrays()["id"], np.arange(20))
    mean = np.array(loaded.learned["facts"]["steps"][0]["mean"])
    deviation = np.array(loaded.learned["facts"]["steps"][0]["deviation"])
    expected = (np.stack([flowers["length"][:20], flowers["width"][:20]], 1) - mean) / deviation
    np.testing.assert_allclose(loaded.parts["test"].arrays()["facts"], expected, rtol=1e-5)


# What is learned


def test_mean_and_deviation_are_those_of_the_training_rows_alone(
    tmp_path: Path, flowers: dict[str, np.ndarray]
) -> None:
    preprocessing = pytest.importorskip("sklearn.preprocessing")
    loaded = dataset.load(Recipe("a.csv", (FACTS, ID), SPLIT), tmp_path)
    raw = np.stack([flowers["length"], flowers["width"]], 1)
    arrays = {part: samples.arrays() for part, samples in loaded.parts.items()}
    scaler = preprocessing.StandardScaler().fit(raw[arrays["train"]["id"].astype(int)])
    np.testing.assert_allclose(loaded.learned["facts"]["steps"][0]["mean"], scaler.mean_, rtol=1e-12)
    np.testing.assert_allclose(loaded.learned["facts"]["steps"][0]["deviation"], scaler.scale_, rtol=1e-12)
    for part in arrays.values():
        np.testing.assert_allclose(part["facts"], scaler.transform(raw[part["id"].astype(int)]), rtol=2e-6, atol=2e-6)


def test_a_column_without_variation_becomes_zero(tmp_path: Path) -> None:
    write_table(tmp_path / "a.csv", {"a": [0.1] * 1000, "b": range(1000)})
    loaded = dataset.load(Recipe("a.csv", (bind("x", (Pattern("*"),), NORMALISE),)), tmp_path)
    assert loaded.learned["x"]["steps"][0]["deviation"][0] == 1
    np.testing.assert_allclose(loaded.parts["train"].arrays()["x"][:, 0], 0, atol=1e-7)


def test_images_are_normalised_by_channel(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (5000, 4, 4, 3), dtype=np.uint8)
    np.savez(tmp_path / "a.npz", image=images)
    loaded = dataset.load(Recipe("a.npz", (bind("image", "image", NORMALISE),)), tmp_path)
    result = loaded.parts["train"].arrays()["image"]
    wide = images.astype(np.float64)
    np.testing.assert_allclose(result, (wide - wide.mean((0, 1, 2))) / wide.std((0, 1, 2)), atol=1e-5)
    assert result.dtype == np.float32


def test_classes_are_numbered_as_scikit_learn_does(tmp_path: Path, flowers: dict[str, np.ndarray]) -> None:
    preprocessing = pytest.importorskip("sklearn.preprocessing")
    arrays = dataset.load(Recipe("a.csv", (KIND, bind("hot", "kind", ONE_HOT))), tmp_path).parts["train"].arrays()
    expected = preprocessing.LabelEncoder().fit_transform(flowers["kind"])
    np.testing.assert_array_equal(arrays["kind"], expected)
    hot = preprocessing.OneHotEncoder(sparse_output=False).fit_transform(flowers["kind"][:, None])
    np.testing.assert_array_equal(arrays["hot"], hot)
    assert arrays["kind"].dtype == np.int64


def test_classes_that_are_numbers_are_sorted_as_numbers(tmp_path: Path) -> None:
    write_table(tmp_path / "a.csv", {"digit": [10, 9, 2, 10]})
    loaded = dataset.load(Recipe("a.csv", (bind("x", "digit", CLASSES),)), tmp_path)
    assert loaded.learned["x"]["steps"] == [[["2", "9", "10"]]]
    np.testing.assert_array_equal(loaded.parts["train"].arrays()["x"], [2, 1, 0, 2])


def test_several_columns_of_classes_have_their_own_names(tmp_path: Path) -> None:
    write_table(tmp_path / "a.csv", {"sex": ["m", "f", "f"], "deck": ["A", "B", "C"]})
    both = (Column("sex"), Column("deck"))
    loaded = dataset.load(Recipe("a.csv", (bind("x", both, CLASSES), bind("y", both, ONE_HOT))), tmp_path)
    np.testing.assert_array_equal(loaded.parts["train"].arrays()["x"], [[1, 0], [0, 1], [0, 2]])
    np.testing.assert_array_equal(
        loaded.parts["train"].arrays()["y"], [[0, 1, 1, 0, 0], [1, 0, 0, 1, 0], [1, 0, 0, 0, 1]]
    )
    assert loaded.fields["x"] == Field("i64", (2,), 3)


def test_functions_run_in_order(tmp_path: Path, flowers: dict[str, np.ndarray]) -> None:
    arrays = dataset.load(Recipe("a.csv", (bind("x", "width", LOG, NORMALISE),)), tmp_path).parts["train"].arrays()
    logs = np.log(flowers["width"])
    np.testing.assert_allclose(arrays["x"], (logs - logs.mean()) / logs.std(), atol=1e-6)


def test_what_is_learned_survives_json(tmp_path: Path, flowers: dict[str, np.ndarray]) -> None:
    learned = dataset.load(Recipe("a.csv", (FACTS, KIND), SPLIT), tmp_path).learned
    assert json.loads(json.dumps(learned)) == learned


# Text

REVIEWS = ["Good, good film!", "bad film", "", "It's good - really good"]


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    write_table(tmp_path / "a.csv", {"review": REVIEWS, "id": range(4)})
    return tmp_path


def words(**arguments: int) -> Step:
    return Step("words", tuple(arguments.items()))


def test_words_are_numbered_by_how_common_they_are_and_padded_to_the_longest(reviews: Path) -> None:
    loaded = dataset.load(Recipe("a.csv", (bind("x", "review", words()),)), reviews)
    vocabulary = loaded.learned["x"]["steps"][0]
    assert vocabulary[:2] == ["good", "film"]
    assert sorted(vocabulary) == sorted({"good", ",", "film", "!", "bad", "it", "'", "s", "-", "really"})
    number = {word: i for i, word in enumerate(vocabulary, 2)}
    rows = [["good", ",", "good", "film", "!"], ["bad", "film"], [], ["it", "'", "s", "good", "-", "really", "good"]]
    expected = [[number[word] for word in row] + [0] * (7 - len(row)) for row in rows]
    np.testing.assert_array_equal(loaded.parts["train"].arrays()["x"], expected)
    assert loaded.fields["x"] == Field("i32", (7,), 12)


def test_entries_limit_the_vocabulary_and_limit_the_length(reviews: Path) -> None:
    tokens = words(entries=4, limit=3)
    recipe = Recipe("a.csv", (bind("x", "review", tokens), bind("n", "review", tokens, Step("length"))))
    loaded = dataset.load(recipe, reviews)
    arrays = loaded.parts["train"].arrays()
    np.testing.assert_array_equal(arrays["x"], [[2, 1, 2], [1, 3, 0], [0, 0, 0], [1, 1, 1]])
    np.testing.assert_array_equal(arrays["n"], [3, 2, 0, 3])
    assert loaded.fields == {"x": Field("i32", (3,), 4), "n": Field("i32")}


def test_words_of_validation_rows_do_not_enter_the_vocabulary(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("t\none two\ntwo three\n")
    (tmp_path / "b.csv").write_text("t\nfour two\n")
    recipe = Recipe("", (bind("x", "t", words()),), (("train", "a.csv"), ("validation", "b.csv")))
    loaded = dataset.load(recipe, tmp_path)
    assert loaded.learned["x"]["steps"] == [["two", "one", "three"]]
    np.testing.assert_array_equal(loaded.parts["validation"].arrays()["x"], [[1, 2]])


def test_rows_are_padded_to_the_longest_of_every_part_or_as_wanted(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("t\nab\nc\n")
    (tmp_path / "b.csv").write_text("t\nabcd\n")
    split = (("train", "a.csv"), ("test", "b.csv"))
    characters = Step("characters")
    for wanted, width in ((None, 4), (("T",), 4), ((6,), 6)):
        loaded = dataset.load(Recipe("", (bind("x", "t", characters, shape=wanted),), split), tmp_path)
        assert {part.arrays()["x"].shape[1] for part in loaded.parts.values()} == {width}


POEM = "the cat sat on the mat\nand the dog sat too " * 40


def test_running_text_gives_windows_that_lie_end_to_end(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(POEM)
    characters = Step("characters")
    recipe = Recipe(
        "a.txt",
        (
            bind("tokens", "text", characters, window(16)),
            bind("next", "text", characters, shift(1), window(16), target=True),
        ),
        (("train", 0.9), ("validation", 0.1)),
    )
    loaded = dataset.load(recipe, tmp_path)
    letters = ("", "?", *loaded.learned["tokens"]["steps"][0])
    shown = {
        part: {name: ["".join(letters[i] for i in row) for row in rows] for name, rows in samples.arrays().items()}
        for part, samples in loaded.parts.items()
    }
    text = "".join(shown["train"]["tokens"])
    assert text == POEM[: len(text)]
    assert "".join(shown["train"]["next"]) == POEM[1 : len(text) + 1]
    rest = "".join(shown["validation"]["tokens"])
    assert rest in POEM[len(text) :]
    assert loaded.fields["next"] == Field("i32", (16,), 2 + len(set(POEM)))
    assert letters[2] == Counter(POEM).most_common(1)[0][0]


def test_running_text_of_words_is_cut_between_words(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(POEM)
    recipe = Recipe("a.txt", (bind("x", "text", words(), window(5)),), (("train", 0.77), ("test", 0.23)))
    loaded = dataset.load(recipe, tmp_path)
    assert set(loaded.learned["x"]["steps"][0]) == set(POEM.split())
    assert not (loaded.parts["test"].arrays()["x"] == 1).any()


# Series


@pytest.fixture
def series(tmp_path: Path) -> np.ndarray:
    values = np.random.default_rng(0).normal(size=(100, 3))
    np.savez(tmp_path / "a.npz", values=values, t=np.arange(100))
    return values.astype(np.float32)


def test_windows_are_sliding_windows_and_a_shift_looks_ahead(tmp_path: Path, series: np.ndarray) -> None:
    recipe = Recipe(
        "a.npz",
        (bind("x", "values", window(8)), bind("t", "t"), bind("next", "t", shift(8), target=True)),
        (("train", 0.7), ("test", 0.3)),
    )
    loaded = dataset.load(recipe, tmp_path)
    arrays = loaded.parts["train"].arrays()
    expected = sliding_window_view(series[:70], 8, axis=0).transpose(0, 2, 1)[:62]
    np.testing.assert_array_equal(arrays["x"], expected)
    np.testing.assert_array_equal(arrays["t"], np.arange(62))
    np.testing.assert_array_equal(arrays["next"], np.arange(62) + 8)
    np.testing.assert_array_equal(loaded.parts["test"].arrays()["t"], np.arange(70, 92))
    for batch in loaded.batches("train", epoch=3):
        np.testing.assert_array_equal(batch["x"], expected[batch["t"]])
        np.testing.assert_array_equal(batch["next"], batch["t"] + 8)


def test_every_says_how_far_apart_samples_begin(tmp_path: Path, series: np.ndarray) -> None:
    recipe = Recipe("a.npz", (bind("x", "values", window(8, every=5)), bind("t", "t")), batch=7)
    loaded = dataset.load(recipe, tmp_path)
    np.testing.assert_array_equal(loaded.parts["train"].arrays()["t"], np.arange(0, 93, 5))
    for batch in loaded.batches("train"):
        for x, t in zip(batch["x"], batch["t"], strict=True):
            np.testing.assert_array_equal(x, series[t : t + 8])


def test_images_are_normalised_some_at_a_time(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (900, 96, 96, 1), np.uint8)
    some = {"image": pixels}
    recipe = Recipe("a.npz", (bind("image", "image", NORMALISE),))
    tracemalloc.start()
    try:
        found = dataset.load(recipe, tmp_path, arrays=some).parts["train"].arrays()["image"]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    np.testing.assert_allclose(found, (pixels - pixels.mean()) / pixels.std(), rtol=1e-5, atol=1e-6)
    assert peak < 13 * pixels.size


# Wanted types and shapes


def test_columns_take_the_shape_that_is_wanted(tmp_path: Path) -> None:
    pixels = np.arange(24).reshape(2, 12)
    write_table(tmp_path / "a.csv", {f"pixel{i}": pixels[:, i] for i in range(12)} | {"rest": [5, 6]})
    for shape in ((12,), ("F",), (None,), (3, 4), (2, 2, 3), (3, 4, 1)):
        recipe = Recipe("a.csv", (bind("x", (Pattern("pixel*"),), dtype="u8", shape=shape),))
        array = dataset.load(recipe, tmp_path).parts["train"].arrays()["x"]
        sizes = [size if isinstance(size, int) else 12 for size in shape]
        np.testing.assert_array_equal(array, pixels.reshape(2, *sizes))
        assert array.dtype == np.uint8
        assert array.flags.c_contiguous
    for shape in (("F",), (1,), (1, 1)):
        array = dataset.load(Recipe("a.csv", (bind("x", "rest", shape=shape),)), tmp_path).parts["train"].arrays()["x"]
        assert array.shape == (2, *([1] * len(shape)))
    listed = dataset.load(Recipe("a.csv", (bind("x", (Column("rest"),), shape=()),)), tmp_path)
    assert listed.fields["x"].shape == ()


def test_all_but_some_columns_come_in_the_order_of_the_file(tmp_path: Path) -> None:
    write_table(tmp_path / "a.csv", {"b": [1, 1], "y": [2, 2], "a": [3, 3], "id 1": [4, 4]})
    selectors = (AllExcept((Column("y"), Pattern("id*"))),)
    loaded = dataset.load(Recipe("a.csv", (bind("x", selectors),)), tmp_path)
    np.testing.assert_array_equal(loaded.parts["train"].arrays()["x"], [[1, 3], [1, 3]])
    assert loaded.learned["x"]["columns"] == ["b", "a"]


def test_a_pattern_means_its_text_and_only_stars_are_special(tmp_path: Path) -> None:
    write_table(tmp_path / "a.csv", {"a.b[1]": [1], "axb1": [2]})
    loaded = dataset.load(Recipe("a.csv", (bind("x", (Pattern("a.b[*"),)),)), tmp_path)
    assert loaded.learned["x"]["columns"] == ["a.b[1]"]


# Schema


def test_the_schema_is_what_loading_gives(tmp_path: Path, flowers: dict[str, np.ndarray], series: np.ndarray) -> None:
    (tmp_path / "a.txt").write_text(POEM)
    images = np.zeros((4, 8, 8), np.uint8)
    np.savez(tmp_path / "b.npz", image=images, label=np.arange(4), truth=np.array([True] * 4))
    characters = Step("characters")
    for source, bindings in {
        "a.csv": (FACTS, KIND, ID, bind("log", "width", LOG), bind("t", "kind", words(entries=9, limit=5))),
        "a.npz": (bind("x", "values", NORMALISE, window(8)), bind("t", "t", shift(3))),
        "b.npz": (bind("image", "image"), bind("n", "image", NORMALISE), bind("l", "label"), bind("b", "truth")),
        "a.txt": (bind("x", "text", Step("characters", (("entries", 50),)), window(6)),),
    }.items():
        for some in ((*bindings,), *((one,) for one in bindings)):
            recipe = Recipe(source, some)
            assert dataset.schema(recipe, tmp_path) == dataset.load(recipe, tmp_path).fields
    recipe = Recipe("a.txt", (bind("x", "text", characters, window(6)),))
    assert dataset.schema(recipe, tmp_path)["x"].entries == 2 + len(set(POEM))
    assert dataset.schema(Recipe("a.csv", (KIND,)), tmp_path) == {"kind": Field("i64", (), 3)}


def test_the_schema_reads_no_rows_that_it_does_not_need(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a,b\nragged\n")
    recipe = Recipe("a.csv", (bind("x", (Pattern("*"),), NORMALISE),))
    assert dataset.schema(recipe, tmp_path) == {"x": Field("f32", (2,))}


# Batches


def ids(loaded: dataset.Dataset, part: str = "train", **order: int) -> list[list[int]]:
    return [batch["id"].astype(int).tolist() for batch in loaded.batches(part, **order)]


def test_an_epoch_holds_each_training_row_once_and_its_last_batch_is_short(
    tmp_path: Path, flowers: dict[str, np.ndarray]
) -> None:
    loaded = dataset.load(Recipe("a.csv", (FACTS, ID), batch=64), tmp_path)
    batches = ids(loaded, epoch=1)
    assert [len(batch) for batch in batches] == [64, 64, 64, 8]
    assert sorted(chain.from_iterable(batches)) == list(range(200))
    facts = loaded.parts["train"].arrays()["facts"]
    for batch in loaded.batches("train", epoch=1):
        np.testing.assert_array_equal(batch["facts"], facts[batch["id"].astype(int)])
        assert batch["facts"].flags.c_contiguous


def test_seed_and_epoch_decide_the_order(tmp_path: Path, flowers: dict[str, np.ndarray]) -> None:
    loaded = dataset.load(Recipe("a.csv", (ID,), seed=7), tmp_path)
    again = dataset.load(Recipe("a.csv", (ID,), seed=7), tmp_path)
    assert ids(loaded, epoch=4) == ids(again, epoch=4) == ids(loaded, epoch=4, seed=7)
    assert ids(loaded, epoch=4) != ids(loaded, epoch=5)
    assert ids(loaded, epoch=4) != ids(loaded, epoch=4, seed=8)
    assert ids(loaded, epoch=4, seed=-1) != ids(loaded, epoch=4, seed=2**70)


def test_other_parts_and_unshuffled_ones_keep_the_order_of_the_file(
    tmp_path: Path, flowers: dict[str, np.ndarray]
) -> None:
    loaded = dataset.load(Recipe("a.csv", (ID,), SPLIT, shuffle=False), tmp_path)
    assert list(chain.from_iterable(ids(loaded))) == loaded.parts["train"].arrays()["id"].tolist()
    for part in loaded.parts:
        assert list(chain.from_iterable(ids(loaded, part, epoch=2))) == loaded.parts[part].arrays()["id"].tolist()


def test_a_batch_larger_than_the_part_is_the_part(tmp_path: Path, flowers: dict[str, np.ndarray]) -> None:
    loaded = dataset.load(Recipe("a.csv", (ID,), batch=1000), tmp_path)
    assert [len(batch) for batch in ids(loaded)] == [200]


def test_passes_at_the_same_time_do_not_disturb_each_other(tmp_path: Path, flowers: dict[str, np.ndarray]) -> None:
    loaded = dataset.load(Recipe("a.csv", (ID,)), tmp_path)
    next(loaded.batches("train", epoch=9))
    expected = ids(loaded, epoch=1), ids(loaded, epoch=2)
    seen: tuple[list[list[int]], list[list[int]]] = ([], [])
    for first, second in zip(loaded.batches("train", epoch=1), loaded.batches("train", epoch=2), strict=True):
        seen[0].append(first["id"].astype(int).tolist())
        seen[1].append(second["id"].astype(int).tolist())
    assert seen == expected


def test_batches_need_no_memory_once_they_run(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "a.npz", image=rng.random((5000, 32, 8)), label=rng.integers(0, 9, 5000))
    plain = (bind("image", "image"), bind("label", "label", dtype="i64"))
    for bindings in (plain, (bind("image", "image", window(4)), plain[1])):
        loaded = dataset.load(Recipe("a.npz", bindings, batch=96), tmp_path)
        for batch in loaded.batches("train", epoch=0):
            del batch
        tracemalloc.start()
        try:
            before = tracemalloc.get_traced_memory()[0]
            for epoch in range(2):
                for batch in loaded.batches("train", epoch=epoch):
                    del batch
            peak = tracemalloc.get_traced_memory()[1] - before
        finally:
            tracemalloc.stop()
        assert peak < 8_000


# Recipes and steps


def test_a_recipe_survives_json() -> None:
    recipe = Recipe(
        "a.csv",
        (
            bind("x", (Column("a"), Pattern("b*"), AllExcept((Column("c"), Pattern("*")))), NORMALISE, window(3)),
            bind("y", "y", words(entries=9), target=True, dtype="i32", shape=("T", None, 4), entries=7),
            bind("z", (Column("z"),), shape=()),
        ),
        (("train", 0.5), ("validation", 0.5), ("test", "late.csv")),
        16,
        False,
        99,
        (Augmentation("x", ("horizontal",), 2, 0.5, 3, ("y", "z")), Augmentation("z", noise=1.0)),
    )
    assert from_json(json.loads(json.dumps(to_json(recipe)))) == recipe
    assert hash(recipe) == hash(from_json(to_json(recipe)))
    assert recipe.binding("y").entries == 7


def test_arguments_go_by_position_or_by_name() -> None:
    expected = Step("words", (("entries", 20_000), ("limit", 400)))
    assert step("words", [20_000], {"limit": 400}) == expected
    assert step("words", [20_000, 400], {}) == step("words", [], {"entries": 20_000, "limit": 400}) == expected


@pytest.mark.parametrize(
    ("function", "positional", "named", "message"),
    [
        ("normalize", [], {}, "there is no data function `normalize`; did you mean `normalise`?"),
        ("window", [], {}, "`window`: missing a required argument: 'length'; it is written window(length, every)"),
        ("window", [0], {}, "`length` is 0, expected a whole number from 1"),
        ("window", [2.5], {}, "`length` is 2.5, expected a whole number"),
        ("shift", [-1], {}, "`rows` is -1"),
        ("words", [1], {}, "`entries` is 1, expected a whole number from 3"),
        ("words", ["many"], {}, "`entries` is many"),
        ("words", [], {"limits": 3}, "got an unexpected keyword argument 'limits'"),
        ("log", [2], {}, "too many positional arguments; it is written log()"),
    ],
)
def test_a_wrong_call_is_refused(
    function: str, positional: list[object], named: dict[str, object], message: str
) -> None:
    with pytest.raises(WrongStep) as caught:
        step(function, positional, named, 3)  # type: ignore[arg-type]
    assert message in str(caught.value)
    assert caught.value.index == 3


@pytest.mark.parametrize(
    ("steps", "index", "message"),
    [
        (
            [Step("length")],
            0,
            "`length` takes tokens, found a column before it; put one of `characters`, `words` before",
        ),
        ([NORMALISE, CLASSES], 1, "`classes` takes texts, found numbers before it; it must be the first"),
        ([words(), NORMALISE], 1, "`normalise` takes numbers, found tokens before it; put one of `classes`"),
        ([window(3), NORMALISE], 1, "`normalise` comes after `window` or `shift`; put `normalise` before them"),
        ([window(3), window(4)], 1, "a second `window`"),
        ([Step("nothing")], 0, "there is no data function `nothing`"),
    ],
)
def test_steps_that_do_not_fit_are_refused(steps: list[Step], index: int, message: str) -> None:
    with pytest.raises(WrongStep) as caught:
        chain_of(steps)
    assert message in str(caught.value)
    assert caught.value.index == index


def test_every_function_has_a_page_of_its_own() -> None:
    assert list(FUNCTIONS) == sorted(FUNCTIONS)
    assert all(function.__doc__ for function in FUNCTIONS.values())


def test_random_tables_survive_the_reader(tmp_path: Path) -> None:
    rng = random.Random(2)
    for _ in range(40):
        rows = rng.randint(2, 40)
        texts = ["x" + "".join(rng.choices('ab ,"\n\r\tü;', k=rng.randint(1, 6))) + str(i) for i in range(rows)]
        numbers = [rng.choice([rng.gauss(0, 1e9), rng.randint(-5, 5), 1e-300, -0.0]) for _ in range(rows)]
        write_table(tmp_path / "a.csv", {"t": texts, "n": numbers})
        recipe = Recipe("a.csv", (bind("t", "t", ONE_HOT), bind("n", "n", dtype="f64")))
        loaded = dataset.load(recipe, tmp_path)
        names = loaded.learned["t"]["steps"][0][0]
        arrays = loaded.parts["train"].arrays()
        assert [names[i] for i in arrays["t"].argmax(1)] == texts
        np.testing.assert_array_equal(arrays["n"], numbers)
