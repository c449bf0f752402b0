"""One paid request: sent once, answered in full or explained."""

from __future__ import annotations

from client.answers import Answer
from client.connection import Bearer
from client.errors import OutcomeUnknown, ServiceError, ServiceUnreachable
from client.text import decompress
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
        ServiceUnreachable: The request was certainly not sent.
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
            return _answer(head, *_take(exchange, largest), largest, (key, *secrets))
    # Raised out here, so that the network library's errors are not its context.
    raise failure


def _take(exchange: Exchange, largest: int) -> tuple[bytearray, str]:
    # Grows in place: neither a list of pieces nor a copy of the whole is ever held.
    body = bytearray()
    try:
        for chunk in exchange.chunks():
            body += chunk
            if len(body) > largest:
                del body[largest:]
                return body, f"the answer is larger than {largest:,} bytes"
    except NoAnswer as problem:
        return body, problem.why
    return body, ""


def _answer(head: Head, body: bytearray, missing: str, largest: int, secrets: tuple[str, ...]) -> Answer:
    # Here and not in the HTTP library, which gives nothing of a compressed body that is damaged or wrongly declared.
    body, problem = decompress(body, head.headers.get("content-encoding", ""), largest)
    return Answer(head.status, head.headers, body, missing or problem, secrets)


def _failure(problem: NoAnswer) -> ServiceError:
    if problem.sent:
        return OutcomeUnknown(f"the request was or may have been sent, and {problem.why}")
    unreachable = ServiceUnreachable(f"the service was not reached: {problem.why}; nothing was sent", hint=problem.hint)
    unreachable.retryable = problem.may_pass
    return unreachable
