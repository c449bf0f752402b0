"""The errors of a call, as one tree.

::

    ServiceError
    ├── InvalidArgument (also ValueError)   an argument is not valid; nothing was sent
    ├── KeyRefused                          the API key is missing, wrong or revoked
    ├── BalanceTooLow                       the account cannot pay
    ├── NotPermitted                        identity check, or missing permission
    ├── RateLimited                         too many calls; rejected before any work
    ├── AudioRefused                        the recording or the prompt clip was refused
    ├── TextRefused                         the text of the preview or of the speech was refused
    ├── RequestRefused                      any other refusal
    ├── VoiceNotFound                       expired, never kept, or of another account
    ├── DownloadFailed                      a link led to no audio; downloading is free and can be repeated
    ├── ServiceUnreachable                  the request was not sent
    └── OutcomeUnknown                      the request was, or may have been, sent; its outcome is unknown
        ├── ServerFailed                    the service reports an internal failure
        └── NonsenseAnswer                  the answer says nothing about the outcome

`ServiceError.state` says how the call ended: "not-sent", "refused" or "unknown" (see `client.call_outcomes`). Only an
"unknown" call may have been charged, and every "unknown" error of a paid call is an `OutcomeUnknown`.

Messages, hints and representations contain neither the API key nor the query of a URL.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import ClassVar, Final, Literal

State = Literal["not-sent", "refused", "unknown"]
"""How a call without a result ended."""


class HiddenBytes(bytes):
    """Bytes whose repr hides their content: `vars`, tracebacks and crash reporters print attributes."""

    def __repr__(self) -> str:
        return f"<{len(self)} bytes>"


class ServiceError(Exception):
    """A call without a result.

    Attributes:
        kind: A stable kebab-case name of the class, for programs.
        state: How the call ended: ``not-sent``, ``refused`` (neither is charged), or ``unknown``.
        retryable: Whether the call may be repeated automatically (see `client.call_outcomes`).
        message: What happened, in one line; also ``str(error)``.
        hint: What to do next, in one line.
        service_message: The service's own message, without secrets and control characters; empty if there is none.
        http_status: HTTP status of the answer, if there was one.
        code: The service's own number (``base_resp.status_code`` or the like), if the answer has one.
        reason: The gateway's reason, such as ``NEED_REAL_NAME_VERIFY``, if the answer has one.
        trace_id: The identifier that the service's support asks for, if the answer has one.
        answer_body: The bytes of an answer that could not be used, as they arrived (up to the endpoint's limit). They
            may contain paid audio, and secrets: do not print them.
    """

    kind: ClassVar[str] = "service-error"
    usual_hint: ClassVar[str] = "try again later"
    state: State = "unknown"
    retryable: bool = False

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        http_status: int | None = None,
        code: int | None = None,
        reason: str | None = None,
        trace_id: str | None = None,
        service_message: str = "",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint or self.usual_hint
        self.http_status = http_status
        self.code = code
        self.reason = reason
        self.trace_id = trace_id
        self.service_message = service_message
        self.answer_body: bytes = HiddenBytes()

    def answer_text(self, most: int, without_secrets: Callable[[str], str]) -> str:
        r"""Return the beginning of `answer_body` as text; bytes that are not text become escapes such as ``\xb3``.

        Binary content, such as an answer in an unknown compression, becomes ``base64:`` and its first bytes in base64.

        Args:
            most: The most characters to return.
            without_secrets: Removes secrets from a text.
        """
        from client.encoding import decode, is_text

        content = bytes(self.answer_body[: 4 * most])  # a UTF-8 character has at most 4 bytes
        text = decode(content, "")
        if "\ufffd" in text and not is_text(content):
            clean = without_secrets(content.decode("latin-1")).encode("latin-1")
            return f"base64:{base64.b64encode(clean[: (most - len('base64:')) // 4 * 3]).decode()}"
        if "\ufffd" in text:
            text = content.decode("utf-8", "backslashreplace")
        return without_secrets(text)[:most]


_PREDICATES: Final = ("is ", "has ", "must ", "contains ")
"""A message that starts with one of these continues a sentence that starts with the argument's name."""


class InvalidArgument(ServiceError, ValueError):
    """An argument breaks the endpoint's contract; nothing was sent.

    Attributes:
        argument: Name of the argument.
    """

    kind = "invalid-argument"
    usual_hint = "correct the argument; nothing was sent"
    state = "not-sent"

    def __init__(self, message: str, *, argument: str = "", hint: str = "") -> None:
        between = " " if message.startswith(_PREDICATES) else ": "
        super().__init__(f"{argument}{between}{message}" if argument else message, hint=hint)
        self.argument = argument

    def __reduce__(self) -> tuple[object, ...]:
        return (_same_argument, (type(self), self.message, self.__dict__))


def _same_argument(kind: type[InvalidArgument], message: str, state: dict[str, object]) -> InvalidArgument:
    error = kind(message)
    error.__dict__.update(state)
    return error


class KeyRefused(ServiceError):
    """The API key is missing, wrong or revoked."""

    kind = "key-refused"
    usual_hint = "check the API key, and that it belongs to the service at this base URL"
    state = "refused"


class BalanceTooLow(ServiceError):
    """The account cannot pay for the call."""

    kind = "balance-too-low"
    usual_hint = "top up the account, then try again"
    state = "refused"


class NotPermitted(ServiceError):
    """The account lacks a permission: identity not verified, or no access to the voice or the endpoint."""

    kind = "not-permitted"
    usual_hint = "verify the account's identity with the service, and that it may clone voices"
    state = "refused"


class RateLimited(ServiceError):
    """Too many calls, or the account's limit is reached; rejected before any work.

    Attributes:
        retry_after_s: Seconds after which the service accepts calls again, if the answer says so.
    """

    kind = "rate-limited"
    usual_hint = "wait, then try again: nothing was done, and nothing was charged"
    state = "refused"
    retry_after_s: float | None = None


class AudioRefused(ServiceError):
    """The service refused the recording or the prompt clip."""

    kind = "audio-refused"
    usual_hint = "check the recording, fix it, and send it again"
    state = "refused"


class TextRefused(ServiceError):
    """The service refused the text."""

    kind = "text-refused"
    usual_hint = "change the text, then try again"
    state = "refused"


class RequestRefused(ServiceError):
    """The service refused the request for another reason."""

    kind = "request-refused"
    usual_hint = "check the arguments and the base URL"
    state = "refused"


class VoiceNotFound(ServiceError):
    """The voice does not exist: it expired before it was kept, or it belongs to another account."""

    kind = "voice-not-found"
    usual_hint = "check the voice_id and the account; a voice that was not used within 168 hours must be cloned again"
    state = "refused"


class DownloadFailed(ServiceError):
    """A link led to no audio: it was refused, led to a web page, or the connection failed. Nothing is charged."""

    kind = "download-failed"
    usual_hint = "download it again: that is free"
    state = "refused"


class ServiceUnreachable(ServiceError):
    """No connection could be made, so the request was not sent."""

    kind = "service-unreachable"
    usual_hint = "check the network, the proxy settings and the base URL; nothing was sent"
    state = "not-sent"


class OutcomeUnknown(ServiceError):
    """The request was, or may have been, sent, and there is no usable answer: it may have been charged."""

    kind = "outcome-unknown"
    usual_hint = "the call may have been carried out and charged: check the account's bill before you try again"
    state = "unknown"


class ServerFailed(OutcomeUnknown):
    """The service reports an internal failure, which may have happened after the work was done."""

    kind = "server-failed"


class NonsenseAnswer(OutcomeUnknown):
    """The answer says nothing about the outcome: HTML, not JSON, or JSON without the result.

    Attributes:
        reports_success: Whether it says that the call succeeded, and only lacks the result. A speech call has then
            kept its voice.
    """

    kind = "nonsense-answer"
    reports_success: bool = False
