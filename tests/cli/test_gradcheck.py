"""`axonc gradcheck`: right gradients agree, a cut gradient is found."""

import json

import pytest


@pytest.mark.parametrize("spec", ["digits.axon", "deep.axon", "flowers.axon"])
def test_the_gradients_of_a_spec_agree_with_finite_differences(axonc, folder, spec):
    ended = axonc("gradcheck", spec)
    assert ended.code == 0, ended.out
    assert "weights agree" in ended.out


def test_a_gradient_that_is_cut_disagrees_and_the_reason_is_given(axonc, folder):
    text = (folder / "deep.axon").read_text().replace("logits = x |>", "logits = x |> stop_gradient |>")
    (folder / "cut.axon").write_text(text)
    ended = axonc("gradcheck", "cut.axon")
    assert ended.code == 1
    assert "DIFFERS" in ended.out
    assert "stop_gradient" in ended.out


def test_json_says_of_each_weight_what_was_found(axonc, folder):
    ended = axonc("gradcheck", "digits.axon", "--json", "--samples", "2", "--set", "hidden=3")
    found = json.loads(ended.out)
    assert (ended.code, found["ok"], found["data"]) == (0, True, "random data")
    names = {w["name"]: w["size"] for w in found["weights"]}
    assert names == {
        "maxout.W1": 192,
        "maxout.W2": 192,
        "maxout.b1": 3,
        "maxout.b2": 3,
        "dense.weight": 30,
        "dense.bias": 10,
    }
    assert all(w["error"] < 1e-5 for w in found["weights"])


def test_the_data_of_the_spec_are_used_where_they_are(axonc, folder):
    assert "first samples of the data" in axonc("gradcheck", "flowers.axon").out
    (folder / "flowers.csv").unlink()
    assert "random data" in axonc("gradcheck", "flowers.axon").out


def test_free_sizes_get_a_small_number_that_is_named(axonc, folder):
    text = "axonc 1\nmodel m\n\ninput x: f32[N, T, 4]\ninput y: f32[N, T, 3]\n\np = x |> dense(3)\nloss mse(p, y)\n"
    (folder / "m.axon").write_text(text)
    assert ", T = 3" in axonc("gradcheck", "m.axon").out
    assert ", T" not in axonc("gradcheck", "m.axon", "--size", "T=2").out


def test_a_spec_without_a_loss_is_at_fault(axonc, folder):
    (folder / "m.axon").write_text("axonc 1\nmodel m\n\ninput x: f32[N, 4]\n\ny = x |> dense(3)\n")
    ended = axonc("gradcheck", "m.axon")
    assert ended.code == 1
    assert "no-loss" in ended.err
