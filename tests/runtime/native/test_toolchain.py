"""A compiler is used when it was seen to work, and asked once."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest
from axonc.runtime.native import processor
from axonc.runtime.native.errors import NoCompiler
from axonc.runtime.native.store import DIGEST, Store
from axonc.runtime.native.toolchain import find

from .conftest import Compiler

Script = Callable[[str, str], Path]


def test_a_compiler_is_asked_once(store: Store, compiler: Compiler) -> None:
    first = find(store, str(compiler.path))
    calls = compiler.calls()
    assert calls
    assert find(store, str(compiler.path)) == first
    assert compiler.calls() == calls


def test_a_compiler_that_was_replaced_is_asked_again(store: Store, compiler: Compiler) -> None:
    find(store, str(compiler.path))
    calls = len(compiler.calls())
    os.utime(compiler.path, (1, 1))
    find(store, str(compiler.path))
    assert len(compiler.calls()) > calls


def test_facts_that_were_damaged_are_found_again(store: Store, compiler: Compiler) -> None:
    first = find(store, str(compiler.path))
    facts = next(p for p in store.folder.iterdir() if p.suffix != DIGEST)
    facts.write_text("{}")
    assert find(store, str(compiler.path)) == first


@pytest.mark.skipif(not Path("/proc/cpuinfo").exists(), reason="the system does not tell what the processor has")
def test_vectors_are_as_wide_as_the_processor_says(store: Store, real: str) -> None:
    told = re.search(r"^(flags|Features)\s*:(.*)", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    has = set(told[2].split()) if told else set()
    expected = (16, 32) if "avx512f" in has else (8, 16) if "avx2" in has else (4, 32) if "asimd" in has else (4, 16)
    found = find(store, real)
    assert (found.lanes, found.registers) == expected


def test_flags_that_a_compiler_does_not_know_are_left_out(store: Store, real: str, script: Script) -> None:
    unknown = 'case "$*" in *-fopenmp-simd*|*vector-width*) echo unknown option; exit 1;; esac'
    old = script("old", f'{unknown}\nexec {real} "$@"')
    assert not {"-fopenmp-simd", "-mprefer-vector-width=512"} & {*find(store, str(old)).flags}


def test_a_compiler_whose_code_computes_other_numbers_is_refused(store: Store, real: str, script: Script) -> None:
    wrong = script("wrong", f'case "$*" in *LANES*) sed "s/sum +=/sum -=/" | {real} "$@";; *) exec {real} "$@";; esac')
    with pytest.raises(NoCompiler, match="wrong` compiles computes other numbers"):
        find(store, str(wrong))


@pytest.mark.parametrize("problem", ["exit 1", "kill -9 $$", "echo 1.0", 'case "$*" in *LANES*) exit 1;; esac'])
def test_a_compiler_that_does_not_work_is_refused(store: Store, script: Script, problem: str) -> None:
    with pytest.raises(NoCompiler, match="no C compiler works"):
        find(store, str(script("broken", problem)))


def test_a_compiler_that_is_not_there_is_told(store: Store) -> None:
    with pytest.raises(NoCompiler, match="there is no compiler `no-such-compiler -O1`"):
        find(store, "no-such-compiler -O1")


def test_the_first_that_works_is_taken(
    store: Store, compiler: Compiler, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiler.path.rename(compiler.path.with_name("clang"))
    script("gcc", "exit 1")
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", str(compiler.path.parent))
    assert find(store).command == (str(compiler.path.with_name("clang")),)


def test_cc_comes_first_and_may_have_arguments(
    store: Store, compiler: Compiler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CC", f"{compiler.path} -DX=1")
    assert find(store).command == (str(compiler.path), "-DX=1")
    assert all("-DX=1" in call for call in compiler.calls())


@pytest.mark.parametrize(
    "text", ["{cc}; touch {here}", "$(touch {here})", "`touch {here}`", "{cc} | touch {here}", "'{cc}"]
)
def test_no_shell_reads_cc(
    store: Store, compiler: Compiler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("CC", text.format(cc=compiler.path, here=tmp_path / "touched"))
    assert not find(store).command[0].startswith(str(tmp_path))  # the next compiler is taken
    assert not (tmp_path / "touched").exists()


@pytest.mark.skipif(find_spec("ziglang") is not None, reason="a compiler is installed as a wheel")
def test_no_compiler_at_all_is_told(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoCompiler, match="no C compiler was found"):
        find(store)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system does not bind threads to processors")
def test_no_more_threads_than_processors_that_may_be_used() -> None:
    before = os.sched_getaffinity(0)
    assert 1 <= processor.cores() <= len(before)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert processor.cores() == 1
    finally:
        os.sched_setaffinity(0, before)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system does not bind threads to processors")
@pytest.mark.parametrize(
    ("siblings", "quota", "expected"),
    [
        (["0-1", "0-1", "2-3", "2-3"], None, 2),
        (["0", "1", "2", "3"], None, 4),
        (["0", "1", "2", "3"], "max 100000", 4),
        (["0", "1", "2", "3"], "200000 100000", 2),
        (["0", "1", "2", "3"], "50000 100000", 1),
        ([], None, 4),
    ],
)
def test_one_thread_for_each_core_within_the_quota(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, siblings: list[str], quota: str | None, expected: int
) -> None:
    for i, text in enumerate(siblings):
        (tmp_path / f"cpu{i}" / "topology").mkdir(parents=True)
        (tmp_path / f"cpu{i}" / "topology" / "thread_siblings_list").write_text(f"{text}\n")
    if quota is not None:
        (tmp_path / "cpu.max").write_text(f"{quota}\n")
    monkeypatch.setattr(processor, "PROCESSORS", tmp_path)
    monkeypatch.setattr(processor, "QUOTA", tmp_path / "cpu.max")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 3})
    assert processor.cores() == expected


def test_caches_have_sizes_that_caches_have() -> None:
    assert 8 << 10 <= processor.cache(1) <= processor.cache(2) <= 256 << 20
