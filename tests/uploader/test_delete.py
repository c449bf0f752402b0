"""Deletes that get no answer, or are not carried out."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.scripted_storage import Answer, ScriptedServer
from tests.uploader.conftest import M4A, MakeScripted
from uploader import StorageFailed, Unreachable


def test_a_delete_without_an_answer_ends_early_and_stops_the_next_ones(
    server: ScriptedServer, make_scripted: MakeScripted, take: Path
) -> None:
    storage = make_scripted(server, budget_s=120, read_timeout_s=120, delete_timeout_s=0.3)
    upload = storage.upload(take, **M4A)
    server.script["DELETE object"].extend([Answer(204, wait_s=60)] * 20)
    with pytest.raises(Unreachable, match="stopped answering"):
        storage.delete(upload)
    tries = len(server.requests)
    with pytest.raises(Unreachable, match="did not answer an earlier delete"):
        storage.delete(upload)
    assert len(server.requests) == tries
    server.script["DELETE object"].clear()
    make_scripted(server).delete(upload)  # by the next run
    assert server.objects == {}


def test_an_object_that_stays_after_a_delete_is_reported(
    server: ScriptedServer, make_scripted: MakeScripted, take: Path
) -> None:
    storage = make_scripted(server, budget_s=0.1)
    upload = storage.upload(take, **M4A)
    server.script["DELETE object"].extend([Answer(204)] * 3)
    with pytest.raises(StorageFailed, match="still in bucket"):
        storage.delete(upload)
