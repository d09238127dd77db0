"""Mistakes of meaning: names, arguments, kinds, sizes and budgets."""

from __future__ import annotations

from ...spec.source import Diagnostic


class UnknownName(Diagnostic):
    code = "unknown-name"
    title = "nothing here is called `{name}`"
    label = "not known here"
    notes = ("{reason}",)
    help = "did you mean `{suggestion}`?"
    name: str
    suggestion: str = ""
    reason: str = ""


class DefinedBelow(Diagnostic):
    code = "defined-below"
    title = "`{name}` is used before it is defined"
    label = "not known yet"
    notes = ("it is defined further down, at line {line}; names must be defined before they are used",)
    help = "move the line that defines `{name}` above this one"
    name: str
    line: int


class UnknownLayer(Diagnostic):
    code = "unknown-layer"
    title = "no layer, block or function is called `{name}`"
    label = "not known"
    help = "did you mean `{suggestion}`?"
    name: str
    suggestion: str = ""


class UnknownArgument(Diagnostic):
    code = "unknown-argument"
    title = "`{word}` has no argument `{name}`"
    label = "not an argument of `{word}`"
    notes = ("it takes {signature}",)
    help = "did you mean `{suggestion}`?"
    word: str
    name: str
    signature: str
    suggestion: str = ""


class RepeatedArgument(Diagnostic):
    code = "repeated-argument"
    title = "`{word}` is given `{name}` twice"
    label = "given before"
    word: str
    name: str


class MissingArgument(Diagnostic):
    code = "missing-argument"
    title = "`{word}` needs `{name}`"
    label = "`{name}` is not given"
    notes = ("it takes {signature}",)
    word: str
    name: str
    signature: str


class TooManyArguments(Diagnostic):
    code = "too-many-arguments"
    title = "`{word}` has no place for {found}"
    label = "one too many"
    notes = ("it takes {signature}",)
    word: str
    found: str
    signature: str


class WrongKind(Diagnostic):
    code = "wrong-kind"
    title = "{subject} must be {expected}"
    label = "is {found}"
    help = "{advice}"
    subject: str
    expected: str
    found: str
    advice: str = ""


class NotKnown(Diagnostic):
    code = "not-known-when-compiling"
    title = "{subject} must be known when compiling"
    label = "is {found}"
    help = "{advice}"
    subject: str
    found: str
    advice: str = ""


class WrongCount(Diagnostic):
    code = "wrong-count"
    title = "{expected} names take apart {found} values"
    label = "{found} values"
    expected: int
    found: int


class NoSuchMember(Diagnostic):
    code = "unknown-member"
    title = "{subject} has no `{name}`"
    label = "not there"
    notes = ("it has {members}",)
    help = "{advice}"
    subject: str
    name: str
    members: str = ""
    advice: str = ""


class BadIndex(Diagnostic):
    code = "bad-index"
    title = "{problem}"
    label = "{found}"
    problem: str
    found: str = ""


class RecursiveBlock(Diagnostic):
    code = "recursive-block"
    title = "block `{name}` uses itself"
    label = "used inside itself"
    name: str


class TooLarge(Diagnostic):
    code = "too-large"
    title = "the spec expands to more than {limit} expressions"
    label = "the limit is reached here"
    help = "use a smaller count, or give a larger `limit`"
    limit: int


class SharedShape(Diagnostic):
    code = "shared-weight"
    title = "`{name}` is shared by two uses that need different shapes"
    label = "needs {found}"
    notes = ("the use before made it {before}",)
    name: str
    found: str
    before: str


class GivenWeight(Diagnostic):
    code = "shape-mismatch"
    title = "the tensor given for `{name}` of `{word}` must be {expected}"
    label = "is {found}"
    name: str
    word: str
    expected: str
    found: str


class SameName(Diagnostic):
    code = "same-name"
    title = "two weights would be called `{name}`"
    label = "the second"
    help = "give one of them, or the layer that it belongs to, another name"
    name: str


class DuplicateInput(Diagnostic):
    code = "duplicate-name"
    title = "`{name}` is defined twice"
    label = "defined again"
    name: str


class UnknownDType(Diagnostic):
    code = "unknown-type"
    title = "no element type is called `{name}`"
    label = "not a type"
    notes = ("types are {known}",)
    help = "did you mean `{suggestion}`?"
    name: str
    known: str
    suggestion: str = ""


class BrokenBudget(Diagnostic):
    code = "assertion-failed"
    title = "this does not hold: {relation}"
    label = "{left} {operator} {right} is false"
    notes = ("{values}",)
    relation: str
    left: str
    operator: str
    right: str
    values: str = ""


class BrokenDemand(Diagnostic):
    """What a block of the standard library asks of its arguments."""

    code = "assertion-failed"
    title = "`{word}` needs {relation}"
    label = "{values}"
    word: str
    relation: str
    values: str


class CarriedType(Diagnostic):
    code = "carried-type"
    title = "the carried value `{name}` changes its type in a turn of the scan"
    label = "{found}"
    notes = ("it begins as {before}",)
    name: str
    found: str
    before: str


class TargetInOutput(Diagnostic):
    code = "target-in-output"
    title = "output `{output}` depends on `{target}`, which prediction will not have"
    label = "needs the target `{target}`"
    output: str
    target: str


class NoMatch(Diagnostic):
    code = "pattern-matches-nothing"
    title = 'the group "{pattern}" matches no weight'
    label = "no weight has such a name"
    notes = ("weights are {weights}",)
    pattern: str
    weights: str


class WeightOfBatch(Diagnostic):
    code = "weight-of-batch"
    title = "the weight `{name}` has the size of the batch"
    label = "is {type}"
    help = "the number of samples is another one at each step; use sizes of one sample"
    name: str
    type: str


class NoLoss(Diagnostic):
    code = "no-loss"
    title = "there is nothing to train: the spec has no `loss`"
    label = "a loss is missing"
    help = "add a line such as `loss mse(y, target)`"


class NoOutput(Diagnostic):
    code = "no-output"
    title = "there is nothing to compute: the spec has no value that could be its output"
    help = "end it with a line such as `y = x |> dense(3)`; a file of blocks alone is for `include`"


class NothingLearned(Diagnostic):
    code = "nothing-learned"
    title = "there is nothing to train: no loss depends on a weight that is trained"
    label = "no trained weight is in it; whole numbers and truths carry no gradient"


class IdleWeight(Diagnostic):
    code = "idle-weight"
    severity = "warning"
    title = "neither a loss nor an output reads the weight `{name}`"
    label = "makes it"
    help = "use what comes of this, or leave it out"
    name: str


class BothLengths(Diagnostic):
    code = "epochs-and-steps"
    title = "training ends after `epochs` or after `steps`, not both"
    label = "steps are given here"
    help = "leave out one of them"


class FixedBatch(Diagnostic):
    code = "fixed-batch"
    title = "the shapes here fit only batches of one size"
    label = "needs {left} = {right}"
    help = "the number of samples is another one at each step; combine sizes of one sample"
    left: str
    right: str


class ShortBatch(Diagnostic):
    code = "short-batch"
    title = "a batch may have fewer samples than are taken here"
    label = "takes {start}:{stop} of {size}"
    help = "the number of samples is another one at each step, 1 at least; take places of other axes"
    start: str
    stop: str
    size: str


class NoData(Diagnostic):
    code = "unbound-input"
    title = "input `{name}` has no binding in `data`"
    label = "nothing feeds it"
    help = "write `{name} = COLUMN` in the `data` section"
    name: str


class OtherShape(Diagnostic):
    code = "wrong-shape"
    title = "the data give `{name}` samples of shape {found}, its type wants {wanted}"
    label = "wants {wanted}"
    help = "choose other columns, or change the type"
    name: str
    found: str
    wanted: str


class FewEntries(Diagnostic):
    code = "too-few-entries"
    title = "the data give `{name}` {found} classes, the model has {wanted}"
    label = "has numbers from 0 to {last}"
    help = "give the layer that meets `{name}` {found} of them, as in `dense({found})`"
    name: str
    found: int
    wanted: int
    last: int


class NoBatch(Diagnostic):
    code = "batch-dimension"
    title = "the first dimension of an input is the batch, the same free name for all"
    label = "is not `{batch}`"
    notes = ("`{name}` is {found}",)
    help = "begin the type with `{batch}`, as in `f32[{batch}, 8]`"
    name: str
    found: str
    batch: str


class NotAnInput(Diagnostic):
    code = "unknown-input"
    title = "`data` names `{name}`, which is no input"
    label = "no input has this name"
    help = "did you mean `{suggestion}`?"
    name: str
    suggestion: str = ""


class NotInScan(Diagnostic):
    code = "not-in-scan"
    title = "{what} cannot be kept inside a scan"
    label = "belongs to one turn only"
    help = "carry it with `with`, or use it outside the scan"
    what: str


class BranchWidth(Diagnostic):
    code = "shape-mismatch"
    title = "the output of `{word}` and the input of `residual` have different widths"
    label = "gives {branch}"
    notes = ("residual adds {trunk} and {branch}: the last dimension differs",)
    help = "end the branch with `dense({width})`"
    word: str
    branch: str
    trunk: str
    width: object


class CrossedSamples(Diagnostic):
    code = "crossed-samples"
    title = "this {what} compares each sample with every other"
    label = "gives {type}"
    notes = ("shapes such as f32[N, 1] and f32[N] are stretched against each other",)
    help = "take the axis of 1 away with `squeeze(-1)`; if it is meant, take `mean(...)` of it"
    what: str
    type: str


class UnknownChoice(Diagnostic):
    code = "unknown-choice"
    title = "no {what} is called `{name}`"
    label = "not known"
    notes = ("there are {known}",)
    help = "did you mean `{suggestion}`?"
    what: str
    name: str
    known: str
    suggestion: str = ""
