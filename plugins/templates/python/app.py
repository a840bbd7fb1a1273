"""The plugin: converts between the types of the contract, which `componentize-py` generates from `wit/`, and `pager.py`.

`componentize-py -d wit -w channel bindings .` writes the types to files for your editor. The build does not need them.
"""

from componentize_py_types import Err
from wit_world import exports
from wit_world.imports import clock, config, http, progress, types

import pager


class Plugin(exports.Plugin):
    def describe(self) -> types.Manifest:
        return types.Manifest(
            name="pager",
            version="0.1.0",
            summary="POSTs a few lines of text for each notification.",
            address_label="pager name",
            address_example="ralph",
            config=[
                types.Field(
                    name="url",
                    label="URL",
                    help="The URL for texts; the header X-Pager names the pager.",
                    kind=types.FieldKind.URL,
                    default=None,
                    required=True,
                    secret=False,
                    min=None,
                    max=None,
                    choices=[],
                )
            ],
            grants=[types.GrantRequest(types.Capability.HTTP, "{url}", "{url}", "To send the texts.")],
            credentials=[],
            lifetime=types.Lifetime.PER_CALL,
            extra=[],
        )

    def check_address(self, address: str) -> str:
        try:
            return pager.check_address(address)
        except pager.InvalidAddress as error:
            raise Err(types.Problem(str(error)))

    def deliver(self, batch: list[types.Delivery]) -> list[types.Outcome]:
        outcomes = pager.deliver(
            [(delivery.recipient.address, text(delivery.content), delivery.id) for delivery in batch],
            post,
            clock.remaining_ms,
            lambda index, outcome: progress.settled(index, contract_outcome(outcome)),
        )
        return [contract_outcome(outcome) for outcome in outcomes]


def text(content: types.Content) -> str:
    match content:
        case types.Content_Single(event):
            return pager.single(event)
        case types.Content_Digest(digest):
            return pager.digest(digest)
        case types.Content_Confirmation(question):
            return pager.confirmation(question)


def post(name: str, text: str, id: str):
    request = http.Request(
        method="POST",
        url=config.get("url") or "",
        headers=[
            ("content-type", "text/plain; charset=utf-8"),
            ("x-pager", name),
            # The same in every attempt, so that the server can drop a duplicate.
            ("idempotency-key", id),
        ],
        body=text.encode(),
        credential=None,
        redirects=0,
        timeout_ms=pager.EXCHANGE_MS,
    )
    try:
        response = http.send(request)
    except Err as error:
        kind = type(error.value).__name__.removeprefix("Error_").lower()
        raise pager.RequestError(kind, getattr(error.value, "value", "no response in time; the text may have arrived"))
    return response.status, response.headers, response.body


def contract_outcome(outcome) -> types.Outcome:
    match outcome:
        case pager.Delivered(receipt):
            return types.Outcome_Delivered(receipt)
        case pager.Retry(reason, after_ms):
            return types.Outcome_Retry(types.Retry(after_ms, reason))
        case pager.Rejected(reason):
            return types.Outcome_Rejected(reason)
        case pager.Gone(reason):
            return types.Outcome_AddressGone(types.Gone(None, reason))
        case pager.Trouble(reason, after_ms):
            return types.Outcome_ChannelTrouble(types.Trouble(after_ms, reason))
