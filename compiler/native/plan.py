"""Schedule to a plan with the C of its steps."""

from __future__ import annotations

from dataclasses import replace

from ...runtime.plan import Plan
from ..memory import numbered
from ..schedule.destination import place_values
from ..schedule.kernel import Schedule
from ..schedule.target import Target
from .driver import print_code
from .emitter import Kernels, emit
from .library import ADDING, RULES
from .private import per_thread


def plan_of(schedule: Schedule, target: Target, rows: int) -> Plan:
    """The plan of a schedule for at most `rows` samples. Raises NotAffine."""
    kernels = emit(schedule, RULES, ADDING, target.machinery)
    placed = place_values(kernels.code, max(rows, 1))
    kernels = Kernels(per_thread(placed, target.threads), kernels.forms)
    plan, numbers = numbered(kernels.code, rows, target.name)
    most = max(rows, 1)
    counts = {most} if schedule.updates else {1, most}  # what trains has as many samples at each step as it says
    return replace(plan, code=print_code(kernels, plan, numbers, target, counts))
