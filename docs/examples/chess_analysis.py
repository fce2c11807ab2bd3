"""Analyse chess positions in the background: POST /analyze gives an id, GET /analysis?id= answers pending, then done.

    python -m docs.examples.chess_analysis DATABASE_URL [FILE [PORT]]

Needs `chess` beside what Vigil needs.
"""

import hashlib
import re
import signal
import sys
from contextlib import ExitStack, suppress
from pathlib import Path

import chess
import click
import uvicorn
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel
from sqlalchemy.exc import SQLAlchemyError

from durable import activity, workflow
from durable.client import Client
from durable.errors import WorkflowIdTaken
from durable.postgres import Database
from durable.postgres.migrate import upgrade
from durable.worker import Worker

WORKERS = 4
DEEPEST = 5
OUR_ID = re.compile("chess:[0-9a-f]{16}")


@activity(timeout=600)
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


def legal(fen: str) -> chess.Board:
    """The position. Raises `ValueError` that says what is wrong with it."""
    board = chess.Board(fen)
    if not board.is_valid():
        raise ValueError(f"no legal position ({board.status().name}): {fen!r}")
    return board


def begin(client: Client, board: chess.Board) -> str:
    """Have a position analysed, once: its id is a digest of it. Returns the id."""
    workflow_id = f"chess:{hashlib.sha256(board.epd().encode()).hexdigest()[:16]}"
    with suppress(WorkflowIdTaken):  # it was analysed before
        client.start(analyze, board.fen(), workflow_id=workflow_id, reuse="reject")
    return workflow_id


class Position(BaseModel):
    """The body of POST /analyze."""

    fen: str


def create_app(client: Client) -> FastAPI:
    """The two routes."""
    app = FastAPI()

    @app.post("/analyze", status_code=202)
    def start(position: Position) -> dict[str, str]:
        try:
            return {"id": begin(client, legal(position.fen))}
        except ValueError as problem:
            raise HTTPException(422, str(problem)[:300]) from problem

    @app.get("/analysis")
    def analysis(id: str) -> dict[str, object]:  # noqa: A002 - the query's name
        found = client.describe_all([id]).get(id) if OUR_ID.fullmatch(id) else None
        if found is None:
            raise HTTPException(404, f"no analysis has the id {id[:100]!r}")
        if found.state == "completed":
            return {"status": "done", "mate": found.result}
        if found.state in ("failed", "cancelled", "terminated"):
            return {"status": found.state, "reason": found.reason}
        return {"status": "pending"}

    return app


def read_positions(file: Path) -> list[chess.Board]:
    """A position a line, without empty ones. Raises `click.ClickException` that names every line that has none."""
    boards, wrong = [], []
    for number, line in enumerate(file.read_text(encoding="utf-8-sig", errors="replace").splitlines(), start=1):
        try:
            boards += [legal(line.strip())] if line.strip() else []
        except ValueError as problem:
            wrong.append(f"{file}:{number}: {problem}")
    if wrong:
        raise click.ClickException("\n".join(wrong))
    return boards


@click.command()
@click.argument("database_url")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=False)
@click.argument("port", type=click.IntRange(1, 65535), default=8001)
def main(database_url: str, file: Path | None, port: int) -> None:
    """Analyse chess positions with four workers, and serve POST /analyze and GET /analysis on PORT (8001). FILE holds a
    position (FEN) a line; they are analysed from the start."""
    boards = read_positions(file) if file else []
    try:
        database = Database(database_url, pool_size=20)
        upgrade(database)
    except SQLAlchemyError as problem:
        raise click.ClickException(str(problem).splitlines()[0]) from problem
    with ExitStack() as stack:
        stack.callback(database.close)
        for board in boards:
            click.echo(f"{begin(Client(database), board)} {board.fen()}")
        workers = [Worker(database, workflows=[analyze], slots=1) for _ in range(WORKERS)]
        for worker in workers:
            worker.start()
            stack.callback(worker.stop)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # after uvicorn has ended, so that the workers end, too
        uvicorn.run(create_app(Client(database, hint=workers[0].hint)), port=port, access_log=False)


if __name__ == "__main__":
    main()
