"""What the watch reads of GitHub and of our policy, safe to repeat."""

from config.policy import Policy
from durable import resource
from handlers.outside import github, outward
from handlers.watch_state import Look, Rules
from integrations.github.api import PullRequest, PullRequestRef


@outward()
def look(ref: PullRequestRef) -> Look:
    """The pull request as GitHub has it now, and the rules that go for it now."""
    pull_request = github().read_pull_request(ref)
    return Look(pull_request, rules_for(pull_request, resource(Policy)))


def rules_for(pull_request: PullRequest, policy: Policy) -> Rules:
    """What the policy says about this pull request."""
    private = pull_request.private if policy.channels.private == "auto" else policy.channels.private == "always"
    return Rules(
        every=policy.reminders.every,
        archive_after=policy.channels.archive_after,
        wait_for_drafts=policy.channels.drafts == "wait",
        private_channel=private,
    )
