"""The Python blocks of the documentation, run as they stand, one document after the other."""

import pytest
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser

from durable.testing import InlineWorker
from tests.support.documents import DOCUMENTS, ROOT, Document

WITH_PYTHON = [document for document in DOCUMENTS if document.blocks("python")]


@pytest.mark.parametrize("document", WITH_PYTHON, ids=str)
def test_every_python_block_runs(document: Document, database_url: str) -> None:
    parsed = Sybil(parsers=[PythonCodeBlockParser()], path=str(ROOT)).parse(document.path)
    parsed.namespace["database_url"] = database_url
    try:
        for example in parsed.examples():
            example.evaluate()
    finally:
        for value in parsed.namespace.values():
            if isinstance(value, InlineWorker):
                value.close()
                value.database.close()
