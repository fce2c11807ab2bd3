from durable.flows import task

PYTHONISTAS = {"jack": 4098, "sape": 4139, "guido": 4127}


@task(name="STR")
def text(*args: object, **kwargs: object) -> object:
    return "return_value"


@task(name="INT")
def number(*args: object, **kwargs: object) -> object:
    return 1234


@task(name="LIST")
def names(*args: object, **kwargs: object) -> object:
    return list(PYTHONISTAS)


@task(name="NONE")
def nothing(*args: object, **kwargs: object) -> object:
    return None


@task(name="DICT")
def mapping(*args: object, **kwargs: object) -> object:
    return {"foo": "bar"}


@task(name="NESTED")
def nested(*args: object, **kwargs: object) -> object:
    return PYTHONISTAS | {"nested": mapping(), "none": nothing(), "list": names()}
