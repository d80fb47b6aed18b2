"""Which nodes of an exported model may compute with 8-bit integers: layers with weights and what lies between them.

What follows the last layer with weights (softmax, decoding of boxes, suppression) stays in float: it costs little time,
and a step of 1/255 of its range is a visible shift of a box or of a score.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

#: Hold weights, and nearly all of the arithmetic.
_LAYERS = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})
#: Stand between layers without leaving the integers; others (Softmax, LayerNormalization, Sigmoid) stay in float.
_BETWEEN = frozenset(
    {
        "Add", "AveragePool", "Clip", "Concat", "Flatten", "GlobalAveragePool", "LeakyRelu", "MaxPool", "Mul", "Pad",
        "Relu", "Reshape", "Resize", "Slice", "Split", "Squeeze", "Transpose", "Unsqueeze",
    }
)  # fmt: skip
OPERATORS = tuple(sorted(_LAYERS | _BETWEEN))
_BACKBONE = "/backbone/"


@dataclass(frozen=True, slots=True)
class Scope:
    """A part of the graph that is quantised.

    Attributes:
        name: in words, as the record has it.
        nodes: names of its nodes, in the graph's order.
        float_layers: names of the layers with weights that are left out of it.
    """

    name: str
    nodes: tuple[str, ...]
    float_layers: tuple[str, ...]


def scopes(model: Any) -> tuple[Scope, ...]:
    """Parts to try, the whole network first, then ever less of it; equal ones once.

    Args:
        model: an ONNX model whose nodes have names.
    """
    graph = _Graph(model)
    backbone = {name for name in graph.layers if name.startswith(_BACKBONE)}
    last, first = graph.last_layers(), graph.first_layers()
    left_in_float: tuple[tuple[str, Iterable[str]], ...] = (
        ("all layers", ()),
        ("all but the last layers", last),
        ("all but the first and the last layers", first | last),
        ("the backbone", graph.layers - backbone if backbone else graph.layers),
    )
    found: dict[tuple[str, ...], Scope] = {}
    for name, excluded in left_in_float:
        scope = graph.scope(name, frozenset(excluded))
        if len(scope.float_layers) < len(graph.layers):
            found.setdefault(scope.nodes, scope)
    return tuple(found.values())


def layers(model: Any) -> frozenset[str]:
    """Names of the nodes with weights."""
    weights = {tensor.name for tensor in model.graph.initializer}
    weights |= {node.output[0] for node in model.graph.node if node.op_type == "Constant"}
    return frozenset(n.name for n in model.graph.node if n.op_type in _LAYERS and weights & set(n.input[1:2]))


class _Graph:
    """The network as nodes and what follows them.

    Attributes:
        layers: names of the nodes with weights.
    """

    def __init__(self, model: Any) -> None:
        self._nodes = list(model.graph.node)
        self.layers = layers(model)
        self._makers = {output: node.name for node in self._nodes for output in node.output}
        self._layers_before: dict[str, frozenset[str]] = {}
        for node in self._nodes:  # ONNX keeps them in an order in which each follows what it reads
            before = (self._layers_before[maker] | ({maker} & self.layers) for maker in self._before(node))
            self._layers_before[node.name] = frozenset().union(*before)

    def first_layers(self) -> frozenset[str]:
        """Layers that see no other layer's output."""
        return frozenset(name for name in self.layers if not self._layers_before[name])

    def last_layers(self) -> frozenset[str]:
        """Layers whose output no other layer sees."""
        return self.layers.difference(*(self._layers_before[name] for name in self.layers))

    def scope(self, name: str, excluded: frozenset[str]) -> Scope:
        """The layers but the excluded ones, and the nodes from which one of the others is reached."""
        chosen = self.layers - excluded
        leading = self._leading_to(chosen)
        nodes = [n.name for n in self._nodes if n.name in chosen or (n.op_type in _BETWEEN and n.name in leading)]
        return Scope(name, tuple(nodes), tuple(n.name for n in self._nodes if n.name in excluded))

    def _leading_to(self, layers: frozenset[str]) -> set[str]:
        found: set[str] = set()
        for node in reversed(self._nodes):
            if node.name in layers or node.name in found:
                found |= set(self._before(node))
        return found

    def _before(self, node: Any) -> Iterator[str]:
        return (self._makers[name] for name in node.input if name in self._makers)
