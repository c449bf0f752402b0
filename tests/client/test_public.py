from __future__ import annotations

import pickle
import subprocess
import sys

import pytest

import client
from client import call_outcomes, errors


def test_public_names() -> None:
    assert sorted(client.__all__) == sorted(
        [
            "CLONE_MODELS",
            "SPEECH_MODELS",
            "AudioRefused",
            "BalanceTooLow",
            "CloneClient",
            "CloneOptions",
            "ClonedVoice",
            "DownloadFailed",
            "InvalidArgument",
            "KeyRefused",
            "NonsenseAnswer",
            "NotPermitted",
            "OutcomeUnknown",
            "RateLimited",
            "RequestRefused",
            "ServerFailed",
            "ServiceError",
            "ServiceUnreachable",
            "Speech",
            "SpeechRequest",
            "TextRefused",
            "VOICE_LIFETIME",
            "VoiceNotFound",
        ]
    )
    assert all(hasattr(client, name) for name in client.__all__)
    assert set(client.__all__) <= set(dir(client))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = client.Nothing


def test_importing_and_making_a_client_loads_no_http_library() -> None:
    program = """
import sys, client
assert "msgspec" not in sys.modules
client.CloneClient("k").clone_body("https://h/a.wav", client.CloneOptions())
heavy = {"requests", "urllib3", "numpy", "av", "boto3", "preflight", "uploader", "onetake"}
assert not heavy & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def every_error() -> list[type[errors.ServiceError]]:
    found = [errors.ServiceError]
    for kind in found:
        found += kind.__subclasses__()
    return found


def test_each_error_has_its_own_kind_a_hint_and_a_line_in_the_documented_tree() -> None:
    kinds = [error.kind for error in every_error()]
    assert len(set(kinds)) == len(kinds)
    for error in every_error():
        assert error("what").hint
        assert error.__name__ in str(errors.__doc__)


@pytest.mark.parametrize("kind", every_error())
def test_errors_survive_pickling(kind: type[errors.ServiceError]) -> None:
    error = kind("what", hint="why")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert (again.message, again.hint, str(again)) == (error.message, "why", str(error))


def test_an_invalid_argument_keeps_its_argument_when_pickled() -> None:
    again = pickle.loads(pickle.dumps(errors.InvalidArgument("is wrong", argument="text")))
    assert (again.argument, str(again)) == ("text", "text is wrong")


def test_every_documented_code_is_in_the_table() -> None:
    documented = {
        1000, 1001, 1002, 1004, 1008, 1024, 1026, 1027, 1033, 1039, 1041, 1042, 1043, 1044,
        2013, 20132, 2037, 2038, 2039, 2042, 2045, 2048, 2049, 2054, 2056,
    }  # fmt: skip
    assert set(call_outcomes.CODES) == documented
