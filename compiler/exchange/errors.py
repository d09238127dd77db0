"""What cannot be said in the vocabulary of others."""

from __future__ import annotations

from ...spec.source import Diagnostic


class NotInOnnx(Diagnostic):
    """An operation that ONNX has no word for."""

    code = "not-in-onnx"
    title = "`{word}` cannot be said in ONNX"
    label = "needs `{word}`"
    notes = ("{reason}",)
    help = "save the model with `axonc train --out` or `Program.save` instead, which can say everything"
    word: str
    reason: str
