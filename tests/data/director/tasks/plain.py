from durable.flows import task


@task(name="TASK_EXAMPLE")
def example(*args: object, **kwargs: object) -> object:
    return "task_example"


@task(name="TASK_A")
def first(*args: object, **kwargs: object) -> object:
    return "task_a"


@task(name="TASK_B")
def second(*args: object, **kwargs: object) -> object:
    return "task_b"


@task(name="TASK_C")
def third(*args: object, **kwargs: object) -> object:
    return "task_c"
