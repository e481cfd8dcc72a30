"""The order of files: each after its imports, if they form no circle."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from eyas.synthetic.long_context.dependencies import in_order


@given(st.dictionaries(st.sampled_from("abcdefgh"), st.sets(st.sampled_from("abcdefghz"))))
def test_a_file_follows_its_imports_unless_they_form_a_circle(imports: dict[str, set[str]]) -> None:
    order = in_order(imports)
    assert sorted(order) == sorted(imports)
    assert order == in_order({path: set(imports[path]) for path in sorted(imports, reverse=True)})

    def reach(start: str) -> set[str]:
        reached, new = set(), [start]
        while new:
            for other in imports.get(new.pop(), set()) & set(imports) - reached:
                reached.add(other)
                new.append(other)
        return reached

    for path in imports:
        for other in imports[path] & set(imports):
            if path != other and not any(file in reach(file) for file in {path, other} | reach(path)):
                assert order.index(other) < order.index(path)


def test_of_several_files_that_could_follow_the_first_by_path_does() -> None:
    assert in_order({"c": set(), "b": {"c"}, "a": {"c"}, "d": {"e"}, "e": {"d"}}) == ["c", "a", "b", "d", "e"]
