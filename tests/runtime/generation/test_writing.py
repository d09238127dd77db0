"""Texts are what a model small enough to be known whole says of them: greedy, drawn, and searched for with a beam."""

from __future__ import annotations

import numpy as np
import pytest
from axonc.runtime.errors import InputError
from axonc.runtime.generation.writing import Manner, write

from .chains import Chain, every_text, log_shares, table

ENTRIES = 4


def best(prompt: list[int], width: int, limit: int, stop: int | None) -> tuple[tuple[int, ...], float]:
    """Beam search in plain words: texts and their scores in a list, the best of them kept."""
    texts = [(tuple(prompt), 0.0)]
    while any(len(t) < limit and not is_ended(t, prompt, stop) for t, _ in texts):
        tried = []
        for text, score in texts:
            if is_ended(text, prompt, stop):
                tried.append((text, score))
            else:
                shares = log_shares(table(text, ENTRIES))
                tried += [((*text, token), score + float(shares[token])) for token in range(ENTRIES)]
        texts = sorted(tried, key=lambda pair: -pair[1])[:width]
    return texts[0]


def is_ended(text: tuple[int, ...], prompt: list[int], stop: int | None) -> bool:
    return len(text) > len(prompt) and text[-1] == stop


@pytest.mark.parametrize("stop", [None, 2])
@pytest.mark.parametrize("prompt", [[0], [3, 1], [2, 2]])
def test_a_beam_as_wide_as_all_texts_finds_the_likeliest_of_all(prompt: list[int], stop: int | None) -> None:
    limit = 5
    texts = every_text(prompt, ENTRIES, limit, stop)
    likeliest = max(texts, key=lambda text: texts[text])
    width = len(texts)
    (found,) = write(Chain(ENTRIES), {}, [np.array(prompt)], Manner(limit, stop=stop, beam=width))
    stopped = likeliest[-1] == stop and len(likeliest) > len(prompt)
    assert tuple(found.tokens) == likeliest[len(prompt) : len(likeliest) - stopped]
    assert found.score == pytest.approx(texts[likeliest])
    assert found.stopped == stopped


def test_the_best_texts_of_a_beam_come_in_their_order() -> None:
    texts = every_text([0], ENTRIES, 4, 2)
    ranked = sorted(texts, key=lambda text: -texts[text])
    width = len(texts)
    found = write(Chain(ENTRIES), {}, [np.array([0])], Manner(4, stop=2, beam=width, best=5))
    assert [(0, *w.tokens, *[2] * w.stopped) for w in found] == ranked[:5]
    every = write(Chain(ENTRIES), {}, [np.array([0])], Manner(4, stop=2, beam=width + 9, best=width + 9))
    assert len(every) == width
    np.testing.assert_allclose([w.score for w in every], [texts[text] for text in ranked])


@pytest.mark.parametrize("width", [1, 2, 3, 5])
@pytest.mark.parametrize("stop", [None, 1])
def test_a_narrow_beam_keeps_the_best_at_each_step(width: int, stop: int | None) -> None:
    prompts = [[0], [1, 3], [3], [2, 0, 1]]
    limit = 9
    rows = [np.array(p) for p in prompts]
    found = write(Chain(ENTRIES), {}, rows, Manner(limit, stop=stop, beam=width))
    for prompt, written in zip(prompts, found, strict=True):
        text, score = best(prompt, width, limit, stop)
        ended = is_ended(text, prompt, stop)
        assert tuple(written.tokens) == text[len(prompt) : len(text) - ended]
        assert written.score == pytest.approx(score)
        assert written.stopped == ended


def test_a_beam_of_one_is_the_greedy_text() -> None:
    rows = [np.array([i]) for i in range(ENTRIES)]
    greedy = write(Chain(ENTRIES), {}, rows, Manner(12, stop=3))
    beam = write(Chain(ENTRIES), {}, rows, Manner(12, stop=3, beam=1))
    assert [(tuple(w.tokens), w.stopped) for w in greedy] == [(tuple(w.tokens), w.stopped) for w in beam]
    np.testing.assert_allclose([w.score for w in greedy], [w.score for w in beam])


def test_greedy_takes_the_likeliest_until_it_stops() -> None:
    text = [0]
    while len(text) < 12 and (len(text) == 1 or text[-1] != 3):
        text.append(int(table(text, ENTRIES).argmax()))
    (found,) = write(Chain(ENTRIES), {}, [np.array([0])], Manner(12, stop=3))
    assert found.stopped == (text[-1] == 3)
    assert list(found.tokens) == (text[1:-1] if found.stopped else text[1:])


def test_rows_of_different_prompts_do_not_meet() -> None:
    prompts = [np.array([0]), np.array([1, 2, 3]), np.array([2, 2])]
    manner = Manner(10, stop=3, temperature=1.0, seed=4)
    together = write(Chain(ENTRIES), {}, prompts, manner)
    (alone,) = write(Chain(ENTRIES), {}, prompts[:1], manner)
    np.testing.assert_array_equal(together[0].tokens, alone.tokens)
    assert [list(w.prompt) for w in together] == [list(p) for p in prompts]
    assert together[0].score == alone.score


def test_the_same_seed_writes_the_same_and_another_something_else() -> None:
    def texts(seed: int) -> list[tuple[int, ...]]:
        manner = Manner(20, temperature=1.0, seed=seed)
        return [tuple(w.tokens) for w in write(Chain(ENTRIES), {}, [np.array([0])] * 3, manner)]

    assert texts(1) == texts(1)
    assert texts(1) != texts(2)
    assert len({*texts(1)}) == 3


@pytest.mark.parametrize("stop", [None, 0, 3])
@pytest.mark.parametrize("width", [None, 400])
def test_only_words_and_the_stop_are_written(stop: int | None, width: int | None) -> None:
    words = range(1, 3)
    manner = Manner(5, words, stop=stop, beam=width, temperature=0.0 if width else 1.0, seed=2)
    found = write(Chain(ENTRIES), {}, [np.array([3])] * 40, manner)
    assert all(token in words for w in found for token in w.tokens)
    if stop is None:
        assert not any(w.stopped for w in found)
    else:
        assert any(w.stopped for w in found) or width
    if width:
        texts = every_text([3], ENTRIES, 5, stop)
        kept = {text: p for text, p in texts.items() if all(t in words or t == stop for t in text[1:])}
        best = max(kept, key=lambda text: kept[text])
        assert (3, *found[0].tokens) == tuple(t for t in best if t != stop or t == 3)[: 1 + len(found[0].tokens)]
        assert found[0].score == pytest.approx(kept[best])


def test_start_stands_before_the_prompt_and_is_not_shown() -> None:
    (found,) = write(Chain(ENTRIES), {}, [np.array([2])], Manner(4, start=1))
    (same,) = write(Chain(ENTRIES), {}, [np.array([1, 2])], Manner(4))
    assert (list(found.prompt), list(same.prompt)) == ([2], [1, 2])
    np.testing.assert_array_equal(found.tokens, same.tokens)


@pytest.mark.parametrize("beam", [None, 2])
def test_long_prompts_are_read_in_chunks_and_written_on_as_ever(beam: int | None) -> None:
    prompts = [np.arange(9) % ENTRIES, np.arange(12) % 3]
    manner = Manner(16, stop=3, beam=beam)
    for chunk in (1, 2, 3, 4, 5, 8):
        found = write(Chain(ENTRIES, chunk), {}, prompts, manner)
        for written, wanted in zip(found, write(Chain(ENTRIES), {}, prompts, manner), strict=True):
            np.testing.assert_array_equal(written.tokens, wanted.tokens)
            assert written.score == wanted.score


def test_a_prompt_of_the_whole_limit_is_all_there_is() -> None:
    (found,) = write(Chain(ENTRIES), {}, [np.array([1, 2, 3])], Manner(3, stop=0))
    assert (list(found.tokens), found.score, found.stopped) == ([], 0.0, False)


@pytest.mark.parametrize(("prompt", "code"), [([], "no-prompt"), ([1, 2, 3, 1, 2], "too-long")])
def test_a_prompt_that_cannot_be_is_refused(prompt: list[int], code: str) -> None:
    with pytest.raises(InputError) as failure:
        write(Chain(ENTRIES), {}, [np.array(prompt, np.int64)], Manner(4))
    assert failure.value.code == code


def test_scores_that_are_no_numbers_are_refused() -> None:
    class Broken(Chain):
        def advance(self, tokens: np.ndarray, position: int) -> np.ndarray:
            return super().advance(tokens, position) * np.nan

    with pytest.raises(InputError, match="no finite numbers"):
        write(Broken(ENTRIES), {}, [np.array([0])], Manner(4))
