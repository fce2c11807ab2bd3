"""What can be wrong with flows, their names and their payloads."""

from dataclasses import dataclass

from durable.errors import Diverged, DurableError


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a folder of flows: the file as it was named, the line (from 1), the key, and what is
    allowed there."""

    file: str
    line: int
    key: str
    message: str

    def __str__(self) -> str:
        """`file:line: key: message`."""
        return ": ".join(part for part in (f"{self.file}:{self.line}", self.key, self.message) if part)


class FlowErrors(DurableError):
    """The flows cannot be used. `problems` are all there are; the text is one line for each."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


class FlowNotFound(DurableError):
    """No flow has this full name. The text is the one Celery Director answers with."""

    def __init__(self, full_name: str) -> None:
        super().__init__(f"Workflow {full_name} not found")
        self.full_name = full_name


class PayloadRefused(DurableError):
    """The payload does not fit the flow's schema. `errors` has one text for each finding."""

    def __init__(self, errors: list[str]) -> None:
        super().__init__("; ".join(errors))
        self.errors = errors


class TaskUnknown(Diverged):
    """A run's definition names a task that this worker's code does not have. The run is paused and goes on, once it is
    resumed, with code that has it."""

    def __init__(self, task: str) -> None:
        BaseException.__init__(self, f"no task is called {task!r} in the code of this worker; bring it back and resume")
