"""What somebody may have meant: the known word that other libraries call so, or the one nearest to it."""

from __future__ import annotations

from collections.abc import Iterable

# Each word or setting that other libraries call otherwise, with their names in small letters and without `_`.
ELSEWHERE = {
    "dense": "linear fc fullyconnected",
    "conv2d_transpose": "convtranspose2d deconv2d deconvolution",
    "max_pool1d": "maxpooling1d",
    "max_pool2d": "maxpooling2d maxpool maxpooling",
    "average_pool1d": "avgpool1d averagepooling1d",
    "average_pool2d": "avgpool2d averagepooling2d avgpool averagepooling",
    "global_average_pool": "globalaveragepooling2d globalaveragepooling1d gap",
    "global_max_pool": "globalmaxpooling2d globalmaxpooling1d",
    "batch_norm": "bn batchnormalization batchnorm1d batchnorm2d",
    "layer_norm": "ln layernormalization",
    "self_attention": "multiheadattention mha",
    "transformer_encoder": "transformerencoderlayer transformerblock",
    "cross_entropy": "crossentropyloss nllloss nll softmaxcrossentropy sparsecategoricalcrossentropy",
    "binary_cross_entropy": "bce bceloss bcewithlogits bcewithlogitsloss sigmoidcrossentropy",
    "cosine_distance": "cosine cosineloss",
    "huber": "smoothl1 smoothl1loss",
    "mae": "l1loss absoluteerror meanabsoluteerror",
    "mse": "mseloss l2loss squarederror meansquarederror",
    "silu": "swish",
    "upsample": "upsampling2d interpolate",
    "transpose": "permute swapaxes",
    "reshape": "view",
    "concat": "cat concatenate hstack vstack",
    "unsqueeze": "expanddims newaxis",
    "random_normal": "randn gaussiannoise normal",
    "random_uniform": "rand uniform",
    "random_bernoulli": "bernoulli",
    "flip": "hflip fliplr mirror randomflip randomhorizontalflip horizontalflip",
    "crop": "randomcrop shift translate pad",
    "erase": "cutout randomerasing randomerase",
    "noise": "gaussiannoise gaussian",
    "random_permutation": "randperm permutation shuffle",
    "range": "arange",
    "rate": "lr learningrate stepsize p prob droprate dropout",
    "epsilon": "eps",
    "kernel": "kernelsize filtersize",
    "filters": "outchannels channels features",
    "units": "hiddensize hiddenunits unit neurons outfeatures features channels",
    "heads": "nheads numheads head",
    "entries": "vocabsize numembeddings inputdim",
    "width": "embeddim embeddingdim outputdim dim dmodel",
    "axis": "dim axes dims",
    "keep": "keepdim keepdims",
    "size": "poolsize kernelsize kernel",
    "stride": "strides",
    "padding": "pad",
    "dilation": "dilationrate",
    "bias": "usebias",
    "slope": "negativeslope",
    "smoothing": "labelsmoothing",
    "ignore": "ignoreindex",
    "sequence": "returnsequences",
    "state": "returnstate",
    "weights": "classweights classweight weight",
    "activation": "act nonlinearity",
    "gamma": "decay factor",
    "batch": "batchsize",
    "epochs": "numepochs nepochs maxepochs",
    "split": "validationsplit",
    "validation": "val valid dev",
    "schedule": "scheduler lrschedule",
    "stop": "earlystopping earlystop",
    "optimizer": "lr learningrate optim",
    "clip": "gradientclipping clipnorm gradclip",
}
_MEANINGS: dict[str, list[str]] = {}
for _name, _theirs in ELSEWHERE.items():
    for _other in _theirs.split():
        _MEANINGS.setdefault(_other, []).append(_name)

OPERATORS = {
    **dict.fromkeys(("matmul", "mm", "bmm"), "a @ b"),
    **dict.fromkeys(("pow", "power"), "a ** b"),
    **dict.fromkeys(("sub", "subtract"), "a - b"),
    **dict.fromkeys(("div", "divide"), "a / b"),
    **dict.fromkeys(("mod", "remainder", "fmod"), "a % b"),
    **dict.fromkeys(("neg", "negative"), "-a"),
    **dict.fromkeys(("logical_not", "invert"), "not a"),
    **dict.fromkeys(("logical_and",), "a and b"),
    **dict.fromkeys(("logical_or",), "a or b"),
    **dict.fromkeys(("eq", "equal"), "a == b"),
    **dict.fromkeys(("greater", "gt"), "a > b"),
    **dict.fromkeys(("less", "lt"), "a < b"),
}


def called(word: str, known: Iterable[str]) -> str:
    """The one of `known` that others call `word`; empty where none is."""
    return next((meant for meant in _MEANINGS.get(word.lower().replace("_", ""), ()) if meant in known), "")


def nearest(word: str, known: Iterable[str]) -> str:
    """The one of `known` that others call `word`, or that a slip of the fingers turns into it; empty where none is."""
    names = sorted(known)
    if meant := called(word, names):
        return meant
    best, least = "", (_reach(word) + 1, False)
    for candidate in names:
        distance = _distance(word.lower(), candidate.lower(), least[0] + 1)
        slip = distance, sorted(word) != sorted(candidate)
        if candidate != word and slip < least:
            best, least = candidate, slip
    return best


def _reach(word: str) -> int:
    return 0 if len(word) < 2 else 1 if len(word) < 4 else 2 if len(word) < 8 else 3


def _distance(a: str, b: str, limit: int) -> int:
    """How many letters are wrong, missing, extra or swapped with their neighbour; `limit` or more stops counting."""
    if abs(len(a) - len(b)) >= limit:
        return limit
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        two_before, before, row = before, row, [i]
        for j, y in enumerate(b, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                cost = min(cost, two_before[j - 2] + 1)
            row.append(cost)
    return row[-1]
