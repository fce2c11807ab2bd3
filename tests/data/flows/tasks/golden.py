from durable.flows import task


@task(name="KEEP")
def keep(*args: object, **kwargs: object) -> object:
    return list(args)


@task(name="FAR")
def far(*args: object, **kwargs: object) -> object:
    return kwargs["payload"]


@task(name="BREAK")
def break_(*args: object, **kwargs: object) -> object:
    raise OSError("broken")
