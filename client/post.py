"""One paid request: sent once, answered in full or explained."""

from __future__ import annotations

from client.answers import Answer
from client.connection import Bearer
from client.errors import OutcomeUnknown, ServiceError, ServiceUnreachable
from client.transport import Exchange, Head, NoAnswer, Outgoing


def post(
    url: str,
    key: str,
    content: bytes,
    timeouts_s: tuple[float, float],
    largest: int,
    secrets: tuple[str, ...] = (),
) -> Answer:
    """Send a JSON body once and take the answer, whatever its status.

    Args:
        url: The endpoint.
        key: The API key.
        content: The JSON body.
        timeouts_s: Seconds for connecting, and for everything.
        largest: Bytes of answer that are taken.
        secrets: Besides the key, what must not be shown though the server may echo it.

    Raises:
        ServiceUnreachable: The request was surely not sent.
        OutcomeUnknown: It was or may have been sent, and not even a status came.
    """
    outgoing = Outgoing(url, Bearer(key), content)
    connect_s, total_s = timeouts_s
    failure: ServiceError
    with Exchange(outgoing, connect_timeout_s=connect_s, total_timeout_s=total_s) as exchange:
        try:
            head = exchange.head()
        except NoAnswer as problem:
            failure = _failure(problem)
        else:
            body, missing = _take(exchange, largest)
            return _answer(head, body, missing, (key, *secrets))
    # Raised out here, so that the errors of the wire do not hang on it as context.
    raise failure


def _take(exchange: Exchange, largest: int) -> tuple[bytes, str]:
    body = bytearray()
    try:
        for chunk in exchange.chunks():
            body += chunk
            if len(body) > largest:
                return bytes(body[:largest]), f"the answer is larger than {largest:,} bytes"
    except NoAnswer as problem:
        return bytes(body), problem.why
    return bytes(body), ""


def _answer(head: Head, body: bytes, missing: str, secrets: tuple[str, ...]) -> Answer:
    return Answer(status=head.status, headers=head.headers, body=body, missing=missing, secrets=secrets)


def _failure(problem: NoAnswer) -> ServiceError:
    if problem.sent:
        return OutcomeUnknown(f"the request was or may have been sent, and {problem.why}")
    unreachable = ServiceUnreachable(f"the service was not reached: {problem.why}; nothing was sent")
    unreachable.retryable = problem.passing
    return unreachable
