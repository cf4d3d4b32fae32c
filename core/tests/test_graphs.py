import itertools

from hypothesis import given
from hypothesis import strategies as st

from moorage_core import graphs


def test_what_is_required_comes_first_and_else_the_order_stays() -> None:
    order = graphs.sort({"a": ["c"], "b": [], "c": ["d"], "d": []})
    assert order.order == ("d", "c", "a", "b")
    assert order.cycles == {}


def test_a_cycle_names_the_way_round_for_each_node_on_it() -> None:
    order = graphs.sort({"a": ["b"], "b": ["c", "x"], "c": ["a"], "x": [], "y": ["a"]})
    assert order.cycles == {
        "a": ("a", "b", "c", "a"),
        "b": ("b", "c", "a", "b"),
        "c": ("c", "a", "b", "c"),
    }
    assert set(order.order) == {"a", "b", "c", "x", "y"}
    assert order.order.index("x") < order.order.index("b")


def test_a_node_may_wait_for_itself() -> None:
    assert graphs.sort({"a": ["a"]}).cycles == {"a": ("a", "a")}


graph = st.integers(1, 8).flatmap(
    lambda size: st.lists(st.sets(st.integers(0, size - 1)), min_size=size, max_size=size)
)


@given(graph)
def test_any_graph(edges: list[set[int]]) -> None:
    requires = {str(node): [str(other) for other in sorted(others)] for node, others in enumerate(edges)}
    order = graphs.sort(requires)
    assert sorted(order.order) == sorted(requires)
    for node, others in requires.items():
        for other in others:
            together = node in order.cycles and other in order.cycles
            assert together or order.order.index(other) < order.order.index(node)
    for node, way in order.cycles.items():
        assert way[0] == way[-1] == node
        assert all(after in requires[before] for before, after in itertools.pairwise(way))
