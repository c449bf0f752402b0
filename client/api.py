"""The client: clone a voice, synthesize speech, download audio."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO, Final
from urllib.parse import urlsplit

import msgspec

from client.addresses import is_loopback
from client.arguments import AUDIO_ENDINGS, check_number, check_text, check_url
from client.errors import InvalidArgument
from client.redaction import secrets_of_url, without_secrets
from client.results import speech_from, voice_from
from client.retry import OnRetry, RetryPolicy
from client.speech import Speech, SpeechRequest
from client.voice_clone import ClonedVoice, CloneOptions

if TYPE_CHECKING:
    from client.answers import Answer
    from client.download import Progress

DEFAULT_BASE_URL: Final = "https://api.highwayapi.ai"
CLONE_PATH: Final = "/v3/minimax-voice-cloning"
# A voice_id may follow a preview that is in the answer itself, instead of a link to it.
_LARGEST_CLONE_ANSWER: Final = 32 * 1024 * 1024
_LARGEST_SPEECH_ANSWER: Final = 128 * 1024 * 1024


class CloneClient:
    """The clone and T2A endpoints of one service, for one account. Safe to share between threads.

    Every call has a deadline. A call is repeated, at most 3 times, only if the request was not sent or a rate limit
    rejected it; a rate limit pauses all calls of the client. Redirects of paid calls are not followed. The table in
    `client.call_outcomes` decides how each answer is settled.

    Args:
        api_key: The account's key; sent to ``base_url`` only.
        base_url: The service's URL, https unless it is on this machine; a trailing ``/v3`` is removed.
        connect_timeout_s: Seconds for establishing a connection.
        clone_timeout_s: Seconds for a whole clone call; users report 5 to 30 s.
        speech_timeout_s: Seconds for a whole T2A call.
        retry_budget_s: Seconds from the first try within which the last one must begin; 0 for a single try.
        on_retry: Called with the pause in seconds and the error before each pause that ends with another try.
        on_limit: Called with the pause in seconds and the error for every answer that is a rate limit, also if the
            call is not repeated: use it to pause other users of the account.

    Raises:
        InvalidArgument: An argument is not valid, or the key would be sent unencrypted.

    >>> CloneClient("key", "https://api.example/v3/")
    CloneClient(base_url='https://api.example', api_key=***)
    """

    def __init__(
        self,
        api_key: str,
        base_url: str = DEFAULT_BASE_URL,
        *,
        connect_timeout_s: float = 20,
        clone_timeout_s: float = 180,
        speech_timeout_s: float = 120,
        retry_budget_s: float = 60,
        on_retry: OnRetry | None = None,
        on_limit: OnRetry | None = None,
    ) -> None:
        self._key = _checked_key(api_key)
        self.base_url = checked_base_url(base_url)
        for name, seconds in (
            ("connect_timeout_s", connect_timeout_s),
            ("clone_timeout_s", clone_timeout_s),
            ("speech_timeout_s", speech_timeout_s),
        ):
            check_number(name, seconds, least=0.001, most=86_400)
        check_number("retry_budget_s", retry_budget_s, least=0, most=86_400)
        self._connect_s = float(connect_timeout_s)
        self._clone_s = float(clone_timeout_s)
        self._speech_s = float(speech_timeout_s)
        self._retry = RetryPolicy(float(retry_budget_s), on_retry, on_limit)

    def __repr__(self) -> str:
        return f"CloneClient(base_url={self.base_url!r}, api_key=***)"

    def clone(
        self, audio_url: str, options: CloneOptions | None = None, prompt_audio_url: str | None = None
    ) -> ClonedVoice:
        """Clone the voice of a recording. Costs money if it succeeds, and possibly if its answer is lost.

        Args:
            audio_url: A public URL of the recording whose path ends in .mp3, .m4a or .wav.
            options: Options of the request.
            prompt_audio_url: A public URL of the prompt clip; only together with ``options.prompt_text``.

        Returns:
            The new voice. The service deletes it after 168 hours unless a T2A call uses it.

        Raises:
            InvalidArgument: An argument breaks the contract; nothing was sent.
            ServiceUnreachable: The request was not sent.
            OutcomeUnknown: The voice may have been created and charged.
            KeyRefused, BalanceTooLow, NotPermitted, RateLimited, AudioRefused, TextRefused, RequestRefused: The service
                refused the call; it was not charged.
        """
        body = self.clone_body(audio_url, options, prompt_audio_url)
        secrets = [*secrets_of_url(audio_url), *secrets_of_url(prompt_audio_url)]
        return self._retry.call(
            lambda: voice_from(
                self._post(CLONE_PATH, body, secrets, self._clone_s, _LARGEST_CLONE_ANSWER), self.base_url + CLONE_PATH
            )
        )

    def clone_body(
        self, audio_url: str, options: CloneOptions | None = None, prompt_audio_url: str | None = None
    ) -> dict[str, Any]:
        """Build the JSON body that `clone` would send, without the fields that are not set.

        Raises:
            InvalidArgument: An argument breaks the contract.

        >>> CloneClient("key").clone_body("https://storage.example/take.mp3", CloneOptions(accuracy=0.8))
        {'audio_url': 'https://storage.example/take.mp3', 'accuracy': 0.8}
        """
        options = options or CloneOptions()
        check_url("audio_url", audio_url, endings=AUDIO_ENDINGS)
        body: dict[str, Any] = {"audio_url": audio_url}
        if (prompt_audio_url is None) != (options.prompt_text is None):
            lacking = "prompt_audio_url" if prompt_audio_url is None else "prompt_text"
            raise InvalidArgument("a prompt needs both the clip's URL and its text", argument=lacking)
        if prompt_audio_url is not None:
            check_url("prompt_audio_url", prompt_audio_url, endings=AUDIO_ENDINGS)
            body["clone_prompt"] = {"prompt_audio_url": prompt_audio_url, "prompt_text": options.prompt_text}
        for name in ("text", "model", "accuracy"):
            if (value := getattr(options, name)) is not None:
                body[name] = value
        for name in ("need_noise_reduction", "need_volume_normalization"):
            if getattr(options, name):
                body[name] = True
        return body

    def synthesize(self, request: SpeechRequest) -> Speech:
        """Read a text with a voice, which also keeps the voice permanently. Costs money.

        Raises:
            VoiceNotFound: The voice expired, or belongs to another account.
            ServiceUnreachable: The request was not sent.
            OutcomeUnknown: The speech may have been made and charged; `answer_body` has what arrived.
            KeyRefused, BalanceTooLow, NotPermitted, RateLimited, TextRefused, RequestRefused: The service refused the
                call; it was not charged.
        """
        path, body = f"/v3/minimax-{request.model}", request.body()
        return self._retry.call(
            lambda: speech_from(
                self._post(path, body, [], self._speech_s, _LARGEST_SPEECH_ANSWER), self.base_url + path
            )
        )

    def download(
        self,
        url: str,
        binary_file: BinaryIO,
        max_bytes: int = 50_000_000,
        timeout_s: float = 60,
        *,
        wait_s: float = 20,
        progress: Progress | None = None,
    ) -> int:
        """Download a preview or a speech from its link, without the API key. Free, and harmless to repeat.

        Links may answer 403 or 404 for some time after the service has returned them. Those answers, 5xx, and failed
        connections are retried with growing pauses. Bytes that a failed try wrote are removed first, so a retry after
        the first byte needs a seekable file.

        Args:
            url: An http or https link from the service's answer. Unless ``base_url`` is on this machine, neither the
                link nor a redirect may lead to this machine or a private network.
            binary_file: The file to write to, opened in binary mode; after an error it may contain a part.
            max_bytes: The most bytes to write.
            timeout_s: Seconds for one try.
            wait_s: Seconds from the first try within which the last one must begin; 0 for a single try.
            progress: Called with the bytes written so far and the total, or None if the total is unknown; an exception
                that it raises ends the download.

        Returns:
            The number of bytes written.

        Raises:
            InvalidArgument: The link is not http, or leads to a private address.
            DownloadFailed: The link was refused, leads to no audio or too much of it, or the connection failed.
            OSError: The file cannot be written.
        """
        from client.download import DownloadRequest, download  # here, so that the first call loads the HTTP library

        check_number("max_bytes", max_bytes, least=1, whole=True)
        check_number("timeout_s", timeout_s, least=0.001, most=86_400)
        check_number("wait_s", wait_s, least=0, most=86_400)
        request = DownloadRequest(
            url=url,
            max_bytes=max_bytes,
            timeouts_s=(min(self._connect_s, timeout_s), float(timeout_s)),
            wait_s=float(wait_s),
            allow_private=is_loopback(urlsplit(self.base_url).hostname),
            key=self._key,
            progress=progress,
            on_retry=self._retry.on_retry,
        )
        return download(request, binary_file)

    def without_secrets(self, text: str, *links: str | None) -> str:
        """Replace the API key and the secret parts of `links` in a text that is to be stored.

        Other URLs are not changed: a demo link without its query cannot be downloaded.

        >>> link = "https://h/take.mp3?X-Signature=0123456789abcdef"
        >>> CloneClient("sk-1234").without_secrets(f"sk-1234 asked for {link}", link)
        '*** asked for https://h/take.mp3?***'
        """
        return without_secrets(text, [self._key, *(secret for link in links for secret in secrets_of_url(link))])

    def _post(self, path: str, body: dict[str, Any], secrets: list[str], total_s: float, largest: int) -> Answer:
        from client.transport import post  # here, so that the first call loads the HTTP library

        content = msgspec.json.encode(body)
        timeouts = (min(self._connect_s, total_s), total_s)
        return post(self.base_url + path, self._key, content, timeouts, largest, tuple(secrets))


def _checked_key(key: object) -> str:
    if not isinstance(key, str) or not key:
        raise InvalidArgument("is empty", argument="api_key", hint="give the API key of your account")
    # http.client encodes headers as Latin-1, and raises an exception that quotes the value if it cannot.
    if not key.isprintable() or any(character.isspace() or ord(character) > 255 for character in key):
        raise InvalidArgument(
            "contains spaces, line breaks or characters that a header cannot contain",
            argument="api_key",
            hint="copy the key again, without quotes or line breaks",
        )
    return key


def checked_base_url(url: str) -> str:
    """Return the URL of a service as `CloneClient` uses it: without a final slash or ``/v3``.

    Raises:
        InvalidArgument: It is not https, or contains a query or a user name.
    """
    check_text("base_url", url, 2000)
    parts = check_url("base_url", url)
    if parts.query or parts.fragment or parts.username is not None or parts.password is not None:
        raise InvalidArgument("must contain neither a query nor a user name", argument="base_url")
    if parts.scheme != "https" and not is_loopback(parts.hostname):
        raise InvalidArgument(
            "must be https: the API key would be sent unencrypted", argument="base_url", hint="use https://…"
        )
    # The gateways' pages show the URL with /v3, which is part of the paths here.
    path = parts.path.rstrip("/")
    return urlsplit(url)._replace(path=path.removesuffix("/v3").rstrip("/")).geturl()
