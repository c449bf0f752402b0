"""What can go wrong with a call, as one tree.

::

    ServiceError
    ├── InvalidArgument (also ValueError)   found here, before anything was sent
    ├── KeyRefused                          the API key is missing, wrong or revoked
    ├── BalanceTooLow                       the account cannot pay
    ├── NotPermitted                        identity check, or no right to this
    ├── RateLimited                         too many calls; nothing was done
    ├── AudioRefused                        the recording or the prompt clip
    ├── TextRefused                         the text of the trial listening or of the speech
    ├── RequestRefused                      any other refusal
    ├── VoiceNotFound                       expired, never kept, or of another account
    ├── ServerFailed                        the service says that it failed
    ├── ServiceUnreachable                  the request was surely not sent
    └── OutcomeUnknown                      the request was, or may have been, sent; no usable answer came
        └── NonsenseAnswer                  an answer came, and says nothing about the outcome

Messages, hints and representations never hold the API key nor the query part of a URL.
"""

from __future__ import annotations

from typing import ClassVar


class ServiceError(Exception):
    """A call that gave no result.

    Attributes:
        kind: The error's name for machines, kebab-case, the same for every instance of a class.
        message: What happened, in one line; also ``str(error)``.
        hint: What to do next, in one line.
        http_status: Status of the answer, if one came.
        code: MiniMax's own number (``base_resp.status_code`` or the like), if the answer held one.
        reason: The gateway's reason, such as ``NEED_REAL_NAME_VERIFY``, if the answer held one.
        trace_id: What the service's support asks for, if the answer held one.
    """

    kind: ClassVar[str] = "service-error"
    usual_hint: ClassVar[str] = "Try again later."

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        http_status: int | None = None,
        code: int | None = None,
        reason: str | None = None,
        trace_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint or self.usual_hint
        self.http_status = http_status
        self.code = code
        self.reason = reason
        self.trace_id = trace_id


class InvalidArgument(ServiceError, ValueError):
    """An argument breaks the endpoint's contract; nothing was sent.

    Attributes:
        argument: Name of the argument.
    """

    kind = "invalid-argument"
    usual_hint = "Correct the argument; nothing was sent."

    def __init__(self, message: str, *, argument: str = "", hint: str = "") -> None:
        super().__init__(f"{argument}: {message}" if argument else message, hint=hint)
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
    usual_hint = "Check the API key, and that it belongs to the service at this base URL."


class BalanceTooLow(ServiceError):
    """The account cannot pay for the call."""

    kind = "balance-too-low"
    usual_hint = "Top up the account, then try again."


class NotPermitted(ServiceError):
    """The account may not do this: identity not verified, or no right to the voice or the endpoint."""

    kind = "not-permitted"
    usual_hint = "Verify the account's identity with the service, and that it may clone voices."


class RateLimited(ServiceError):
    """Too many calls, or the account's limit is reached; nothing was done.

    Attributes:
        retry_after_s: Seconds after which the service wants to be asked again, if it said so.
    """

    kind = "rate-limited"
    usual_hint = "Wait, then try again: nothing was done, and nothing was charged."
    retry_after_s: float | None = None


class AudioRefused(ServiceError):
    """The service refused the recording or the prompt clip."""

    kind = "audio-refused"
    usual_hint = "Check the recording, mend it, and send it again."


class TextRefused(ServiceError):
    """The service refused the text."""

    kind = "text-refused"
    usual_hint = "Change the text, then try again."


class RequestRefused(ServiceError):
    """The service refused the request for another reason."""

    kind = "request-refused"
    usual_hint = "Check the arguments and the base URL."


class VoiceNotFound(ServiceError):
    """The voice does not exist: it expired before it was kept, or it belongs to another account."""

    kind = "voice-not-found"
    usual_hint = "Check the voice's name and the account; a voice that was not kept in 168 hours must be cloned anew."


class ServerFailed(ServiceError):
    """The service says that it failed."""

    kind = "server-failed"
    usual_hint = "Try again later; look at the account's bill first if the call is one that is charged."


class ServiceUnreachable(ServiceError):
    """No connection could be made: the request was surely not sent.

    Attributes:
        passing: Whether the cause may pass by itself in seconds (name resolution, a refused or late
            connection), unlike a bad certificate.
    """

    kind = "service-unreachable"
    usual_hint = "Check the network, the proxy settings and the base URL; nothing was sent."
    passing: bool = False


class OutcomeUnknown(ServiceError):
    """The request was, or may have been, sent, and no usable answer came: it may have been charged."""

    kind = "outcome-unknown"
    usual_hint = "The call may have been carried out and charged: look at the account's bill before trying again."


class NonsenseAnswer(OutcomeUnknown):
    """An answer came that says nothing about the outcome: HTML, not JSON, or without what was asked for."""

    kind = "nonsense-answer"
