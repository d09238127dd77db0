"""A text is compiled once, a library linked once; what is damaged is made again, what is wrong is told."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from axonc.runtime.native.errors import CompilationFailed, NoCompiler
from axonc.runtime.native.objects import Objects, user_objects
from axonc.runtime.native.store import Store, user_store
from axonc.runtime.native.toolchain import find

from .conftest import Compiler

TWICE = "int ax_twice(int x) { return 2 * x; }\n"
EXPORT = '__attribute__((visibility("default")))'
ANSWER = f"int ax_twice(int);\n{EXPORT} int ax_answer(void) {{ return ax_twice(21); }}\n"


@pytest.fixture
def fresh(store: Store, compiler: Compiler) -> Callable[[], Objects]:
    """Makes what a new process would, over one store."""
    return lambda: Objects(find(store, str(compiler.path)), store)


def answer(library: ctypes.CDLL) -> int:
    found = library.ax_answer()
    assert isinstance(found, int)
    return found


def test_functions_of_one_text_call_those_of_another(objects: Objects) -> None:
    assert answer(objects.library((TWICE, ANSWER))) == 42


def test_what_was_compiled_once_starts_no_process_again(fresh: Callable[[], Objects], compiler: Compiler) -> None:
    fresh().library((TWICE, ANSWER))
    calls = compiler.calls()
    assert answer(fresh().library((TWICE, ANSWER))) == 42
    assert compiler.calls() == calls


def test_only_a_text_that_changed_is_compiled(fresh: Callable[[], Objects], compiler: Compiler) -> None:
    fresh().library((TWICE, ANSWER))
    calls = len(compiler.calls())
    assert answer(fresh().library((TWICE, ANSWER.replace("21", "4")))) == 8
    assert [" -c " in call for call in compiler.calls()[calls:]] == [True, False]


def test_a_comment_that_changed_is_not(fresh: Callable[[], Objects], compiler: Compiler) -> None:
    fresh().library((f"/* line 7 */ {TWICE}", ANSWER))
    calls = compiler.calls()
    assert answer(fresh().library((f"/* line 8,\n of another file */ {TWICE}", ANSWER))) == 42
    assert compiler.calls() == calls


def test_a_library_is_loaded_once_in_a_process(objects: Objects) -> None:
    assert objects.library((TWICE, ANSWER)) is objects.library((TWICE, ANSWER))


def test_other_flags_or_another_compiler_make_another_library(store: Store, real: str) -> None:
    toolchain = find(store, real)
    text = f"{EXPORT} int ax_answer(void) {{ return X; }}\n"
    for x in (1, 2):
        assert answer(Objects(toolchain._replace(flags=(*toolchain.flags, f"-DX={x}")), store).library((text,))) == x
    before = len(list(store.folder.glob("*.so")))
    Objects(toolchain._replace(identity="another"), store).library((TWICE,))
    Objects(toolchain, store).library((TWICE,))
    assert len(list(store.folder.glob("*.so"))) == before + 2


@pytest.mark.parametrize("damage", [lambda content: content[:100], lambda content: b"\0" + content[1:]])
@pytest.mark.parametrize("endings", [(".so",), (".so", ".o")])
def test_what_is_damaged_is_made_again(
    fresh: Callable[[], Objects], store: Store, endings: tuple[str, ...], damage: Callable[[bytes], bytes]
) -> None:
    fresh().library((TWICE, ANSWER))
    for path in (p for ending in endings for p in store.folder.glob(f"*{ending}")):
        content = path.read_bytes()
        path.unlink()  # it may be mapped into this process
        path.write_bytes(damage(content))
    assert answer(fresh().library((TWICE, ANSWER))) == 42
    assert all(store.read(path.name) for path in store.folder.glob("*o"))


def test_a_damaged_object_is_never_linked(fresh: Callable[[], Objects], store: Store, compiler: Compiler) -> None:
    fresh().library((TWICE, ANSWER))
    calls = len(compiler.calls())
    for path in store.folder.glob("*.o"):
        path.write_bytes(path.read_bytes()[:-1])
    fresh().library((ANSWER, TWICE))
    assert [" -c " in call for call in compiler.calls()[calls:]] == [True, True, False]


def test_a_text_that_is_no_c_is_told(objects: Objects) -> None:
    with pytest.raises(CompilationFailed, match=r"failed with status 1:\n<stdin>:1:") as found:
        objects.library(("this is no C\n",))
    assert "error" in found.value.output


def test_a_function_that_is_missing_is_told(objects: Objects) -> None:
    if sys.platform != "linux":
        pytest.skip("the linker refuses it by itself")
    with pytest.raises(CompilationFailed, match="undefined symbol: ax_twice"):
        objects.library((ANSWER.replace("21", "22"),))


def test_a_compiler_that_hangs_is_not_waited_for(store: Store, real: str, script: Callable[[str, str], Path]) -> None:
    toolchain = find(store, real)._replace(command=(str(script("hanging", "exec sleep 600")),))
    with pytest.raises(CompilationFailed, match=r"took more than 0\.2 seconds"):
        Objects(toolchain, store, seconds=0.2).library((TWICE,))
    assert not list(store.folder.glob("work-*"))


def test_a_folder_that_goes_away_is_told(store: Store, real: str) -> None:
    objects = Objects(find(store, real), store)
    for path in store.folder.iterdir():
        path.unlink()
    store.folder.rmdir()
    with pytest.raises(CompilationFailed, match="cannot be kept in"):
        objects.library((TWICE,))


def test_a_compiler_is_looked_for_once_in_a_process(
    tmp_path: Path, script: Callable[[str, str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    user_store.cache_clear()
    broken = script("broken", f"echo x >> {tmp_path / 'log'}; exit 1")
    for _ in range(2):
        with pytest.raises(NoCompiler, match="no C compiler works"):
            user_objects(str(broken))
    assert (tmp_path / "log").read_text() == "x\n"
    user_store.cache_clear()


PROCESS = f"""
import sys
from pathlib import Path
from axonc.runtime.native.objects import Objects
from axonc.runtime.native.store import Store
from axonc.runtime.native.toolchain import find
store = Store(Path(sys.argv[1]))
objects = Objects(find(store, sys.argv[2]), store)
print(*(objects.library(({TWICE!r}, {ANSWER!r}.replace("21", str(i)))).ax_answer() for i in range(3)))
"""


def test_several_processes_at_once_find_what_they_need(store: Store, real: str) -> None:
    command = [sys.executable, "-c", PROCESS, str(store.folder), real]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    assert [p.communicate()[0] for p in processes] == ["0 2 4\n"] * 3
