"""Products of matrices, and sums of products written with letters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from ..ir import dims
from ..ir.check import Check
from ..ir.dims import Size
from ..ir.graph import Builder, Node
from ..ir.op import Array, Axes, Axis, Op
from ..ir.types import BOOL, Shape, Tensor
from .layout import Reshape


class Matmul(Op):
    """a @ b: for each of the leading axes, which broadcast, `[m, k] @ [k, n] -> [m, n]`.

    A transposed operand is stored as [k, m] or [n, k]. A vector is a row on the left and a column on the right,
    and its axis is missing in the result.

    With a `triangle` that matrix of the three, not transposed, is zero above its diagonal, or below where it is an
    `upper` one: an operand is known to be, a result is made so.
    """

    precision = "half"
    transpose_a: bool = False
    transpose_b: bool = False
    triangle: Literal["", "left", "right", "result"] = ""
    upper: bool = False

    def infer(self, c: Check, *types: Tensor) -> Tensor:
        a, b = types
        dtype = c.one_dtype(self.word, a, b)
        if dtype is BOOL:
            c.dtype("`matmul` needs numbers", f"{a}", advice="convert with `cast(x, f32)`")
        for t, turned in ((a, self.transpose_a), (b, self.transpose_b)):
            if t.rank < (2 if turned else 1):
                c.shape("`matmul` needs matrices or vectors", f"{a} and {b}")
        (m, k), (other, n) = self._matrices(a, b)
        detail = f"the left one has {k} columns, the right one {other} rows"
        c.same(k, other, "`matmul` meets shapes that do not fit", found=f"{a} and {b}", detail=detail)
        lead = c.broadcast(self.word, a.with_shape(a.shape[:-2]), b.with_shape(b.shape[:-2]))
        return Tensor(dtype, (*lead, *[m] * (a.rank > 1), *[n] * (b.rank > 1)))

    def _matrices(self, a: Tensor, b: Tensor) -> tuple[tuple[Size, Size], tuple[Size, Size]]:
        """(m, k) and (k, n) as the operands say them."""
        left = a.shape[-2:] if a.rank > 1 else (1, a.shape[0])
        right = b.shape[-2:] if b.rank > 1 else (b.shape[0], 1)
        m, k = reversed(left) if self.transpose_a else left
        other, n = reversed(right) if self.transpose_b else right
        return (m, k), (other, n)

    def eval(self, xp: Array, *arrays: Array) -> Array:
        a, b = arrays
        a = xp.matrix_transpose(a) if self.transpose_a else a
        b = xp.matrix_transpose(b) if self.transpose_b else b
        product = xp.matmul(a, b)
        if self.triangle != "result":
            return product
        return xp.triu(product) if self.upper else xp.tril(product)

    def grad(self, b: Builder, node: Node, *g: Node | None) -> Sequence[Node | None]:
        if g[0] is None:
            return [None, None]
        left, right = node.inputs
        x = left if len(left.shape) > 1 else b.add(Reshape((1, *left.shape)), left)
        w = right if len(right.shape) > 1 else b.add(Reshape((*right.shape, 1)), right)
        flow = b.add(Reshape(_product_shape(node, left, right)), g[0]) if left is not x or right is not w else g[0]
        dx = b.add(Matmul(self.transpose_b, True), w, flow) if self.transpose_a else None
        dx = dx or b.add(Matmul(False, not self.transpose_b), flow, w)
        dw = self._right(b, x, w, flow)
        return [dx, dw if right is w else b.add(Reshape(dw.shape[:-1]), dw)]

    def _right(self, b: Builder, x: Node, w: Node, flow: Node) -> Node:
        """The cotangent of the right operand; of a matrix shared by all leading axes it is one product."""
        if len(w.shape) == 2 and len(x.shape) > 2 and not self.transpose_a:
            x, flow = (b.add(Reshape((dims.product(n.shape[:-1]), n.shape[-1])), n) for n in (x, flow))
        if self.transpose_b:
            return b.add(Matmul(True, self.transpose_a), flow, x)
        return b.add(Matmul(not self.transpose_a, False), x, flow)

    def axes(self, *types: Tensor) -> Axes:
        a, b = types
        (out,) = self.result_types(a, b)
        lead = max(a.rank, b.rank) - 2
        leads = [self._leading(t, out, lead) for t in types]
        left = ("k", "m") if self.transpose_a else ("m", "k")
        right = ("n", "k") if self.transpose_b else ("k", "n")
        inputs = (
            (*leads[0], *map(Axis, left if a.rank > 1 else ("k",))),
            (*leads[1], *map(Axis, right if b.rank > 1 else ("k",))),
        )
        names = tuple(f"b{i}" for i in range(max(lead, 0)))
        return Axes(inputs, ((*names, *("m",) * (a.rank > 1), *("n",) * (b.rank > 1)),), frozenset("k"))

    @staticmethod
    def _leading(t: Tensor, out: Tensor, lead: int) -> tuple[Axis, ...]:
        own = t.shape[:-2]
        skipped = lead - len(own)
        return tuple(
            Axis("" if n == 1 and out.shape[i + skipped] != 1 else f"b{i + skipped}") for i, n in enumerate(own)
        )

    def flops(self, *types: Tensor) -> Size:
        (out,) = self.result_types(*types)
        (_, k), _ = self._matrices(*types)
        whole = out.size * k * 2 if out.dtype.is_float else 0
        return dims.floor_divide(whole, 2) if self.triangle else whole

    def formula(self, *names: str) -> str:
        a, b = names
        return f"{a}{'ᵀ' * self.transpose_a} @ {b}{'ᵀ' * self.transpose_b}"


def _product_shape(node: Node, left: Node, right: Node) -> Shape:
    """The shape of a product with the axes that vectors left out, of size 1."""
    shape = node.shape if len(right.shape) > 1 else (*node.shape, 1)
    return shape if len(left.shape) > 1 else (*shape[:-1], 1, shape[-1])
