"""A Duo of the test's own, for tests of the way to it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.duo_server import Authority, DuoServer, serving


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """The authority that the test's Duo has its certificate of."""
    return Authority(tmp_path_factory.mktemp("duo"))


@pytest.fixture
def server(authority: Authority) -> Iterator[DuoServer]:
    """A Duo."""
    with serving(authority.context()) as running:
        yield running
