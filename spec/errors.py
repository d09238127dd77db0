"""The mistakes that can be made in writing a spec, before anything of it is understood: one class for each."""

from __future__ import annotations

from .source import Diagnostic


class UnexpectedCharacter(Diagnostic):
    found: str
    instead: str = ""

    code = "unexpected-character"
    title = "`{found}` is no sign of the language"
    help = "write {instead}"


class ForeignOperator(Diagnostic):
    found: str
    instead: str

    code = "foreign-operator"
    title = "`{found}` is no operator of the language"
    help = "write {instead}"


class Percent(Diagnostic):
    share: str

    code = "percent"
    title = "`%` is the remainder of a division, and nothing stands behind it"
    help = "a share is a part of 1: write {share}"


class ForeignWord(Diagnostic):
    found: str
    instead: str

    code = "foreign-word"
    title = "`{found}` is no word of the language"
    help = "{instead}"


class UnclosedText(Diagnostic):
    code = "unclosed-text"
    title = "this text has no closing quote"
    label = "begins here"
    help = "a text ends on the line it begins on, with the quote it begins with"


class BadNumber(Diagnostic):
    found: str
    reason: str
    instead: str = ""

    code = "bad-number"
    title = "`{found}` is no number"
    label = "{reason}"
    help = "write {instead}"


class HugeNumber(Diagnostic):
    found: str
    reason: str

    code = "huge-number"
    title = "this number is too large"
    label = "{reason}"


class UnclosedBracket(Diagnostic):
    bracket: str
    closing: str
    found: str
    instead: str = ""

    code = "unclosed-bracket"
    title = "`{bracket}` is never closed"
    label = "opened here"
    notes = ("expected `{closing}`, found {found}",)
    help = "{instead}"


class ExtraBracket(Diagnostic):
    bracket: str

    code = "extra-bracket"
    title = "this `{bracket}` closes nothing"


class SettingSign(Diagnostic):
    name: str
    sign: str

    code = "setting-sign"
    title = "no `{sign}` stands between a setting and its value"
    help = "write `{name} value`"


class Unexpected(Diagnostic):
    expected: str
    found: str
    instead: str = ""

    code = "unexpected"
    title = "expected {expected}, found {found}"
    help = "{instead}"


class PipeOperand(Diagnostic):
    operator: str

    code = "pipe-operand"
    title = "`{operator}` after a `|>` step needs parentheses"
    notes = ("`|>` binds loosest: what stands left of it is piped whole, and a step is one call",)
    help = "write `(x |> f) {operator} y`, or give the piped value a name first"


class ChainedComparison(Diagnostic):
    code = "chained-comparison"
    title = "comparisons cannot be chained"
    help = "write `a < b and b < c`"


class MissingElse(Diagnostic):
    found: str

    code = "missing-else"
    title = "a choice needs its `else`"
    notes = ("expected `else`, found {found}",)
    help = "write `a if condition else b`; a statement that is sometimes left out is `if condition {{ ... }}`"


class EqualsInCondition(Diagnostic):
    code = "equals-in-condition"
    title = "`=` gives a name to a value; it compares nothing"
    help = "write `==`"


class ColonBody(Diagnostic):
    word: str

    code = "colon-body"
    title = "the body of `{word}` stands in braces"
    label = "expected `{{`"
    help = "write `{{` here and `}}` after the last statement"


class TooDeep(Diagnostic):
    limit: int

    code = "too-deep"
    title = "this is nested too deep"
    notes = ("at most {limit} levels are read",)
    help = "give a part of it a name on a line of its own"


class TooLong(Diagnostic):
    limit: int

    code = "too-long"
    title = "the text is too long"
    notes = ("at most {limit} words and signs are read",)
    help = "put blocks into files of their own, and include them"


class ReservedName(Diagnostic):
    name: str

    code = "reserved-name"
    title = "`{name}` is a word of the language and cannot name a value"
    help = "choose another name"


class NotAName(Diagnostic):
    where: str

    code = "not-a-name"
    title = "only names can stand left of {where}"
    label = "not a name"


class NotAComparison(Diagnostic):
    code = "not-a-comparison"
    title = "`assert` holds comparisons"
    label = "compares nothing"
    help = "write a relation such as `parameters <= 1M`"


class LostValue(Diagnostic):
    where: str

    code = "lost-value"
    title = "the value of this line is lost"
    notes = ("a bare value is the result of a block or a scan, on its last line; this one stands {where}",)
    help = "give it a name: `y = ...`"


class UnnamedScanSetting(Diagnostic):
    code = "unnamed-scan-setting"
    title = "the settings of a `scan` are named"
    help = "write `scan(length = n)`, `scan(reverse = true)` or `scan(truncate = k)`"


class MisplacedSection(Diagnostic):
    word: str

    code = "misplaced-section"
    title = "`{word}` stands at the top level of a file only"
    label = "inside a body here"


class DuplicateSection(Diagnostic):
    word: str

    code = "duplicate-section"
    title = "a second `{word}`"
    notes = ("a file has at most one",)


class DuplicateName(Diagnostic):
    what: str
    name: str

    code = "duplicate-name"
    title = "{what} `{name}` is defined twice"
    label = "defined again here"


class UnknownVersion(Diagnostic):
    found: str

    code = "unknown-version"
    title = "this compiler reads version 1 of the language, not {found}"
    help = "upgrade axonc, or write `axonc 1`"


class UnprintableCharacter(Diagnostic):
    found: str

    code = "unprintable-character"
    title = "the character {found} cannot stand in a spec"
    help = "delete it"


class MissingResult(Diagnostic):
    name: str

    code = "missing-result"
    title = "block `{name}` has no result"
    notes = ("the result of a block is the value on its last line",)
    help = "end it with a value that has no name"
