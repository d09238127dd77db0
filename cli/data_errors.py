"""What may be wrong with the data that a spec names, at the line that names them."""

from __future__ import annotations

from ..spec.source import Diagnostic


class DataMissing(Diagnostic):
    """A data file that is not there; sizes that it would bind stay names."""

    code = "no-such-file"
    severity = "warning"
    title = "the data `{file}` does not exist, so nothing was checked against it"
    help = "{advice}"
    file: str
    advice: str = ""


class DataAtFault(Diagnostic):
    """A data file that is there and wrong."""

    code = "data-at-fault"
    title = "{problem}"
    notes = ("code of the data: {data_code}",)
    help = "{advice}"
    data_code: str
    problem: str
    advice: str = ""
