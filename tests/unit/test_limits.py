"""How often one client may ask."""

from bot.api.limits import Buckets
from bot.api.paths import canonical


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_client_may_ask_in_a_burst_and_then_at_the_rate() -> None:
    clock = Clock()
    buckets = Buckets(2.0, 3, monotonic=clock)
    assert [buckets.take("a") for _ in range(4)] == [0, 0, 0, 0.5]
    assert buckets.take("b") == 0
    clock.now = 0.5
    assert [buckets.take("a") for _ in range(2)] == [0, 0.5]
    clock.now = 1000.0
    assert [buckets.take("a") for _ in range(4)] == [0, 0, 0, 0.5]


def test_paths_of_durable_functions_are_the_same_in_any_case() -> None:
    base = "/runtime/webhooks/durabletask"
    assert (
        canonical("/Runtime/Webhooks/DurableTask/Instances/ABC/raiseevent/Go") == f"{base}/instances/ABC/raiseEvent/Go"
    )
    assert canonical(f"{base}/ORCHESTRATORS/Orchestrators/") == f"{base}/orchestrators/Orchestrators"
    assert canonical(f"{base}/instances/Terminate") == f"{base}/instances/Terminate"
    assert canonical("/API/Ping") == "/API/Ping"
