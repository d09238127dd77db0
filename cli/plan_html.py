"""An explained plan -> one HTML file: the spec on the left, forward and backward steps beside each other, a map of
the arena. Nothing is loaded from elsewhere, and every text from a spec is escaped."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..compiler.explain import Explanation, Group, Step
from ..spec.render import escape
from ..spec.source import Source, Span
from . import plan_device
from .plan_facts import KINDS, heading, totals
from .plan_text import key_of, repeats
from .screen import quantity

if TYPE_CHECKING:
    from ..compiler.prediction import Prediction
    from ..specification import Specification

HERE = Path(__file__).parent
POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
MAP_WIDTH, MAP_HEIGHT = 1000, 180
LEAST_SHARE = 1  # of the operations of the longest step, in percent, that is drawn: less would be a dot


def render(specification: Specification, phase: str, found: Explanation, prediction: Prediction | None = None) -> str:
    """The whole document."""
    page = _Page(specification, phase, found)
    title, subtitle = map(safe, heading(specification, phase, found))
    style, script = ((HERE / name).read_text(encoding="utf-8") for name in ("plan.css", "plan.js"))
    return "\n".join(
        (
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
            f"<title>{title}</title><style>{style}</style></head><body>",
            f'<header><h1>{title}</h1><p class="sub">{subtitle}</p>{page.tiles()}{page.shares()}</header>',
            f'<main><aside aria-label="The spec"><div>{page.sources()}</div></aside>',
            f"<article><div>{page.columns()}{page.groups()}</div>{page.rest()}{page.map()}{_predicted(prediction)}</article></main>",
            f"<script>{script}</script></body></html>\n",
        )
    )


def _predicted(found: Prediction | None) -> str:
    """The prediction for a device, where one was asked for."""
    if found is None:
        return ""
    head = "".join(f"<th>{name}</th>" for name in plan_device.HEAD)
    rows = (
        f"<tr>{''.join(f'<td>{safe(cell)}</td>' for cell in plan_device.cells(k))}</tr>"
        for k in plan_device.longest(found, unfolded=True)
    )
    given = (*found.assumptions, f"published in: {found.device.source}")
    return (
        f'<section class="prediction"><h3>{safe(plan_device.title(found))}</h3>'
        + "".join(f"<p>{safe(text)}</p>" for text in plan_device.sums(found))
        + f"<p>assumed: {safe('; '.join(given))}</p>"
        + "<details><summary>kernels by their time</summary>"
        + f"<div><table><tr>{head}</tr>{''.join(rows)}</table></div></details></section>"
    )


def safe(text: str) -> str:
    """Text as it may stand in an element or an attribute."""
    return html.escape(escape(text), quote=True)


class _Page:
    """The parts of one document."""

    def __init__(self, specification: Specification, phase: str, found: Explanation) -> None:
        self.specification = specification
        self.found = found
        self.most = max((s.flops for s in found.steps), default=0) or 1
        self.files: dict[Source, int] = {}
        for group in found.groups:
            for span in (group.place.span, *(f.span for f in group.place.frames)):
                self.files.setdefault(span.source, len(self.files))

    def tiles(self) -> str:
        """The totals, large."""
        found, count = self.found, self.specification.parameter_count
        facts = (
            ("parameters", f"{count:,}" if isinstance(count, int) else str(count), ""),
            ("operations", quantity(sum(s.flops for s in found.steps if s.kind != "once"), "FLOP"), "in one step"),
            ("memory at most", quantity(found.arena + found.named, "B"), f"{found.arena + found.named:,} bytes, exact"),
            ("arena", quantity(found.arena, "B"), "values between steps"),
            ("weights and states", quantity(found.named, "B"), "with what the optimizer remembers"),
        )
        tiles = (
            f"<div><b>{safe(value)}</b><span>{safe(what)}</span><i>{safe(note)}</i></div>"
            for what, value, note in facts
        )
        return f'<div class="tiles">{"".join(tiles)}</div>'

    def shares(self) -> str:
        """A bar: which part of the operations goes where."""
        parts = [(kind, n, f) for kind, n, f, _ in totals(self.found) if kind != "once"]
        whole = sum(f for _, _, f in parts) or 1
        bars = (f'<i class="{kind}" style="flex-grow:{f / whole:.4f}"></i>' for kind, _, f in parts)
        words = (
            f'<span class="{kind}">{KINDS[kind]}: {n:,} {"step" if n == 1 else "steps"}, '
            f"{safe(quantity(f, 'FLOP'))} ({f / whole:.0%})</span>"
            for kind, n, f in parts
        )
        return f'<div class="bar">{"".join(bars)}</div><p class="legend">{" ".join(words)}</p>'

    def sources(self) -> str:
        """Every file that a step comes from, line by line."""
        return "".join(self._source(source, number) for source, number in self.files.items())

    def _source(self, source: Source, number: int) -> str:
        lines = source.text.removesuffix("\n").split("\n")
        rows = (f'<li id="L{number}-{i}" tabindex="0">{safe(line.rstrip())}</li>' for i, line in enumerate(lines, 1))
        return f"<h2>{safe(source.name)}</h2><ol>{''.join(rows)}</ol>"

    def columns(self) -> str:
        backward = "<span>backward</span>" if self.found.of("backward") else ""
        return f'<div class="head"><span>forward</span>{backward}</div>'

    def groups(self) -> str:
        return "".join(self._runs())

    def _runs(self) -> Iterator[str]:
        """What repeats is written once, its other turns folded."""
        groups = self.found.groups
        for start, period, turns in repeats([key_of(g) for g in groups]):
            yield "".join(map(self._group, groups[start : start + period]))
            if turns > 1:
                rest = groups[start + period : start + period * turns]
                more = f"{turns - 1} more {'turn' if turns == 2 else 'turns'} like {'it' if period == 1 else 'these'}"
                yield f"<details><summary>{more}</summary>{''.join(map(self._group, rest))}</details>"

    def _group(self, group: Group) -> str:
        span = group.place.span
        frames = group.place.frames
        chain = f'<p class="chain">in {safe(", ".join(map(str, frames)))}</p>' if frames else ""
        also = " ".join(self._line(f.span) for f in frames)
        sides = f"<div>{self._steps(group.forward)}</div><div>{self._steps(group.backward)}</div>"
        return (
            f'<section data-line="{self._line(span)}" data-also="{also}"><h3 tabindex="0"><em>{span.line}</em>'
            f'<code>{_marked(span)}</code></h3>{chain}<div class="pair">{sides}</div></section>'
        )

    def rest(self) -> str:
        """What belongs to no line of the model: the update, and what is done once."""
        found = ""
        for title, steps in (("update of the weights", self.found.update), ("once, before the first", self.found.once)):
            if steps:
                span = steps[0].place.span
                line = self._line(span) if span.source in self.files else ""
                head = f'<section data-line="{line}" data-also=""><h3 tabindex="0">{title}</h3>'
                found += f"{head}{self._steps(steps)}</section>"
        return found

    def _steps(self, steps: Sequence[Step]) -> str:
        return "".join(map(self._step, steps))

    def _step(self, step: Step) -> str:
        formulas = "".join(f"<code>{safe(formula)}</code>" for formula in step.formulas)
        types = safe(", ".join(dict.fromkeys(v.type for v in step.results)))
        facts = [types, *([quantity(step.flops, "FLOP")] if step.flops else []), quantity(step.bytes, "B")]
        facts += [f"at {v.offset:,}" for v in step.results[:1] if v.offset is not None]
        facts += [safe(f"for {loop}") for loop in step.loop]
        kept = ", ".join(f'<a href="#s{n}">{n}</a>' for n in step.kept_for)
        facts += [f"kept for {kept}"] if kept else []
        share = 100 * step.flops / self.most
        bar = f'<u style="width:{share:.1f}%"></u>' if share >= LEAST_SHARE else ""
        return (
            f'<div class="step {step.kind}" id="s{step.number}"><b>{step.number}</b><div>{formulas}'
            f"<small>{' · '.join(facts)}</small>{bar}</div></div>"
        )

    def map(self) -> str:
        """Which bytes of the arena are used when: one box for each value, from the step that makes it to the last
        that reads it."""
        found, count = self.found, len(self.found.steps) or 1
        last: dict[int, int] = {}
        for step in found.steps:
            for source in step.reads:
                last[source] = step.number
        across, down = MAP_WIDTH / (count + 1), MAP_HEIGHT / (found.arena or 1)
        boxes = "".join(
            f'<a href="#s{s.number}"><rect class="{s.kind}" x="{s.number * across:.2f}" y="{v.offset * down:.2f}" '
            f'width="{max(last.get(s.number, s.number + 1) - s.number, 1) * across:.2f}" '
            f'height="{max(v.bytes * down, 0.6):.2f}"><title>{safe(f"{v.name}: {v.type}, {v.bytes:,} bytes")}</title>'
            "</rect></a>"
            for s in found.steps
            for v in s.results
            if v.offset is not None
        )
        return (
            "<section><h3>the arena: steps to the right, bytes downwards</h3>"
            f'<svg viewBox="0 0 {MAP_WIDTH} {MAP_HEIGHT}" preserveAspectRatio="none" role="img">{boxes}</svg></section>'
        )

    def _line(self, span: Span) -> str:
        return f"L{self.files[span.source]}-{span.line}"


def _marked(span: Span) -> str:
    """The line that a span begins on, the span in it marked."""
    line = span.source.line(span.line)
    start, end = span.column - 1, span.column - 1 + span.end - span.start
    return f"{safe(line[:start].lstrip())}<mark>{safe(line[start:end])}</mark>{safe(line[end:])}"
