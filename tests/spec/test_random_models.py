"""Whatever the tree can say, both notations say, comments and all."""

from __future__ import annotations

from random import Random

from axonc.spec.load import parse
from axonc.spec.record import Record
from axonc.spec.source import Source
from axonc.spec.tree import Comments
from axonc.spec.write import write
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .trees import Trees


def remarks(node: object) -> list[str]:
    """The texts of all comments below a node."""
    if isinstance(node, Comments):
        return [*node.before, *([node.after] if node.after else []), *node.below]
    if isinstance(node, Record):
        return [text for part in node.__dict__.values() for text in remarks(part)]
    return [text for part in node for text in remarks(part)] if isinstance(node, tuple) else []


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.randoms(use_true_random=False), st.sampled_from(["axon", "yaml"]))
def test_a_model_is_read_as_it_was_written(random: Random, notation: str) -> None:
    model = Trees(random).model()
    text = write(model, notation)
    again, mistakes = parse(Source(f"random.{notation}", text))
    assert mistakes == []
    assert again == model
    assert sorted(remarks(again)) == sorted(remarks(model))
    assert write(again, notation) == text
