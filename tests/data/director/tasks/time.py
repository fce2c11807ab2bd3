import time

from durable.flows import task


@task(name="DELAY")
def takes_minutes(*args: object, **kwargs: object) -> None:
    time.sleep(300)
