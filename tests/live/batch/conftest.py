"""An S3 server of this machine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture(scope="module")
def s3_server() -> Iterator[None]:
    """An S3 server; the environment names it, and what it accepts, also for processes that are started later."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_DEFAULT_REGION", "us-east-1"),
            ("AWS_ENDPOINT_URL", f"http://{host}:{port}"),
        ):
            patch.setenv(name, value)
        yield
    server.stop()


@pytest.fixture
def bucket(s3_server: None) -> Iterator[Any]:
    """The fsspec file system with an empty bucket `films`."""
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()
    system = s3fs.S3FileSystem(use_listings_cache=False)
    system.makedirs("films", exist_ok=True)
    yield system
    system.rm("films", recursive=True)
    s3fs.S3FileSystem.clear_instance_cache()
