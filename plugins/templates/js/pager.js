// What this channel does, apart from the contract: it can be tested without WebAssembly.
//
// A pager shows a few lines. Each delivery becomes some, and is POSTed to the channel's URL with the pager's name in a
// header.
// Variants of the contract are `{ tag, val }`, its options are a value or null.

/** A line beyond this is cut; in characters. */
const LINE_CHARS = 400;
/** How much of a server's answer a reason quotes; in characters. */
const QUOTE_CHARS = 200;
/** The longest one request; a server that thinks for longer holds up everybody else. */
export const EXCHANGE_MS = 15_000;

const NAME = /^[a-z0-9][a-z0-9._-]{0,63}$/;

/** The pager's name in its normal form: the same pager always has the same name. Throws the contract's `problem`. */
export function checkAddress(text) {
  const name = text.trim().toLowerCase();
  if (!NAME.test(name)) {
    throw { message: "a pager's name has up to 64 letters, digits, dots, dashes and underscores" };
  }
  return name;
}

/** The text as one printable line. What comes over the bus may hold any character. */
export function flat(text, limit = LINE_CHARS) {
  // Never more than this is looked at: a message may have megabytes.
  const start = text.slice(0, limit * 8);
  const line = start.replace(/[\p{C}\p{Z}]+/gu, " ").trim();
  const characters = [...line];
  const whole = characters.length <= limit && start.length === text.length;
  return whole ? line : characters.slice(0, limit - 1).join("") + "…";
}

/** The few lines of a delivery. */
export function page(content) {
  switch (content.tag) {
    case "single":
      return single(content.val);
    case "digest":
      return digest(content.val);
    case "confirmation":
      return confirmation(content.val);
    default:
      throw new Error(`not in the contract: ${content.tag}`);
  }
}

/** Subject, text and link, a line each. */
function single(event) {
  const subject = flat(event.subtitle) || flat(event.title) || flat(event.topic);
  const text = flat(event.longForm);
  const lines = [subject, text === subject ? "" : text, flat(event.link ?? "")];
  return lines.filter((line) => line !== "").join("\n");
}

function digest({ events, omitted, summary }) {
  const count = events.length + omitted;
  const updates = count === 1 ? "1 update" : `${count} updates`;
  return flat(summary.length > 0 ? `${updates}: ${summary.join("; ")}` : updates);
}

/** Addresses are confirmed: the person who reads this pager says whether notifications are wanted there. */
function confirmation({ code, acceptLink, rejectLink }) {
  return flat(`Notifications here? Yes: ${acceptLink} (code ${code}) No: ${rejectLink}`);
}

/** What the server's answer means. Say the mildest thing that is true: `rejected` and `address-gone` are final. */
export function judge({ status, headers, body }) {
  const quote = flat(utf8(body.slice(0, QUOTE_CHARS * 4)), QUOTE_CHARS);
  const said = quote ? `HTTP ${status}: ${quote}` : `HTTP ${status}`;
  if (status >= 200 && status <= 299) return { tag: "delivered", val: `HTTP ${status}` };
  if (status === 410) return { tag: "address-gone", val: { replacement: null, reason: said } };
  if (status === 401 || status === 403) return trouble(said);
  if ([408, 425, 429].includes(status) || status >= 500) return retry(said, retryAfterMs(headers));
  return { tag: "rejected", val: said };
}

/** How long the server asks to be left alone, where it says so in seconds. */
function retryAfterMs(headers) {
  const value = headers.find(([name]) => name.toLowerCase() === "retry-after")?.[1].trim() ?? "";
  return /^[0-9]{1,9}$/.test(value) ? Number(value) * 1000 : null;
}

/** There was no answer. What hits every delivery is the channel's trouble. `error` is the contract's `http.error`. */
export function failure(error) {
  const reason = `${error.tag}: ${error.val ?? "no answer in time; it may have arrived"}`;
  return ["failed", "timeout", "limit"].includes(error.tag) ? retry(reason) : trouble(reason);
}

function retry(reason, afterMs = null) {
  return { tag: "retry", val: { afterMs, reason } };
}

/** Nothing is wrong with the delivery: the whole channel rests, and an administrator is told. */
function trouble(reason) {
  return { tag: "channel-trouble", val: { afterMs: null, reason } };
}

/**
 * One outcome for each delivery, in order. `host.post(name, text, id)` answers with a response or throws an `http.error`;
 * `host.remainingMs()` is what is left of the call; `host.settled(place, outcome)` hears of each outcome at once, so that
 * a crash later on repeats nothing that was sent.
 */
export function deliver(batch, host) {
  const reserveMs = Math.min(EXCHANGE_MS + 1000, host.remainingMs() / 4);
  let stopped = null;
  return batch.map((delivery, place) => {
    const outcome = stopped ?? attempt(delivery, host, reserveMs);
    if (outcome.tag === "channel-trouble") stopped = outcome;
    host.settled(place, outcome);
    return outcome;
  });
}

function attempt({ id, recipient, content }, host, reserveMs) {
  if (host.remainingMs() < reserveMs) return retry("there was no time left for it in this batch");
  const text = page(content);
  let response;
  try {
    response = host.post(recipient.address, text, id);
  } catch (error) {
    // An error of the contract comes as the payload of an Error.
    const known = error?.payload ?? error;
    if (typeof known?.tag !== "string") throw error;
    return failure(known);
  }
  return judge(response);
}

/** Bytes as text; what is no UTF-8 becomes U+FFFD. The engine that runs plugins has no `TextDecoder`. */
export function utf8(bytes) {
  let escaped = "";
  for (const byte of bytes) escaped += `%${byte.toString(16).padStart(2, "0")}`;
  try {
    return decodeURIComponent(escaped);
  } catch {
    return String.fromCharCode(...bytes).replace(/[^\x00-\x7f]+/g, "\ufffd");
  }
}

/** Text as bytes of UTF-8. */
export function bytes(text) {
  const escaped = encodeURIComponent(text.toWellFormed?.() ?? text.replace(/\p{Cs}/gu, "\ufffd"));
  const plain = escaped.replace(/%([0-9A-F]{2})/g, (_, hex) => String.fromCharCode(parseInt(hex, 16)));
  return Uint8Array.from(plain, (character) => character.charCodeAt(0));
}
