"""Every delivery that was ever recorded of the real GitHub, sent to the running bot."""

import httpx

from bot.demo.bot_process import BotProcess
from bot.demo.waiting import eventually
from tests.support.deliveries import Delivery
from tests.support.recorded import EXPECTED_COUNT, recorded_deliveries
from tests.support.served import PLAIN
from tests.support.world import World


def test_each_recorded_delivery_is_taken_and_the_bot_goes_on(world: World, bot: BotProcess) -> None:
    recorded = recorded_deliveries()
    assert len(recorded) == EXPECTED_COUNT
    answers: dict[int, list[str]] = {}
    with httpx.Client(verify=PLAIN) as client:
        for event, payload in recorded:
            delivery = Delivery(event, payload)
            answer = client.post(bot.webhook_url, content=delivery.body, headers=delivery.headers())
            answers.setdefault(answer.status_code, []).append(f"{event} {payload.get('action')}: {answer.text}")
    refused = {status: what for status, what in answers.items() if not 200 <= status < 300}
    assert not refused

    pull_request = world.github.open_pull_request("Still awake")
    world.channel_of("acme/api", pull_request.number, within=20)
    eventually(lambda: httpx.get(f"{bot.url}/readyz", verify=PLAIN).status_code == 200)
