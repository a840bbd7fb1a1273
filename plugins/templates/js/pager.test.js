// Runs natively: node --test

import assert from "node:assert/strict";
import test from "node:test";

import { bytes, checkAddress, deliver, flat, judge, page, utf8 } from "./pager.js";

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

test("what is no name is refused with the reason", () => {
  for (const text of ["", " ", "a b", "a\nb", "ü", "-a", "x".repeat(65), "a@b"]) {
    assert.throws(() => checkAddress(text), ({ message }) => message.startsWith("a pager's name has"), text);
  }
});

test("each kind of delivery is a few lines", () => {
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
    assert.equal(page(content), expected);
  }
});

test("odd and huge text stays one short line", () => {
  assert.equal(flat("a\0\x1b[2J\u2028b\t c"), "a [2J b c");
  assert.equal([...flat("ü".repeat(1_000_000))].length, 400);
  assert.equal([...flat("🚀".repeat(1_000))].length, 400);
});

test("text becomes UTF-8 and back", () => {
  const encoder = new TextEncoder();
  for (const text of ["", "a", "100 %", "ü€🚀", "\ud800x"]) {
    assert.deepEqual(bytes(text), encoder.encode(text));
    assert.equal(utf8(bytes(text)), text.toWellFormed?.() ?? text.replace("\ud800", "\ufffd"));
  }
  assert.equal(utf8([0x6f, 0x6b, 0xff]), "ok\ufffd");
});

test("each answer has its outcome", () => {
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
    assert.deepEqual(judge({ status, headers, body: bytes(body) }), expected);
  }
});

/** Delivers three; the answers are statuses or errors. Returns the outcomes' tags. */
function run(answers, times = Array(9).fill(60_000)) {
  const heard = [];
  const host = {
    remainingMs: () => times.shift(),
    settled: (place, outcome) => (heard[place] = outcome),
    post() {
      const answer = answers.shift();
      if (typeof answer !== "number") throw answer;
      return { status: answer, headers: [], body: new Uint8Array() };
    },
  };
  const batch = ["a", "b", "c"].map((address) => ({ id: "0", recipient: { address }, content: single() }));
  const outcomes = deliver(batch, host);
  assert.deepEqual(heard, outcomes);
  return outcomes.map(({ tag }) => tag);
}

test("a failure of one delivery leaves the others alone", () => {
  assert.deepEqual(run([200, { tag: "failed", val: "refused" }, 500]), ["delivered", "retry", "retry"]);
  assert.deepEqual(run([{ tag: "timeout" }, 200, 404]), ["retry", "delivered", "rejected"]);
});

test("after the channel's trouble nothing more is tried", () => {
  const denied = { tag: "denied", val: "not granted" };
  assert.deepEqual(run([200, denied]), ["delivered", "channel-trouble", "channel-trouble"]);
});

test("what there is no time for is tried again", () => {
  assert.deepEqual(run([200, 200], [60_000, 60_000, 20_000, 10_000]), ["delivered", "delivered", "retry"]);
});

test("a mistake of the plugin's own is not taken for an answer", () => {
  assert.throws(() => run([new TypeError("a mistake")]), TypeError);
});
