// The tests of pager.js. They run natively: node --test

import assert from "node:assert/strict";
import test from "node:test";

import { bytes, checkAddress, contentText, deliver, flat, responseOutcome, utf8 } from "./pager.js";

const event = (fields = {}) => ({
  subtitle: "",
  title: "a.b",
  topic: "org.example.a.b",
  longForm: "",
  link: null,
  ...fields,
});
const single = (fields) => ({ tag: "single", val: event(fields) });

test("a name has one normal form", () => {
  for (const text of ["ralph", " Ralph ", "RALPH\n"]) assert.equal(checkAddress(text), "ralph");
});

test("an invalid name is refused with the reason", () => {
  for (const text of ["", " ", "a b", "a\nb", "ü", "-a", "x".repeat(65), "a@b"]) {
    assert.throws(() => checkAddress(text), ({ message }) => message.startsWith("a pager's name has"), text);
  }
});

test("each kind of delivery becomes a few lines", () => {
  const digest = (events, omitted, summary) => ({ tag: "digest", val: { events, omitted, summary } });
  const confirmation = { code: "K7QX", acceptLink: "https://t.org/y", rejectLink: "https://t.org/n" };
  for (const [content, expected] of [
    [
      single({ subtitle: "built\r\nX: y", longForm: "by ralph", link: "https://e.org/1" }),
      "built X: y\nby ralph\nhttps://e.org/1",
    ],
    [single({ subtitle: "built", longForm: "built" }), "built"],
    [single(), "a.b"],
    [digest([event(), event()], 1, ["a", "b"]), "3 updates: a; b"],
    [digest([event()], 0, []), "1 update"],
    [
      { tag: "confirmation", val: confirmation },
      "Notifications here? Yes: https://t.org/y (code K7QX) No: https://t.org/n",
    ],
  ]) {
    assert.equal(contentText(content), expected);
  }
});

test("text of any characters and length becomes one short line", () => {
  assert.equal(flat("a\0\x1b[2J\u2028b\t c"), "a [2J b c");
  assert.equal([...flat("ü".repeat(1_000_000))].length, 400);
  assert.equal([...flat("🚀".repeat(1_000))].length, 400);
});

test("text is encoded as UTF-8 and decoded again", () => {
  const encoder = new TextEncoder();
  for (const text of ["", "a", "100 %", "ü€🚀", "\ud800x"]) {
    assert.deepEqual(bytes(text), encoder.encode(text));
    assert.equal(utf8(bytes(text)), text.toWellFormed?.() ?? text.replace("\ud800", "\ufffd"));
  }
  assert.equal(utf8([0x6f, 0x6b, 0xff]), "ok\ufffd");
});

test("each response maps to its outcome", () => {
  const retry = (reason, afterMs = null) => ({ tag: "retry", val: { afterMs, reason } });
  for (const [status, headers, body, expected] of [
    [204, [], "", { tag: "delivered", val: "HTTP 204" }],
    [301, [], "", { tag: "rejected", val: "HTTP 301" }],
    [400, [], "no\r\n", { tag: "rejected", val: "HTTP 400: no" }],
    [403, [], "", { tag: "channel-trouble", val: { afterMs: null, reason: "HTTP 403" } }],
    [410, [], "", { tag: "address-gone", val: { replacement: null, reason: "HTTP 410" } }],
    [429, [["Retry-After", " 7"]], "", retry("HTTP 429", 7000)],
    [503, [["retry-after", "soon"]], "ü", retry("HTTP 503: ü")],
  ]) {
    assert.deepEqual(responseOutcome({ status, headers, body: bytes(body) }), expected);
  }
});

/** Delivers three; `responses` are statuses or errors. Returns the tags of the outcomes. */
function run(responses, times = Array(9).fill(60_000)) {
  const settled = [];
  const host = {
    remainingMs: () => times.shift(),
    settled: (index, outcome) => (settled[index] = outcome),
    post() {
      const response = responses.shift();
      if (typeof response !== "number") throw response;
      return { status: response, headers: [], body: new Uint8Array() };
    },
  };
  const batch = ["a", "b", "c"].map((address) => ({ id: "0", recipient: { address }, content: single() }));
  const outcomes = deliver(batch, host);
  assert.deepEqual(settled, outcomes);
  return outcomes.map(({ tag }) => tag);
}

test("a failure of one delivery does not affect the others", () => {
  assert.deepEqual(run([200, { tag: "failed", val: "refused" }, 500]), ["delivered", "retry", "retry"]);
  assert.deepEqual(run([{ tag: "timeout" }, 200, 404]), ["retry", "delivered", "rejected"]);
});

test("after trouble of the channel nothing more is sent", () => {
  const denied = { tag: "denied", val: "not granted" };
  assert.deepEqual(run([200, denied]), ["delivered", "channel-trouble", "channel-trouble"]);
});

test("a delivery without time left is sent again later", () => {
  assert.deepEqual(run([200, 200], [60_000, 60_000, 20_000, 10_000]), ["delivered", "delivered", "retry"]);
});

test("an error in the plugin itself is not an outcome", () => {
  assert.throws(() => run([new TypeError("an error in the plugin")]), TypeError);
});
