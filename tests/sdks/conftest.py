"""What the tests of Duo's SDKs share: an authority, a running SDK of each language, a simulator a test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime

import pytest

from countersign.simulator.certificates import Certificates, certificates
from tests.sdks.duo import Duo, duo_for
from tests.sdks.sdk import LANGUAGES, Sdk, running


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Certificates of the simulators, whose authority the SDKs trust."""
    return certificates(tmp_path_factory.mktemp("simulator"), now=datetime.now(UTC))


@pytest.fixture(scope="session", params=LANGUAGES)
def sdk(
    request: pytest.FixtureRequest,
    files: Certificates,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Sdk]:
    """Duo's SDK of a language."""
    directory = tmp_path_factory.mktemp(request.param)
    with running(request.param, directory, files.authority) as found:
        yield found


@pytest.fixture
async def duo(sdk: Sdk, files: Certificates) -> AsyncIterator[Duo]:
    """A simulator for the SDK, with Alice who approves."""
    async with duo_for(sdk, files) as found:
        yield found
