"""A file or a text, of either notation -> Model; the blocks and constants of what a file includes are merged in."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath

from .cursor import Cursor
from .errors import DuplicateName, UnprintableCharacter
from .expression import name, pipe
from .fragment import Fragment
from .lexer import UNPRINTABLE
from .load_errors import IncludeCycle, IncludeOutside, IncludeTooDeep, NotUtf8, UnreadableFile
from .record import replace
from .sections import check
from .source import CompileError, Diagnostic, Frame, Place, Source, Span
from .suggest import nearest
from .tree import Block, Constant, Expression, Include, Model, Name

MAX_BYTES = 1 << 20
MAX_INCLUDES = 8
SUFFIXES = {".axon": "axon", ".yaml": "yaml", ".yml": "yaml", ".json": "yaml"}

_YAML_LINE = re.compile(r"(?:\w+|\"[^\"\n]*\"|'[^'\n]*'):(?:\s|\Z)|[{%]|---")


def load(
    path: str | Path,
    *,
    allowed: Sequence[str | Path] = (),
    library: bool = False,
    sources: list[Source] | None = None,
) -> Model:
    """The model that a file describes, with the blocks and constants of its includes before its own.

    What is included lies in the folder of the file or in one of `allowed`. The files that were read are added to
    `sources`, its own first. Raises `CompileError` with every mistake of all the files.
    """
    file = Path(path)
    root = Place(Span(Source(str(path), ""), 0, 0))
    loading = _Loading((file.parent, *allowed), library=library)
    loading.sources = [] if sources is None else sources
    model = loading.load(file, str(path), root, ())
    loading.check_names()
    if model is not None:
        model = replace(model, constants=tuple(loading.constants), blocks=tuple(loading.blocks))
    if model is None or loading.mistakes:
        raise CompileError(tuple(loading.mistakes), model)
    return model


def open_source(path: str | Path) -> Source:
    """The text of one file, what it includes left alone. Raises `CompileError` where it cannot be read."""
    file = Path(path)
    root = Place(Span(Source(str(path), ""), 0, 0))
    loading = _Loading((file.parent,), library=False)
    source = loading.read(file, str(path), root, ())
    if source is None:
        raise CompileError(tuple(loading.mistakes))
    return source


def read(source: Source, *, notation: str | None = None, library: bool = False) -> Model:
    """The model that a text describes, its includes left as they are. Raises `CompileError` with every mistake.

    `notation` is `axon` or `yaml`; without it the name of the source decides, or else the text.
    """
    model, mistakes = parse(source, notation=notation, library=library)
    if mistakes:
        raise CompileError(tuple(mistakes), model)
    return model


def parse(source: Source, *, notation: str | None = None, library: bool = False) -> tuple[Model, list[Diagnostic]]:
    """The model that a text describes as far as it can be read, and its mistakes."""
    if match := UNPRINTABLE.search(source.text):
        place = Place(Span(source, match.start(), match.end()))
        found = f"U+{ord(match[0]):04X}"
        return Model(place.span, None, None), [UnprintableCharacter(place, found)]
    if (notation or guess_notation(source)) == "yaml":
        from . import reader

        model, mistakes = reader.parse(source, library=library)
    else:
        from . import parser

        model, mistakes = parser.parse(source, library=library)
    return model, sorted(mistakes + check(model), key=lambda mistake: mistake.place.span.start)


def guess_notation(source: Source) -> str:
    """`axon` or `yaml`: by the suffix of its name, else by its first line."""
    known = SUFFIXES.get(PurePosixPath(source.name).suffix.lower())
    if known:
        return known
    lines = (line.strip() for line in source.text.splitlines())
    first = next((line for line in lines if line and not line.startswith("#")), "")
    return "yaml" if _YAML_LINE.match(first) else "axon"


def parse_override(text: str) -> tuple[Name, Expression]:
    """`hidden=64` of the command line: the name of a constant and its value. Raises `CompileError`."""
    found: Fragment[tuple[Name, Expression]] = Fragment(Source("--set", text), 0, len(text), _override)
    if found.value is None or found.mistakes:
        raise CompileError(tuple(found.mistakes))
    return found.value


def _override(c: Cursor) -> tuple[Name, Expression]:
    label = name(c, "the name of a constant")
    c.expect("=", "`=` and a value", f"write `--set {label.text}=value`")
    return label, pipe(c)


class _Loading:
    """One run of `load`: the files on the way to the present one, and what was found so far."""

    def __init__(self, folders: Sequence[str | Path], *, library: bool) -> None:
        self.folders = [Path(folder).resolve() for folder in folders]
        self.library = library
        self.mistakes: list[Diagnostic] = []
        self.constants: list[Constant] = []
        self.blocks: list[Block] = []
        self.names: list[Name] = []
        self.sources: list[Source] = []
        self.open: list[Path] = []
        self.done: set[Path] = set()

    def load(self, file: Path, shown: str, place: Place, included: tuple[Frame, ...]) -> Model | None:
        """The model of one file, its blocks and constants added behind those of its includes."""
        resolved = file.resolve()
        source = self.read(resolved, shown, place, included)
        if source is None:
            return None
        self.sources.append(source)
        model, mistakes = parse(source, library=self.library)
        self.mistakes.extend(mistakes)
        self.open.append(resolved)
        for include in model.includes:
            self._include(include, file.parent)
        self.open.pop()
        self.done.add(resolved)
        self.constants.extend(model.constants)
        self.blocks.extend(model.blocks)
        self.names.extend(node.name for nodes in (model.constants, model.blocks) for node in nodes)
        return model

    def _include(self, include: Include, folder: Path) -> None:
        text = include.path.value
        place = Place(include.path.span)
        file = folder / text
        if mistake := self._refusal(text, file, place):
            self.mistakes.append(mistake)
        elif file.resolve() not in self.done:
            frame = Frame(f"include `{text}`", include.span)
            self.load(file, str(file), place, (frame, *include.span.source.included))

    def _refusal(self, text: str, file: Path, place: Place) -> Diagnostic | None:
        """Why a file must not be included."""
        is_anchored = PurePosixPath(text).is_absolute() or bool(PureWindowsPath(text).anchor)
        homes = self.folders[1:] if is_anchored else self.folders
        if not text.strip() or (is_anchored and not homes):
            return IncludeOutside(place, text, "no path relative to the spec")
        resolved = file.resolve()
        if not any(map(resolved.is_relative_to, homes)):
            return IncludeOutside(place, text, "outside the folder of the spec")
        if resolved in self.open:
            return IncludeCycle(place, text)
        if len(self.open) > MAX_INCLUDES:
            return IncludeTooDeep(place, MAX_INCLUDES)
        return None

    def read(self, file: Path, shown: str, place: Place, included: tuple[Frame, ...]) -> Source | None:
        """The text of a regular file of bounded size."""
        try:
            data = _regular_bytes(file)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            near = nearest(file.name, _neighbours(file)) if isinstance(error, FileNotFoundError) else ""
            self.mistakes.append(UnreadableFile(place, shown, reason.lower(), near))
            return None
        try:
            return Source(shown, data.decode("utf-8-sig"), included)
        except UnicodeDecodeError as error:
            good = data[: error.start].decode("utf-8-sig")
            source = Source(shown, good, included)
            self.mistakes.append(NotUtf8(Place(Span(source, len(good), len(good)))))
            return None

    def check_names(self) -> None:
        """Report constants and blocks that two files define; those of one file were compared when it was read."""
        first: dict[str, Name] = {}
        for label in self.names:
            known = first.setdefault(label.text, label)
            if known.span.source is not label.span.source:
                related = (("first defined here", known.span),)
                self.mistakes.append(DuplicateName(Place(label.span), "name", label.text, related=related))


def _regular_bytes(file: Path) -> bytes:
    """What a file holds. Raises `OSError` where it is a device, a pipe, a folder or too large."""
    handle = os.open(file, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    with os.fdopen(handle, "rb") as stream:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(0, "it is no regular file")
        data = stream.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise OSError(0, f"it is larger than {MAX_BYTES:_} bytes")
    return data


def _neighbours(file: Path) -> list[str]:
    try:
        return [found for found in os.listdir(file.parent)[:1000] if Path(found).suffix in SUFFIXES]
    except OSError:
        return []
