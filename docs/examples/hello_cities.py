"""Greet cities: one after the other, and all at once."""

from durable import activity, call, gather, workflow


@activity
def say_hello(city: str) -> str:
    """One greeting."""
    return f"Hello {city}!"


@workflow
def chaining_orchestration() -> list[str]:
    """Each step begins when the one before it has ended; a crash loses none of them."""
    return [say_hello("Tokyo"), say_hello("Seattle"), say_hello("London")]


@workflow
def fan_out_fan_in_orchestration() -> list[str]:
    """All steps run side by side, on any worker; their results come in the order of the calls."""
    cities = ("Tokyo", "Seattle", "London", "Paris", "Berlin")
    return gather(*(call(say_hello, city) for city in cities))
