"""The board of pull requests, as people see it."""

from tests.integration.dashboard.conftest import House


def test_nobody_sees_the_board_without_signing_in(house: House) -> None:
    assert house.anonymous.get("/").status_code == 401
    assert "Pull requests" in house.page("/")
