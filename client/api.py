"""The client: clone a voice, speak with it, fetch what was made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO, Final
from urllib.parse import urlsplit

import msgspec

from client.addresses import is_loopback
from client.arguments import AUDIO_ENDINGS, check_number, check_text, check_url
from client.clone_answer import voice_in
from client.clone_types import ClonedVoice, CloneOptions
from client.errors import InvalidArgument
from client.redaction import secrets_of_url
from client.retry import OnPause, Retry
from client.speech_answer import speech_in
from client.speech_types import Speech, SpeechRequest

if TYPE_CHECKING:
    from client.answers import Answer
    from client.download import Progress

DEFAULT_BASE_URL: Final = "https://api.highwayapi.ai"
CLONE_PATH: Final = "/v3/minimax-voice-cloning"
_LARGEST_CLONE_ANSWER: Final = 1_000_000
_LARGEST_SPEECH_ANSWER: Final = 128 * 1024 * 1024


class CloneClient:
    """The clone and T2A endpoints of one service, for one account.

    Every call has a deadline. A call is repeated, at most 3 times, only when the request was certainly not sent or a
    rate limit rejected it; a rate limit pauses all calls of the client. Redirects are not followed. One instance may
    be used by several threads. `client.settlement` says how each answer is settled.

    Args:
        api_key: The account's key; sent to ``base_url`` only.
        base_url: The service, https unless it is on this machine.
        connect_timeout_s: Seconds for making a connection.
        clone_timeout_s: Seconds for a whole clone call, answer included; a clone is known to take 5 to 30 s.
        speech_timeout_s: Seconds for a whole T2A call, answer included.
        retry_budget_s: Seconds from the first try within which the last one must begin; 0 for a single try.
        on_retry: Called with the pause in seconds and the error, before each pause that ends with another try.
        on_limit: Called with the pause in seconds and the error for every answer that is a rate limit, also when it is
            not retried: a place to pause what else uses the account.

    Raises:
        InvalidArgument: An argument is not valid, or the key would travel unencrypted.
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
        on_retry: OnPause | None = None,
        on_limit: OnPause | None = None,
    ) -> None:
        self._key = _checked_key(api_key)
        self.base_url = _checked_base_url(base_url)
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
        self._retry = Retry(float(retry_budget_s), on_retry, on_limit)

    def __repr__(self) -> str:
        return f"CloneClient(base_url={self.base_url!r}, api_key=***)"

    def clone(
        self, audio_url: str, options: CloneOptions | None = None, prompt_audio_url: str | None = None
    ) -> ClonedVoice:
        """Clone the voice of a recording. Costs money when it succeeds, and possibly when its answer is lost.

        Args:
            audio_url: Where the service can fetch the recording; its path ends in .mp3, .m4a or .wav.
            options: What else is asked for.
            prompt_audio_url: Where it can fetch the prompt clip; only together with ``options.prompt_text``.

        Returns:
            The new voice, which lives 168 hours unless a T2A call uses it.

        Raises:
            InvalidArgument: Nothing was sent.
            OutcomeUnknown: The voice may have been made and charged.
            ServiceError: The other branches of `client.errors`.
        """
        body = self.clone_body(audio_url, options, prompt_audio_url)
        secrets = [*secrets_of_url(audio_url), *secrets_of_url(prompt_audio_url)]

        def attempt() -> ClonedVoice:
            answer = self._post(CLONE_PATH, body, secrets, self._clone_s, _LARGEST_CLONE_ANSWER)
            return voice_in(answer)

        return self._retry.call(attempt)

    def clone_body(
        self, audio_url: str, options: CloneOptions | None = None, prompt_audio_url: str | None = None
    ) -> dict[str, Any]:
        """Build the JSON body that `clone` would send, with only what is set; raises `InvalidArgument`."""
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
        """Read a text with a voice, which also keeps the voice for good. Costs money.

        Raises:
            VoiceNotFound: The voice expired, or belongs to another account.
            OutcomeUnknown: The speech may have been made and charged.
            ServiceError: The other branches of `client.errors`.
        """
        path = f"/v3/minimax-{request.model}"
        body = request.body()

        def attempt() -> Speech:
            return speech_in(self._post(path, body, [], self._speech_s, _LARGEST_SPEECH_ANSWER))

        return self._retry.call(attempt)

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
        """Fetch a demo or a speech from its link, without the API key. Free, and harmless to repeat.

        Links may answer 403 or 404 for some time after the service gave them. Those answers, 5xx, and failures of the
        connection are retried with growing pauses; what was written is removed first, so the file must be seekable
        for a retry after the first byte.

        Args:
            url: An http or https link from the service's answer. Unless ``base_url`` is on this machine, neither the
                link nor a redirect may lead to this machine or a private network.
            binary_file: Where the bytes go; holds a part of them when an error is raised.
            max_bytes: The most that is taken.
            timeout_s: Seconds for one try.
            wait_s: Seconds from the first try within which the last one must begin; 0 for a single try.
            progress: Called with the bytes written so far, and with the total where the answer has it; what it raises
                ends the download.

        Returns:
            Bytes written.

        Raises:
            InvalidArgument: The link is not one that may be fetched.
            DownloadFailed: Nothing came, or not audio, or too much, or only a part.
            OSError: The file cannot be written.
        """
        from client.download import Order, fetch  # here, so that the first call loads the HTTP library

        check_number("max_bytes", max_bytes, least=1, whole=True)
        check_number("timeout_s", timeout_s, least=0.001, most=86_400)
        check_number("wait_s", wait_s, least=0, most=86_400)
        order = Order(
            url=url,
            max_bytes=max_bytes,
            timeouts_s=(min(self._connect_s, timeout_s), float(timeout_s)),
            wait_s=float(wait_s),
            allow_private=is_loopback(urlsplit(self.base_url).hostname),
            key=self._key,
            progress=progress,
            on_retry=self._retry.on_retry,
        )
        return fetch(order, binary_file)

    def without_secrets(self, text: str, *links: str | None) -> str:
        """Blot out the API key, and the secret parts of `links`, in a text that is to be stored.

        Other URLs stay whole: a demo link without its query leads nowhere.
        """
        secrets = {self._key, *(secret for link in links for secret in secrets_of_url(link))}
        for secret in sorted(secrets, key=len, reverse=True):
            text = text.replace(secret, "***")
        return text

    def _post(self, path: str, body: dict[str, Any], secrets: list[str], total_s: float, largest: int) -> Answer:
        from client.post import post  # here, so that the first call loads the HTTP library

        content = msgspec.json.encode(body)
        timeouts = (min(self._connect_s, total_s), total_s)
        return post(self.base_url + path, self._key, content, timeouts, largest, tuple(secrets))


def _checked_key(key: object) -> str:
    if not isinstance(key, str) or not key:
        raise InvalidArgument("is empty", argument="api_key", hint="Give the API key of your account.")
    if not key.isprintable() or any(character.isspace() or ord(character) > 255 for character in key):
        raise InvalidArgument(
            "holds spaces, line breaks or characters that cannot stand in a header",
            argument="api_key",
            hint="Copy the key again, without quotes or line breaks.",
        )
    return key


def _checked_base_url(url: str) -> str:
    check_text("base_url", url, 2000)
    parts = check_url("base_url", url)
    if parts.query or parts.fragment or parts.username is not None or parts.password is not None:
        raise InvalidArgument("must hold neither a query nor a user", argument="base_url")
    if parts.scheme != "https" and not is_loopback(parts.hostname):
        raise InvalidArgument(
            "must be https: the API key would travel unencrypted", argument="base_url", hint="Write https://…"
        )
    path = parts.path.rstrip("/")
    return urlsplit(url)._replace(path=path.removesuffix("/v3").rstrip("/")).geturl()
