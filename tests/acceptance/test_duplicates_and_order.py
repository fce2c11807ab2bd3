"""GitHub sends things twice, late and in any order: people in Slack see each once."""

from concurrent.futures import ThreadPoolExecutor

from bot.demo.bot_process import BotProcess
from bot.demo.waiting import eventually
from tests.support.deliveries import pull_request_delivery
from tests.support.world import World


def summaries(world: World, channel: str) -> int:
    return sum("Branches" in message.words for message in world.slack.posts(channel))


def test_the_same_delivery_five_times_at_once_has_one_effect(world: World, bot: BotProcess) -> None:
    with world.github.deliveries_lost():
        pull_request = world.github.open_pull_request("Only once")
    delivery = pull_request_delivery(pull_request, "opened")
    with ThreadPoolExecutor(5) as senders:
        answers = [answer.status_code for answer in senders.map(lambda _: world.send(delivery), range(5))]
    assert all(200 <= answer < 300 for answer in answers)
    channel = world.channel_of("acme/api", pull_request.number)
    eventually(lambda: summaries(world, channel.id) == 1)
    pull_request.merge()
    eventually(lambda: world.channel_of("acme/api", pull_request.number).archived)
    assert summaries(world, channel.id) == 1
    assert len(world.slack_proxy.calls("conversations.create", applied=True)) == 1


def test_the_same_news_under_five_ids_has_one_effect(world: World, bot: BotProcess) -> None:
    with world.github.deliveries_lost():
        pull_request = world.github.open_pull_request("Only once")
    with ThreadPoolExecutor(5) as senders:
        list(senders.map(lambda _: world.send(pull_request_delivery(pull_request, "opened")), range(5)))
    channel = world.channel_of("acme/api", pull_request.number)
    pull_request.merge()
    eventually(lambda: world.channel_of("acme/api", pull_request.number).archived)
    assert summaries(world, channel.id) == 1


def test_closed_before_opened_leaves_no_channel_open(world: World, bot: BotProcess) -> None:
    with world.github.deliveries_lost():
        pull_request = world.github.open_pull_request()
        opened = pull_request_delivery(pull_request, "opened")
        pull_request.close()
        closed = pull_request_delivery(pull_request, "closed")
    world.send(closed).raise_for_status()
    world.send(opened).raise_for_status()
    later = world.github.open_pull_request("Opened after both")
    world.channel_of("acme/api", later.number)
    assert [each for each in world.slack.channels_of("acme/api", pull_request.number) if not each.archived] == []


def test_opened_and_closed_in_the_same_second_leave_no_channel_open(world: World, bot: BotProcess) -> None:
    with world.github.deliveries_lost():
        pull_request = world.github.open_pull_request()
        opened = pull_request_delivery(pull_request, "opened")
        pull_request.merge()
        closed = pull_request_delivery(pull_request, "closed")
    with ThreadPoolExecutor(2) as senders:
        list(senders.map(world.send, (opened, closed)))
    later = world.github.open_pull_request("Opened after both")
    world.channel_of("acme/api", later.number)
    eventually(lambda: all(each.archived for each in world.slack.channels_of("acme/api", pull_request.number)))
