"""Who asks, from where, and under which address, as far as a request tells and is believed."""

import pytest
from starlette.requests import Request

from bot.access import Access

PUBLIC = "https://bot.acme.com"


def request(client: str | None = "10.0.0.9", scheme: str = "http", **headers: str) -> Request:
    named = [(name.replace("_", "-").lower().encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "scheme": scheme, "headers": named}
    return Request({**scope, "client": client and (client, 1), "server": ("127.0.0.1", 8000)})


@pytest.mark.parametrize(
    ("direct", "named", "public", "expected"),
    [
        ("10.0.0.9", "198.51.100.7", PUBLIC, "198.51.100.7"),
        ("127.0.0.1", "6.6.6.6, 2001:db8::7", PUBLIC, "2001:db8::7"),
        ("10.0.0.9", "198.51.100.7", None, "10.0.0.9"),
        ("8.8.8.8", "198.51.100.7", PUBLIC, "8.8.8.8"),
        ("10.0.0.9", "x" * 60_000, PUBLIC, "10.0.0.9"),
        ("10.0.0.9", "unknown", PUBLIC, "10.0.0.9"),
        ("10.0.0.9", "", PUBLIC, "10.0.0.9"),
        (None, "", PUBLIC, ""),
    ],
)
def test_a_client_is_who_connects_or_whom_a_proxy_of_ours_names_last(
    direct: str | None, named: str, public: str | None, expected: str
) -> None:
    assert Access("token", public_url=public).client_of(request(direct, X_Forwarded_For=named)) == expected


@pytest.mark.parametrize(
    ("origin", "ours"),
    [
        (PUBLIC, True),
        ("http://10.0.0.1:8000", True),
        ("https://BOT.acme.com", True),
        ("https://bot.acme.com.evil.example", False),
        ("https://bot.acme.com:444", False),
        ("null", False),
        ("http://[", False),
        ("", False),
    ],
)
def test_what_a_browser_says_of_its_site_is_held_against_both_of_our_addresses(origin: str, ours: bool) -> None:
    asked = request(Host="10.0.0.1:8000", Origin=origin)
    assert Access("token", public_url=PUBLIC).is_of_another_site(asked) is not ours


def test_the_browsers_own_word_comes_before_that() -> None:
    access = Access("token", public_url=PUBLIC)
    assert access.is_of_another_site(request(Host="bot.acme.com", Origin=PUBLIC, Sec_Fetch_Site="same-site"))
    assert not access.is_of_another_site(request(Host="bot.acme.com", Origin="null", Sec_Fetch_Site="same-origin"))


@pytest.mark.parametrize(
    ("host", "scheme", "forwarded", "public", "expected"),
    [
        ("bot.acme.com", "http", "", PUBLIC, True),
        ("bot.acme.com", "http", "https", "http://bot.acme.com", False),
        ("10.0.0.1", "http", "", PUBLIC, False),
        ("10.0.0.1", "http", "https, http", None, True),
        ("10.0.0.1", "https", "", None, True),
    ],
)
def test_a_cookie_is_kept_to_tls_where_the_browser_speaks_it(
    host: str, scheme: str, forwarded: str, public: str | None, expected: bool
) -> None:
    asked = request(scheme=scheme, Host=host, X_Forwarded_Proto=forwarded)
    assert Access("token", public_url=public).is_https(asked) is expected
