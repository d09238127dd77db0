"""The mistakes that only a YAML document can hold: one class for each."""

from __future__ import annotations

from .source import Diagnostic


class YamlSyntax(Diagnostic):
    problem: str
    instead: str = ""

    code = "yaml-syntax"
    title = "this is no YAML: {problem}"
    help = "{instead}"


class YamlTooLarge(Diagnostic):
    what: str
    limit: str

    code = "yaml-too-large"
    title = "the document has too many {what}"
    notes = ("at most {limit} are read",)


class YamlAlias(Diagnostic):
    name: str
    problem: str

    code = "yaml-alias"
    title = "alias `*{name}` {problem}"
    help = "an expression that begins with `*` needs quotes; to repeat layers write a block, or `repeat`"


class YamlTag(Diagnostic):
    tag: str

    code = "yaml-tag"
    title = "the tag `{tag}` means nothing here"
    help = "leave it out; an expression that begins with `!` is no expression: write `not`"


class YamlMerge(Diagnostic):
    code = "yaml-merge"
    title = "merge keys `<<` are no part of YAML 1.2"
    help = "write a block with settings and use it twice"


class YamlKey(Diagnostic):
    found: str

    code = "yaml-key"
    title = "a key is one word or text, not {found}"


class DuplicateKey(Diagnostic):
    key: str

    code = "duplicate-key"
    title = "the key `{key}` is given twice"
    label = "given again here"


class UnknownKey(Diagnostic):
    key: str
    where: str
    suggestion: str = ""
    known: str = ""

    code = "unknown-key"
    title = "`{key}` is no key of {where}"
    notes = ("known here are {known}",)
    help = "did you mean `{suggestion}`?"


class MissingKey(Diagnostic):
    key: str
    where: str

    code = "missing-key"
    title = "{where} has no `{key}`"


class YamlShape(Diagnostic):
    where: str
    expected: str
    found: str
    instead: str = ""

    code = "yaml-shape"
    title = "{where} is {expected}, found {found}"
    help = "{instead}"


class YamlEscape(Diagnostic):
    found: str

    code = "yaml-escape"
    title = "`{found}` cannot stand in an expression"
    notes = ("texts of the language have no escapes, and both kinds of quotes",)
    help = "use the other kind of quotes round the expression, or a `|` block"


class YamlFolding(Diagnostic):
    code = "yaml-folding"
    title = "an expression stands on one line"
    help = "use a `|` block for a longer one: line ends inside brackets, or before `|>`, mean nothing"


class NoRunningValue(Diagnostic):
    what: str

    code = "no-running-value"
    title = "there is no value before `{what}`"
    notes = ("a layer without `from` takes the item before it, the first one the first input",)
    help = "add `from: ...`, or declare an input"


class LostValues(Diagnostic):
    code = "lost-values"
    title = "several values that get no names are lost"
    help = "add `as: [a, b]`"


class SeveralLayers(Diagnostic):
    first: str
    second: str
    instead: str = ""

    code = "several-layers"
    title = "an item holds one layer, this one has `{first}` and `{second}`"
    help = "{instead}"


class UnwritableText(Diagnostic):
    code = "unwritable-text"
    title = "a text cannot hold both kinds of quotes, line ends or control characters"
