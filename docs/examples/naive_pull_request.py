"""The loop one would write without thinking of crashes, made durable with decorators alone: kill it anywhere, it goes on."""

from typing import Protocol

from durable import Found, activity, info, resource, sleep, workflow


class World(Protocol):
    """What the loop needs of GitHub and Slack; a worker is given one."""

    def is_open(self, number: int) -> bool: ...
    def post(self, text: str, key: str) -> None: ...
    def was_posted(self, text: str, key: str) -> bool: ...


def world() -> World:
    """The world of this worker."""
    return resource(World)  # type: ignore[type-abstract] # any class is a key


@activity
def is_open(number: int) -> bool:
    """Reading may be repeated."""
    return world().is_open(number)


def find_post(text: str) -> Found[None] | None:
    """Look whether a message in doubt was posted."""
    return Found(None) if world().was_posted(text, info().key) else None


@activity(verify=find_post)
def post(text: str) -> None:
    """A message that nobody wants twice."""
    world().post(text, info().key)


@workflow
def nag_about(number: int) -> str:
    """Remind every hour until the pull request is closed."""
    while True:
        if not is_open(number):
            post(f"#{number} is closed, thank you")
            return "closed"
        post(f"#{number} waits for your review")
        sleep(3600)
