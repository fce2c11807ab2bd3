"""Analyse chess positions in the background: POST /analyze gives an id, GET /analysis?id= answers pending, then done.

    python -m docs.examples.chess_analysis DATABASE_URL [FILE [PORT]]

FILE holds a position (FEN) a line, analysed from the start. Needs `chess` beside what Vigil needs.
"""

import hashlib
import sys
from contextlib import suppress
from pathlib import Path

import chess
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

from durable import activity, workflow
from durable.client import Client
from durable.errors import WorkflowIdTaken
from durable.postgres import Database
from durable.postgres.migrate import upgrade
from durable.worker import Worker

WORKERS = 4
DEEPEST = 5


@activity(timeout=60)
def find_mate(fen: str) -> list[str] | None:
    """The shortest forced mate of at most `DEEPEST` half-moves, as moves like `c2c1`; None without one."""
    board = chess.Board(fen)
    return next((line for depth in range(1, DEEPEST + 1, 2) if (line := _mate_in(board, depth))), None)


@workflow
def analyze(fen: str) -> list[str] | None:
    """Analyse one position."""
    return find_mate(fen)


def _mate_in(board: chess.Board, depth: int) -> list[str] | None:
    """A line that mates in `depth` half-moves whatever the other side does; its longest defence."""
    for move in list(board.legal_moves):
        board.push(move)
        line: list[str] | None = [] if board.is_checkmate() else _answers(board, depth - 1)
        board.pop()
        if line is not None:
            return [move.uci(), *line]
    return None


def _answers(board: chess.Board, depth: int) -> list[str] | None:
    longest: list[str] | None = None
    for answer in list(board.legal_moves) if depth > 0 else []:
        board.push(answer)
        line = _mate_in(board, depth - 1)
        board.pop()
        if line is None:
            return None
        longest = max(longest or [], [answer.uci(), *line], key=len)
    return longest


class Position(BaseModel):
    """The body of POST /analyze."""

    fen: str


def create_app(client: Client) -> FastAPI:
    """The two routes. A position asked for twice is one analysis: its id is a digest of it."""
    app = FastAPI()

    @app.post("/analyze", status_code=202)
    def start(position: Position) -> dict[str, str]:
        return {"id": begin(client, position.fen)}

    @app.get("/analysis")
    def analysis(id: str) -> dict[str, object]:  # noqa: A002 - the query's name
        found = client.describe(id)
        done = found.state == "completed"
        return {"status": "done", "mate": found.result} if done else {"status": "pending"}

    return app


def begin(client: Client, fen: str) -> str:
    """Have a position analysed, once; returns its id. Raises `ValueError` for what is no position."""
    board = chess.Board(fen)
    workflow_id = f"chess:{hashlib.sha256(board.fen().encode()).hexdigest()[:16]}"
    with suppress(WorkflowIdTaken):  # it was analysed before
        client.start(analyze, board.fen(), workflow_id=workflow_id, reuse="reject")
    return workflow_id


def main(database_url: str, file: str | None = None, port: str = "8001") -> None:
    """Serve, with four workers."""
    database = Database(database_url, pool_size=20)
    upgrade(database)
    workers = [Worker(database, workflows=[analyze], slots=1) for _ in range(WORKERS)]
    for worker in workers:
        worker.start()
    client = Client(database, hint=workers[0].hint)
    for fen in Path(file).read_text(encoding="utf-8").splitlines() if file else []:
        begin(client, fen)
    uvicorn.run(create_app(client), port=int(port), log_level="warning")
    for worker in workers:
        worker.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
