"""The Python blocks of the documentation, run as they stand, one document after the other; its YAML goes into `folder`."""

from pathlib import Path

import pytest
from sybil import Example, Sybil
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser
from sybil.typing import Parser

from durable.testing import InlineWorker
from tests.support.documents import DOCUMENTS, ROOT, Document

WITH_PYTHON = [document for document in DOCUMENTS if document.blocks("python")]


@pytest.mark.parametrize("document", WITH_PYTHON, ids=str)
def test_every_python_block_runs(document: Document, database_url: str, tmp_path: Path) -> None:
    parsers: list[Parser] = [PythonCodeBlockParser(), CodeBlockParser(language="yaml", evaluator=write_yaml)]
    parsed = Sybil(parsers=parsers, path=str(ROOT)).parse(document.path)
    parsed.namespace |= {"database_url": database_url, "folder": tmp_path}
    try:
        for example in parsed.examples():
            example.evaluate()
    finally:
        for value in parsed.namespace.values():
            if isinstance(value, InlineWorker):
                value.close()
                value.database.close()


def write_yaml(example: Example) -> None:
    """Each block becomes a file, so that the blocks of Python after it can read it."""
    folder: Path = example.namespace["folder"]
    (folder / f"line{example.line}.yml").write_text(example.parsed, encoding="utf-8")
