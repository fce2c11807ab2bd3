import time

from durable.flows import task


@task(name="DELAY")
def takes_minutes(*args: object, **kwargs: object) -> object:
    time.sleep(300)
