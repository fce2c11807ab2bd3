from durable.flows import task


@task(name="TASK_ERROR")
def divide_by_nothing(*args: object, **kwargs: object) -> object:
    return 1 / 0


@task(name="TASK_CELERY_ERROR")
def what_no_json_can_hold(*args: object, **kwargs: object) -> object:
    return object()
