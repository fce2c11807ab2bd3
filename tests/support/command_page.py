"""`docs/cli.md`, as the commands say it of themselves."""

from collections.abc import Iterator

import click

from bot.cli import vigil

_HEAD = """# The command line

`python -m bot COMMAND`. This page is what the commands' own `--help` says; a test fails when the two differ, and
`VIGIL_WRITE_SNAPSHOTS=1 python -m pytest tests/unit/test_command_page.py` writes it anew. What the commands do is shown by
`tests/integration/cli/` and `tests/integration/test_command_line.py`, which run each of them.

Commands that touch the database need `DATABASE_URL`, or `VIGIL_HOME` for the embedded PostgreSQL, and no setting of Slack
or GitHub. Those that start workflows or read flows look at `VIGIL_MODULES` and `VIGIL_FLOWS`, too. Add `--json` for a
program that reads, and `--watch` to look on.

| Exit code | Means |
|---|---|
| 0 | done |
| 1 | not done: the text on standard error says why, and what to do about it |
| 2 | wrong use of the command, or a setting that cannot be used |
| 130 | stopped by Ctrl-C, or a question was answered with no |

Completion for bash, in which `vigil` stands for `python -m bot`:

```console
$ alias vigil='python -m bot'
$ eval "$(python -m bot completion bash)"
```
"""


def page() -> str:
    """The whole page."""
    root = click.Context(vigil, info_name="python -m bot", terminal_width=110, **vigil.context_settings)
    return _HEAD + "".join(_sections(vigil, root, 2))


def _sections(group: click.Group, context: click.Context, depth: int) -> Iterator[str]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is None:
            continue
        inner = click.Context(command, parent=context, info_name=name, terminal_width=110)
        title = inner.command_path.removeprefix("python -m bot ")
        yield f"\n{'#' * min(depth, 3)} {title}\n\n```text\n{command.get_help(inner).rstrip()}\n```\n"
        if isinstance(command, click.Group):
            yield from _sections(command, inner, depth + 1)
