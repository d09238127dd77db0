"""The mistakes that settings of the fixed sections can hold: one class for each."""

from __future__ import annotations

from typing import ClassVar

from .source import Diagnostic


class SettingMistake(Diagnostic):
    """A mistake in the settings: the rest of the spec can be looked at all the same."""

    apart: ClassVar[bool] = True


class UnknownSetting(SettingMistake):
    name: str
    where: str
    suggestion: str = ""
    elsewhere: str = ""
    known: str = ""

    code = "unknown-setting"
    title = "`{name}` is no setting of {where}"
    notes = ("{elsewhere}", "{where} has {known}")
    help = "did you mean `{suggestion}`?"


class DuplicateSetting(SettingMistake):
    name: str
    where: str

    code = "duplicate-setting"
    title = "`{name}` is given twice in {where}"
    label = "given again here"


class WrongSetting(SettingMistake):
    name: str
    expected: str
    found: str

    code = "wrong-setting"
    title = "`{name}` takes {expected}"
    label = "this is {found}"


class MissingBraces(SettingMistake):
    name: str
    known: str = ""

    code = "missing-braces"
    title = "`{name}` takes settings, not a value"
    notes = ("`{name}` has {known}",)
    help = "write `{name} {{ ... }}`, in YAML `{name}: {{...}}`"


class MisplacedBraces(SettingMistake):
    name: str
    expected: str

    code = "misplaced-braces"
    title = "`{name}` takes {expected}, not settings"
    help = "in YAML a call is written `{name}: {{word: arguments}}`"
