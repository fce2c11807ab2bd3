"""Workflows with many members, many steps and many runs, for workers in processes of their own."""

from durable import activity, call, continue_as_new, gather, workflow


@activity
def double(number: int) -> int:
    return number * 2


@workflow
def one(number: int) -> int:
    return double(number)


@workflow
def over_children(many: int) -> int:
    return sum(gather(*(call(one, number) for number in range(many))))


@workflow
def over_activities(many: int) -> int:
    return sum(gather(*(call(double, number) for number in range(many))))


@workflow
def chain(many: int) -> int:
    return sum(double(number) for number in range(many))


@workflow
def again_and_again(many: int) -> str:
    if many == 0:
        return "done"
    continue_as_new(many - 1)


WORKFLOWS = (one, over_children, over_activities, chain, again_and_again)
