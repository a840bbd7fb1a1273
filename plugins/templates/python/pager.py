"""What this channel does, apart from the contract's types: it can be tested without WebAssembly.

A pager shows a few lines. Each delivery becomes some, and is POSTed to the channel's URL with the pager's name in a header.
"""

import re
from dataclasses import dataclass

LINE_CHARS = 400
"""A line beyond this is cut; in characters."""
QUOTE_CHARS = 200
"""How much of a server's answer a reason quotes; in characters."""
EXCHANGE_MS = 15_000
"""The longest one request; a server that thinks for longer holds up everybody else."""

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
    """Nothing is wrong with the delivery: the whole channel rests, and an administrator is told."""

    reason: str
    after_ms: int | None = None


class NoAddress(Exception):
    """Why a text is no pager's name, for the person who typed it."""


class NoAnswer(Exception):
    """A request got no answer. `kind` is the case of the contract's `http.error`."""

    def __init__(self, kind: str, reason: str):
        super().__init__(reason)
        self.kind = kind
        self.reason = reason


def check_address(text: str) -> str:
    """The pager's name in its normal form: the same pager always has the same name."""
    name = text.strip().lower()
    if not NAME.fullmatch(name):
        raise NoAddress("a pager's name has up to 64 letters, digits, dots, dashes and underscores")
    return name


def flat(text: str, limit: int = LINE_CHARS) -> str:
    """The text as one printable line. What comes over the bus may hold any character."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def single(event) -> str:
    """Subject, text and link, a line each."""
    subject = flat(event.subtitle) or flat(event.title) or flat(event.topic)
    text = flat(event.long_form)
    lines = [subject, text if text != subject else "", flat(event.link or "")]
    return "\n".join(line for line in lines if line)


def digest(digest) -> str:
    count = len(digest.events) + digest.omitted
    updates = "1 update" if count == 1 else f"{count} updates"
    return flat(f"{updates}: {'; '.join(digest.summary)}" if digest.summary else updates)


def confirmation(question) -> str:
    """Addresses are confirmed: the person who reads this pager says whether notifications are wanted there."""
    return flat(f"Notifications here? Yes: {question.accept_link} (code {question.code}) No: {question.reject_link}")


def judge(status: int, headers, body: bytes):
    """What the server's answer means. Say the mildest thing that is true: `Rejected` and `Gone` are final."""
    quote = flat(body[: QUOTE_CHARS * 4].decode("utf-8", "replace"), QUOTE_CHARS)
    said = f"HTTP {status}: {quote}" if quote else f"HTTP {status}"
    if 200 <= status <= 299:
        return Delivered(f"HTTP {status}")
    if status == 410:
        return Gone(said)
    if status in (401, 403):
        return Trouble(said)
    if status in (408, 425, 429) or status >= 500:
        return Retry(said, retry_after_ms(headers))
    return Rejected(said)


def retry_after_ms(headers) -> int | None:
    """How long the server asks to be left alone, where it says so in seconds."""
    for name, value in headers:
        # No more digits than this: a number may have thousands, which `int` refuses to read.
        if name.lower() == "retry-after" and re.fullmatch(r"[0-9]{1,9}", value.strip()):
            return int(value) * 1000
    return None


def failure(error: NoAnswer):
    """There was no answer. What hits every delivery is the channel's trouble."""
    if error.kind in ("failed", "timeout", "limit"):
        return Retry(f"{error.kind}: {error.reason}")
    return Trouble(f"{error.kind}: {error.reason}")


def deliver(batch, post, remaining_ms, settled):
    """One outcome for each of `batch` (name, text, id), in order.

    `post` sends and returns (status, headers, body) or raises `NoAnswer`; `remaining_ms` is what is left of the call;
    `settled` hears of each outcome at once, so that a crash later on repeats nothing that was sent.
    """
    outcomes = []
    trouble = None
    reserve_ms = min(EXCHANGE_MS + 1000, remaining_ms() // 4)
    for place, (name, text, id) in enumerate(batch):
        if trouble:
            outcome = trouble
        elif remaining_ms() < reserve_ms:
            outcome = Retry("there was no time left for it in this batch")
        else:
            try:
                outcome = judge(*post(name, text, id))
            except NoAnswer as error:
                outcome = failure(error)
        if isinstance(outcome, Trouble):
            trouble = outcome
        settled(place, outcome)
        outcomes.append(outcome)
    return outcomes
