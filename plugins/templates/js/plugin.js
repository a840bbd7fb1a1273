// The plugin: the exports of the contract, and the functions of the host for `pager.js`.

import clock from "tidings:channel/clock@1.0.0";
import config from "tidings:channel/config@1.0.0";
import http from "tidings:channel/http@1.0.0";
import progress from "tidings:channel/progress@1.0.0";

import { EXCHANGE_MS, bytes, checkAddress, deliver } from "./pager.js";

const URL_FIELD = {
  name: "url",
  label: "URL",
  help: "The URL for texts; the header X-Pager names the pager.",
  kind: "url",
  default: null,
  required: true,
  secret: false,
  min: null,
  max: null,
  choices: [],
};

const host = {
  remainingMs: () => clock.remainingMs(),
  settled: (index, outcome) => progress.settled(index, outcome),
  post: (name, text, id) =>
    http.send({
      method: "POST",
      url: config.get("url") ?? "",
      headers: [
        ["content-type", "text/plain; charset=utf-8"],
        ["x-pager", name],
        // The same in every attempt, so that the server can drop a duplicate.
        ["idempotency-key", id],
      ],
      body: bytes(text),
      credential: null,
      redirects: 0,
      timeoutMs: EXCHANGE_MS,
    }),
};

export const plugin = {
  describe: () => ({
    name: "pager",
    version: "0.1.0",
    summary: "POSTs a few lines of text for each notification.",
    addressLabel: "pager name",
    addressExample: "ralph",
    config: [URL_FIELD],
    grants: [{ capability: "http", host: "{url}", port: "{url}", why: "To send the texts." }],
    credentials: [],
    lifetime: "per-call",
    extra: [],
  }),

  checkAddress,

  deliver: (batch) => deliver(batch, host),
};
