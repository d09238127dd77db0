"""New rows for a trained model, and its answers back."""

from pathlib import Path

import numpy as np
import pytest
from axonc.runtime.data import dataset, inputs
from axonc.runtime.data.recipe import AllExcept, Binding, Column, Recipe, Step
from axonc.runtime.errors import DataError, FileError

TABLE = "review,rooms,price,kind\ngood film,1,10,flat\nbad film,3,1000,house\ngood good,4,100,flat\n"
RECIPE = Recipe(
    "a.csv",
    (
        Binding(
            "facts", False, (AllExcept((Column("review"), Column("price"), Column("kind"))),), (Step("normalise"),)
        ),
        Binding("tokens", False, (Column("review"),), (Step("words"),)),
        Binding("price", True, (Column("price"),), (Step("log"), Step("normalise"))),
        Binding("kind", True, (Column("kind"),), (Step("classes"),)),
    ),
)


@pytest.fixture
def trained(tmp_path: Path) -> dataset.Dataset:
    (tmp_path / "a.csv").write_text(TABLE)
    return dataset.load(RECIPE, tmp_path)


def test_the_training_file_gives_the_training_inputs(tmp_path: Path, trained: dataset.Dataset) -> None:
    arrays = inputs.read_inputs(RECIPE, trained.learned, tmp_path / "a.csv")
    assert set(arrays) == {"facts", "tokens"}
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, trained.parts["train"].arrays()[name])


def test_new_rows_need_no_targets_and_may_have_more_columns(tmp_path: Path, trained: dataset.Dataset) -> None:
    (tmp_path / "b.csv").write_text("id,rooms,review\n7,5,a good\n")
    arrays = inputs.read_inputs(RECIPE, trained.learned, tmp_path / "b.csv")
    rooms = np.array([1, 3, 4])
    np.testing.assert_allclose(arrays["facts"], [[(5 - rooms.mean()) / rooms.std()]], rtol=1e-6)
    np.testing.assert_array_equal(arrays["tokens"], [[1, 2]])


def test_arrays_at_hand_serve_as_a_file(tmp_path: Path, trained: dataset.Dataset) -> None:
    given = {"rooms": np.array([1, 3]), "review": np.array(["bad", "good bad"])}
    arrays = inputs.read_inputs(RECIPE, trained.learned, given)
    np.savez(tmp_path / "b.npz", **given)  # type: ignore[arg-type]
    for name, array in inputs.read_inputs(RECIPE, trained.learned, tmp_path / "b.npz").items():
        np.testing.assert_array_equal(array, arrays[name])
    assert arrays["facts"].dtype == np.float32


def test_a_row_of_more_words_than_the_model_has_room_for_is_refused(tmp_path: Path, trained: dataset.Dataset) -> None:
    (tmp_path / "b.csv").write_text("rooms,review\n1,good\n1,one two three\n")
    with pytest.raises(DataError, match=r"line 3, column `review`: found 3 tokens, .* at most 2; give `words`"):
        inputs.read_inputs(RECIPE, trained.learned, tmp_path / "b.csv")


def test_predictions_go_back_to_what_the_data_said(trained: dataset.Dataset) -> None:
    arrays = trained.parts["train"].arrays()
    price = inputs.invert(RECIPE, trained.learned, "price", arrays["price"])
    assert price is not None
    np.testing.assert_allclose(price, [10, 1000, 100], rtol=1e-5)
    kind = inputs.invert(RECIPE, trained.learned, "kind", arrays["kind"])
    assert kind is not None
    assert kind.tolist() == ["flat", "house", "flat"]
    text = inputs.invert(RECIPE, trained.learned, "tokens", arrays["tokens"])
    assert text is not None
    assert text.tolist() == ["good film", "bad film", "good good"]


def test_indices_that_stand_for_no_word_go_back_as_unknown(trained: dataset.Dataset) -> None:
    text = inputs.invert(RECIPE, trained.learned, "tokens", np.array([[1, 900, 0]]))
    assert text is not None
    assert text.tolist() == ["\N{REPLACEMENT CHARACTER} \N{REPLACEMENT CHARACTER}"]


def test_several_columns_of_classes_go_back_column_by_column(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a,b\nx,p\ny,q\nx,q\n")
    both = (Column("a"), Column("b"))
    recipe = Recipe(
        "a.csv",
        (
            Binding("i", True, both, (Step("classes"),)),
            Binding("h", True, (Column("b"),), (Step("one_hot"),)),
            Binding("hh", False, both, (Step("one_hot"),)),
            Binding("n", False, (Column("a"),), (Step("characters"), Step("length"))),
        ),
    )
    loaded = dataset.load(recipe, tmp_path)
    arrays = loaded.parts["train"].arrays()
    back = {name: inputs.invert(recipe, loaded.learned, name, arrays[name]) for name in ("i", "h", "hh", "n")}
    assert back["i"] is not None
    assert back["i"].tolist() == [["x", "p"], ["y", "q"], ["x", "q"]]
    assert back["h"] is not None
    assert back["h"].tolist() == ["p", "q", "q"]
    assert back["hh"] is None
    assert back["n"] is None


def test_a_prompt_is_encoded_as_the_data_were(trained: dataset.Dataset) -> None:
    good, bad, film = (2 + trained.learned["tokens"]["steps"][0].index(word) for word in ("good", "bad", "film"))
    prompt = inputs.encode(RECIPE, trained.learned, "tokens", "A bad, good FILM")
    assert prompt.tolist() == [1, bad, 1, good, film]
    assert prompt.dtype == np.int32


def test_windows_of_new_rows_are_made_as_in_training(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.arange(20.0))
    recipe = Recipe(
        "a.npz",
        (
            Binding("x", False, (Column("x"),), (Step("window", (("length", 4),)),)),
            Binding("y", True, (Column("x"),), (Step("shift", (("rows", 4),)),)),
        ),
    )
    learned = dataset.load(recipe, tmp_path).learned
    arrays = inputs.read_inputs(recipe, learned, {"x": np.arange(6.0)})
    np.testing.assert_array_equal(arrays["x"], [[0, 1, 2, 3], [1, 2, 3, 4], [2, 3, 4, 5]])


# Outputs

OUTPUTS = {
    "probability": np.array([[0.1, 0.9], [0.25, 0.75]], np.float32),
    "price": np.array([1e-9, 123456.7], np.float32),
    "kind": np.array(["flat, large", 'a "house"']),
    "index": np.array([3, -4]),
}


@pytest.mark.parametrize("suffix", [".csv", ".tsv"])
def test_outputs_are_written_as_a_table_that_can_be_read_again(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out{suffix}"
    inputs.write_outputs(path, OUTPUTS)
    first = path.read_text().splitlines()[0]
    assert first.replace("\t", ",") == "probability.0,probability.1,price,kind,index"
    assert "0.1" in path.read_text()
    assert "0.10000000149" not in path.read_text()
    recipe = Recipe(
        path.name,
        (
            Binding("p", False, (Column("probability.0"), Column("probability.1"))),
            Binding("price", False, (Column("price"),)),
            Binding("kind", False, (Column("kind"),), (Step("one_hot"),)),
        ),
    )
    again = dataset.load(recipe, tmp_path)
    np.testing.assert_array_equal(again.parts["train"].arrays()["p"], OUTPUTS["probability"])
    np.testing.assert_array_equal(again.parts["train"].arrays()["price"], OUTPUTS["price"])
    assert sorted(again.learned["kind"]["steps"][0][0]) == sorted(OUTPUTS["kind"].tolist())


def test_outputs_are_written_as_arrays(tmp_path: Path) -> None:
    outputs = OUTPUTS | {"image": np.ones((2, 3, 3))}
    inputs.write_outputs(tmp_path / "out.npz", outputs)
    with np.load(tmp_path / "out.npz") as file:
        assert set(file) == set(outputs)
        for name, array in outputs.items():
            np.testing.assert_array_equal(file[name], array)


def test_what_a_file_cannot_hold_is_refused_and_the_old_file_stays(tmp_path: Path) -> None:
    (tmp_path / "out.csv").write_text("old")
    with pytest.raises(FileError, match=r"cannot hold the output `image` of shape \(2, 3, 3\); write it to an .npz"):
        inputs.write_outputs(tmp_path / "out.csv", {"image": np.ones((2, 3, 3))})
    assert (tmp_path / "out.csv").read_text() == "old"
    with pytest.raises(FileError, match=r"suffix `\.pdf`, expected \.csv, \.tsv or \.npz"):
        inputs.write_outputs(tmp_path / "out.pdf", OUTPUTS)
    with pytest.raises(FileError, match="make its folder first"):
        inputs.write_outputs(tmp_path / "none" / "out.csv", OUTPUTS)
