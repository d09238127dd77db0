"""Names of other libraries lead to the words of this one."""

from __future__ import annotations

import pytest
from axonc.compiler.trace import words
from axonc.compiler.trace.library import library_block, library_names
from axonc.compiler.training.optimizers import OPTIMIZERS
from axonc.compiler.training.schedules import SCHEDULES
from axonc.spec.record import fields
from axonc.spec.sections import ANY, DATA, SECTIONS
from axonc.spec.suggest import ELSEWHERE, OPERATORS

from .specs import diagnostics


def settings() -> set[str]:
    """Every argument of a word, an optimizer or a schedule, and every key of a section."""
    signatures = [w.signature for name in words.names() if (w := words.find(name))]
    signatures += [b.signature for name in library_names() if (b := library_block(name))]
    found = {slot.name for s in signatures for slot in (*s.inputs, *s.settings)}
    found |= {name for kind in (*OPTIMIZERS.values(), *SCHEDULES.values()) for name in fields(kind)}
    return found | {key for section in (*SECTIONS.values(), DATA["augment"][ANY], DATA["split"]) for key in section}


def test_every_name_that_is_offered_is_one_of_the_language() -> None:
    assert set(ELSEWHERE) - {*words.names(), *library_names()} <= settings()


@pytest.mark.parametrize(
    ("body", "advice"),
    [
        ("y = Linear(x, 4)", "did you mean `dense`?"),
        ("y = x |> linear(4)", "did you mean `dense`?"),
        ("y = dense(x, 4, use_bias = false)", "did you mean `bias`?"),
        ("y = x |> layer_norm(eps = 1e-3)", "did you mean `epsilon`?"),
        ("y = x |> dense(1)\nloss mse(y, 0)\ntrain { optimizer adam(lr = 0.1) }", "did you mean `rate`?"),
        ("y = x |> dense(1)\nloss mse(y, 0)\ntrain { optimizer adam; num_epochs 3 }", "did you mean `epochs`?"),
        ("y = x |> dense(1)\nloss mse(y, 0)\ntrain { optimizer adam; lr 0.1 }", "did you mean `optimizer`?"),
        (
            "y = x |> dense(1)\nloss mse(y, 0)\ntrain { optimizer adam, epochs 3 }",
            "what stands on one line is set apart by `;`",
        ),
        (
            "y = softmax(x)\nloss cross_entropy(x, y)",
            "prepare names by `classes` instead of `one_hot`, or use `categorical_cross_entropy` for shares",
        ),
        ("y = dense(x, 4, activation = 'relu')", "write `relu` without quotes"),
        ("y = dense(x; 4)", "in a call settings follow after a comma: `f(x, 64, rate = 0.1)`"),
        ("loss = mse(x, 0)", "write `loss value`, without `=`"),
        *((f"y = {name}(x, x)", f"did you mean `{operator}`?") for name, operator in OPERATORS.items()),
    ],
)
def test_a_habit_from_elsewhere_is_told_what_to_write(body: str, advice: str) -> None:
    (found,) = diagnostics(body)
    assert found.render_help() == advice


def test_a_setting_of_another_section_is_told_where_it_belongs() -> None:
    (found,) = diagnostics("y = x |> dense(1)\nloss mse(y, 0)\ntrain { optimizer adam; batch_size 3 }")
    assert found.render_notes()[0] == "`batch` belongs to `data`"


def test_what_is_lost_with_an_unknown_word_is_only_itself() -> None:
    assert [d.code for d in diagnostics("y = cast(relux(x), f32)")] == ["unknown-layer"]
    assert [d.code for d in diagnostics("y = conv2d(relux(x), 4, 3, padding = valid)")] == ["unknown-layer"]
