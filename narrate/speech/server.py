"""Where a speech server is, and how patiently it is asked."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from narrate.errors import UsageError

__all__ = ["AUDIO_FORMATS", "DEFAULT_CONCURRENCY", "ServerOptions", "api_root"]

AUDIO_FORMATS = ("wav", "flac", "pcm")
"""What can be decoded without loss, by the names that servers know."""
DEFAULT_CONCURRENCY = 8
_SPEECH_PATH = "/audio/speech"


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """One speech server; `key` is sent with every request and shown nowhere.

    `model` None: whatever the server serves. A request is tried `tries` times in all; the first
    wait is about `backoff_s`, each next one twice as long, none longer than `longest_wait_s`, which
    bounds what a server may ask for too.
    """

    url: str
    key: str | None = field(default=None, repr=False)
    model: str | None = None
    concurrency: int = DEFAULT_CONCURRENCY
    audio_format: str = "wav"
    timeout_s: float = 120.0
    tries: int = 6
    backoff_s: float = 0.5
    longest_wait_s: float = 60.0

    def __post_init__(self) -> None:
        """Refuse what cannot be asked (`UsageError`)."""
        api_root(self.url)
        if self.concurrency < 1:
            raise UsageError(
                f"{self.concurrency} requests at a time speak nothing",
                where="--concurrency",
                remedy="use a number from 1 up",
            )
        if self.key is not None and not (self.key.isascii() and self.key.isprintable()):
            raise UsageError(
                "the key has characters that no server key has",
                where="NARRATE_API_KEY",
                remedy="set it again, without line breaks",
            )
        if self.audio_format not in AUDIO_FORMATS:
            raise UsageError(
                f"{self.audio_format!r} is no format that is asked of a server",
                remedy=f"choose one of: {', '.join(AUDIO_FORMATS)}",
            )


def api_root(url: str) -> str:
    """Return the address that `/audio/speech` is added to; `http://host:8091` means its `/v1`.

    Raises `UsageError` for what is no address, and for a key written into it.
    """
    parts = urlsplit(url.strip())
    try:
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # a port that is none
        usable = False
    if parts.username or parts.password:
        raise UsageError(
            "a server's address must not hold a name or a password",
            where="--server",
            remedy="leave them out and put the key into NARRATE_API_KEY",
        )
    if not usable or parts.query or parts.fragment:
        raise UsageError(
            f"{url!r} is not the address of a server",
            where="--server",
            remedy="write it like http://localhost:8091",
        )
    path = parts.path.rstrip("/").removesuffix(_SPEECH_PATH)
    if "v1" not in path.split("/"):
        path += "/v1"
    return f"{parts.scheme}://{parts.netloc}{path}"
