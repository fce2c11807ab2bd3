"""Greet cities, one after the other."""

from durable import activity, workflow


@activity
def say_hello(city: str) -> str:
    """One greeting."""
    return f"Hello {city}!"


@workflow
def chaining_orchestration() -> list[str]:
    """Each step begins when the one before it has ended; a crash loses none of them."""
    return [say_hello("Tokyo"), say_hello("Seattle"), say_hello("London")]
