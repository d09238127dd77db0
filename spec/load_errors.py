"""The mistakes of files: those that cannot be read, and those that must not be included."""

from __future__ import annotations

from .source import Diagnostic


class UnreadableFile(Diagnostic):
    path: str
    reason: str
    suggestion: str = ""

    code = "unreadable-file"
    title = "`{path}` cannot be read: {reason}"
    help = "did you mean `{suggestion}`?"


class NotUtf8(Diagnostic):
    code = "not-utf8"
    title = "this byte is no UTF-8"
    help = "save the file as UTF-8"


class IncludeOutside(Diagnostic):
    path: str
    reason: str

    code = "include-outside"
    title = "`{path}` is {reason}"
    help = "put the file beside the spec, or allow its folder with `--allow FOLDER`"


class IncludeCycle(Diagnostic):
    path: str

    code = "include-cycle"
    title = "`{path}` includes itself"


class IncludeTooDeep(Diagnostic):
    limit: int

    code = "include-too-deep"
    title = "includes are nested too deep"
    notes = ("at most {limit} files may include each other",)
