"""The real storage that these tests run against, and an environment without the user's own."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, TypedDict

import botocore.loaders
import botocore.session
import pytest

from onetake.sandbox.s3_server import SandboxStorage
from onetake.sandbox.seaweedfs import Identity
from tests.support.odd_storage import OddStorage, Rule
from tests.support.scripted_storage import ScriptedServer
from uploader import Storage, StorageSettings

SECRET = "scripted-secret-0123456789"
READER = Identity("reader", "READERREADERREADER", "reader-secret-0123456789", ("Read", "List"))


class Form(TypedDict):
    content_type: str
    suffix: str


M4A: Form = {"content_type": "audio/mp4", "suffix": ".m4a"}
MakeStorage = Callable[..., Storage]
MakeScripted = Callable[..., Storage]


@pytest.fixture(scope="session", autouse=True)
def shared_service_models() -> Iterator[None]:
    """Parse botocore's model of S3 once: each session has a loader of its own, and a model takes 0.1 s of CPU."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.session, "create_loader", cache(botocore.loaders.create_loader))
        yield


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxStorage]:
    with SandboxStorage(tmp_path_factory.mktemp("seaweedfs"), identities=[READER]) as storage:
        yield storage


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith("AWS_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def make_storage(sandbox: SandboxStorage) -> MakeStorage:
    """Create a Storage at the real service, with some settings replaced."""

    def make(*, budget_s: float = 120, **changes: Any) -> Storage:
        known: dict[str, Any] = {
            "bucket": sandbox.bucket,
            "provider": "seaweedfs",
            "endpoint": sandbox.endpoint,
            "access_key_id": sandbox.access_key_id,
            "secret_access_key": sandbox.secret_access_key,
            "public_only": False,
        }
        return Storage(StorageSettings(**{**known, **changes}), budget_s=budget_s)

    return make


@pytest.fixture
def behind(sandbox: SandboxStorage, make_storage: MakeStorage) -> Any:
    """A storage behind a front with some rules; both end with the block."""

    @contextmanager
    def make(
        *rules: Rule, settings: dict[str, Any] | None = None, **front: Any
    ) -> Iterator[tuple[Storage, OddStorage]]:
        with OddStorage(sandbox.endpoint, *rules, **front) as odd:
            yield make_storage(endpoint=odd.endpoint, **(settings or {})), odd

    return make


@pytest.fixture
def storage(make_storage: MakeStorage) -> Storage:
    return make_storage()


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        yield server


@pytest.fixture
def make_scripted() -> MakeScripted:
    """Create a Storage at a scripted server, with a budget of a few seconds."""

    def make(
        server: ScriptedServer,
        *,
        budget_s: float = 6,
        read_timeout_s: float = 30,
        delete_timeout_s: float = 30,
        **more: Any,
    ) -> Storage:
        known: dict[str, Any] = {
            "bucket": "takes",
            "provider": "custom",
            "endpoint": server.endpoint,
            "access_key_id": "SCRIPTEDKEY",
            "secret_access_key": SECRET,
            "public_only": False,
        }
        settings = StorageSettings(**{**known, **more})
        return Storage(
            settings,
            budget_s=budget_s,
            read_timeout_s=read_timeout_s,
            connect_timeout_s=20,
            delete_timeout_s=delete_timeout_s,
        )

    return make


@pytest.fixture
def take(tmp_path: Path) -> Path:
    path = tmp_path / "take.m4a"
    path.write_bytes(os.urandom(300_000))
    return path
