"""The logic of the channel, without the types of the contract, so that tests need no WebAssembly.

A pager shows a few lines. Each delivery is POSTed as a few lines to the URL of the channel, with the name of the pager in
a header.
"""

import re
from dataclasses import dataclass

LINE_CHARS = 400
"""The longest line, in characters; a longer one is cut."""
QUOTE_CHARS = 200
"""The longest quote of a response in a reason, in characters."""
EXCHANGE_MS = 15_000
"""The timeout of a request, in milliseconds. A slow server delays the other deliveries of the batch."""

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


@dataclass(frozen=True)
class Delivered:
    receipt: str


@dataclass(frozen=True)
class Retry:
    reason: str
    after_ms: int | None = None


@dataclass(frozen=True)
class Rejected:
    reason: str


@dataclass(frozen=True)
class Gone:
    reason: str


@dataclass(frozen=True)
class Trouble:
    """The delivery is not at fault: the channel pauses, and the reason is shown to administrators."""

    reason: str
    after_ms: int | None = None


class InvalidAddress(Exception):
    """Why the name of a pager is invalid, for the user."""


class RequestError(Exception):
    """A request failed without a response. `kind` is the case of `http.error` in the contract."""

    def __init__(self, kind: str, reason: str):
        super().__init__(reason)
        self.kind = kind
        self.reason = reason


def check_address(text: str) -> str:
    """Parses the name of a pager and returns its normal form: one pager has one name."""
    name = text.strip().lower()
    if not NAME.fullmatch(name):
        raise InvalidAddress("a pager's name has up to 64 letters, digits, dots, dashes and underscores")
    return name


def flat(text: str, limit: int = LINE_CHARS) -> str:
    """The text as one printable line. Text from the bus may contain any character."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def single(event) -> str:
    """The subject, the text and the link of an event, one line each."""
    subject = flat(event.subtitle) or flat(event.title) or flat(event.topic)
    text = flat(event.long_form)
    lines = [subject, text if text != subject else "", flat(event.link or "")]
    return "\n".join(line for line in lines if line)


def digest(digest) -> str:
    count = len(digest.events) + digest.omitted
    updates = "1 update" if count == 1 else f"{count} updates"
    return flat(f"{updates}: {'; '.join(digest.summary)}" if digest.summary else updates)


def confirmation(question) -> str:
    """The reader of the pager confirms that it may get notifications."""
    return flat(f"Notifications here? Yes: {question.accept_link} (code {question.code}) No: {question.reject_link}")


def response_outcome(status: int, headers, body: bytes):
    """The outcome of a response. `Rejected` and `Gone` are final: use them only if another attempt cannot succeed."""
    quote = flat(body[: QUOTE_CHARS * 4].decode("utf-8", "replace"), QUOTE_CHARS)
    reason = f"HTTP {status}: {quote}" if quote else f"HTTP {status}"
    if 200 <= status <= 299:
        return Delivered(f"HTTP {status}")
    if status == 410:
        return Gone(reason)
    if status in (401, 403):
        return Trouble(reason)
    if status in (408, 425, 429) or status >= 500:
        return Retry(reason, retry_after_ms(headers))
    return Rejected(reason)


def retry_after_ms(headers) -> int | None:
    """The wait that the server requests, if it is a number of seconds; in milliseconds."""
    for name, value in headers:
        # The limit of digits matters: `int` fails for numbers with thousands of digits.
        if name.lower() == "retry-after" and re.fullmatch(r"[0-9]{1,9}", value.strip()):
            return int(value) * 1000
    return None


def error_outcome(error: RequestError):
    """The outcome of a request without a response. An error that concerns all deliveries is trouble of the channel."""
    if error.kind in ("failed", "timeout", "limit"):
        return Retry(f"{error.kind}: {error.reason}")
    return Trouble(f"{error.kind}: {error.reason}")


def deliver(batch, post, remaining_ms, settled):
    """Returns one outcome for each element of `batch` (name, text, id), in order.

    `post` sends a request and returns (status, headers, body) or raises `RequestError`. `remaining_ms` returns the time
    that is left for the call. `settled` reports each outcome to the host at once, so that after a crash nothing is sent
    twice.
    """
    outcomes = []
    trouble = None
    reserve_ms = min(EXCHANGE_MS + 1000, remaining_ms() // 4)
    for index, (name, text, id) in enumerate(batch):
        if trouble:
            outcome = trouble
        elif remaining_ms() < reserve_ms:
            outcome = Retry("there was no time left for it in this batch")
        else:
            try:
                outcome = response_outcome(*post(name, text, id))
            except RequestError as error:
                outcome = error_outcome(error)
        if isinstance(outcome, Trouble):
            trouble = outcome
        settled(index, outcome)
        outcomes.append(outcome)
    return outcomes
