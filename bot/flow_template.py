"""What `flow init` writes: two flows and their tasks, ready to run."""

_FLOWS = """# Flows. The format is that of Celery Director's workflows.yml; see docs/flows.md.

# One task after the other.
example.ETL:
  tasks:
    - EXTRACT
    - TRANSFORM
    - LOAD

# Two tasks side by side, and one that gets the results of both.
example.RANDOMS:
  tasks:
    - BOTH:
        type: group
        tasks:
          - RANDOM
          - RANDOM
    - ADD
"""

_ETL = """from durable.flows import task


@task(name="EXTRACT")
def extract(*args, **kwargs):
    return [1, 2, 3]


@task(name="TRANSFORM")
def transform(*args, **kwargs):
    [numbers] = args
    return [number * 2 for number in numbers]


@task(name="LOAD")
def load(*args, **kwargs):
    [numbers] = args
    return f"{len(numbers)} numbers loaded"
"""

_RANDOMS = """import random

from durable.flows import task


@task(name="RANDOM")
def draw(*args, **kwargs):
    payload = kwargs["payload"]
    return random.randint(payload.get("start", 0), payload.get("end", 10))


@task(name="ADD")
def add(*args, **kwargs):
    return sum(args[0])
"""

FILES = {"workflows.yml": _FLOWS, "tasks/etl.py": _ETL, "tasks/randoms.py": _RANDOMS}
"""Contents by path within the folder."""
