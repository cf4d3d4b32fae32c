from moorage_sdk.garbage import Explanation, Object, Plan, Planner, Removal, Step

NAME = Object("content", "default", "sha256:abc")
BLOB = Object("blob", "", "sha256:abc")


def test_objects_are_printed_as_they_are_spelled() -> None:
    assert str(NAME) == "content default sha256:abc"
    assert str(BLOB) == "blob sha256:abc"
    assert str(Step(NAME, "target")) == "content default sha256:abc (target)"
    assert sorted([NAME, BLOB]) == [BLOB, NAME]


def test_a_plan_can_be_summed_up_printed_and_compared() -> None:
    plan = Plan((Removal(NAME), Removal(BLOB, 7), Removal(Object("snapshot", "", "remote a/1/b"), None)))
    assert plan.size == 7
    assert plan.counts == {"content": 1, "blob": 1, "snapshot": 1}
    printed = ["content default sha256:abc 0", "blob sha256:abc 7", "snapshot remote a/1/b ?"]
    assert [str(each) for each in plan.removals] == printed
    assert plan == Plan(plan.removals)
    assert plan != Plan(plan.removals[1:])


def test_who_can_plan_is_found_by_what_it_has() -> None:
    class Both:
        def plan(self) -> Plan:
            return Plan()

        def why(self, wanted: Object) -> Explanation:
            return Explanation(wanted)

    assert isinstance(Both(), Planner)
    assert not isinstance(object(), Planner)
