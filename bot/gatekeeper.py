"""Looking whether what refused us has been mended, and opening its gate: a token that works again needs no restart."""

from collections.abc import Callable, Mapping

import structlog

from durable.client import Client
from integrations.github.api import GitHub, GitHubError
from integrations.slack.api import Slack, SlackError

_log = structlog.get_logger(__name__)


def probes_of(slack: Slack, github: GitHub) -> Mapping[str, Callable[[], object]]:
    """How each gate is tried: one cheap call that raises as long as the dependency refuses us."""
    return {"slack": slack.identity, "github": github.identity}


class Gatekeeper:
    """Tries what stands behind each closed gate. With every gate open it costs one small query and no call."""

    def __init__(self, client: Client, probes: Mapping[str, Callable[[], object]]) -> None:
        self._client = client
        self._probes = probes

    def check(self) -> list[str]:
        """Open the gates whose dependency answers again; returns their names. Raises what the database raises."""
        opened = []
        for gate in self._client.gates():
            probe = self._probes.get(gate.name)
            if probe is None:
                continue
            try:
                probe()
            except (SlackError, GitHubError) as problem:
                _log.warning("gate.still_closed", gate=gate.name, parked=gate.parked, reason=str(problem))
            else:
                woken = self._client.open_gate(gate.name)
                _log.info("gate.opened", gate=gate.name, workflows=woken)
                opened.append(gate.name)
        return opened
