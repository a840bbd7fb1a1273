// The logic of the channel, without the functions of the host, so that tests need no WebAssembly.
//
// A pager shows a few lines. Each delivery is POSTed as a few lines to the URL of the channel, with the name of the pager
// in a header.
// A variant of the contract is `{ tag, val }`; an option is a value or null.

/** The longest line, in characters; a longer one is cut. */
const LINE_CHARS = 400;
/** The longest quote of a response in a reason, in characters. */
const QUOTE_CHARS = 200;
/** The timeout of a request, in milliseconds. A slow server delays the other deliveries of the batch. */
export const EXCHANGE_MS = 15_000;

const NAME = /^[a-z0-9][a-z0-9._-]{0,63}$/;

/** Parses the name of a pager and returns its normal form: one pager has one name. Throws a `problem` of the contract. */
export function checkAddress(text) {
  const name = text.trim().toLowerCase();
  if (!NAME.test(name)) {
    throw { message: "a pager's name has up to 64 letters, digits, dots, dashes and underscores" };
  }
  return name;
}

/** The text as one printable line. Text from the bus may contain any character. */
export function flat(text, limit = LINE_CHARS) {
  // The rest is not read: a message may have megabytes.
  const start = text.slice(0, limit * 8);
  const line = start.replace(/[\p{C}\p{Z}]+/gu, " ").trim();
  const characters = [...line];
  const whole = characters.length <= limit && start.length === text.length;
  return whole ? line : characters.slice(0, limit - 1).join("") + "…";
}

/** The text of a delivery, in a few lines. */
export function contentText(content) {
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

/** The subject, the text and the link of an event, one line each. */
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

/** The reader of the pager confirms that it may get notifications. */
function confirmation({ code, acceptLink, rejectLink }) {
  return flat(`Notifications here? Yes: ${acceptLink} (code ${code}) No: ${rejectLink}`);
}

/**
 * The outcome of a response. `rejected` and `address-gone` are final: use them only if another attempt cannot succeed.
 */
export function responseOutcome({ status, headers, body }) {
  const quote = flat(utf8(body.slice(0, QUOTE_CHARS * 4)), QUOTE_CHARS);
  const reason = quote ? `HTTP ${status}: ${quote}` : `HTTP ${status}`;
  if (status >= 200 && status <= 299) return { tag: "delivered", val: `HTTP ${status}` };
  if (status === 410) return { tag: "address-gone", val: { replacement: null, reason } };
  if (status === 401 || status === 403) return trouble(reason);
  if ([408, 425, 429].includes(status) || status >= 500) return retry(reason, retryAfterMs(headers));
  return { tag: "rejected", val: reason };
}

/** The wait that the server requests, if it is a number of seconds; in milliseconds. */
function retryAfterMs(headers) {
  const value = headers.find(([name]) => name.toLowerCase() === "retry-after")?.[1].trim() ?? "";
  return /^[0-9]{1,9}$/.test(value) ? Number(value) * 1000 : null;
}

/**
 * The outcome of a request without a response. An error that concerns all deliveries is trouble of the channel. `error` is
 * an `http.error` of the contract.
 */
export function errorOutcome(error) {
  const reason = `${error.tag}: ${error.val ?? "no response in time; the text may have arrived"}`;
  return ["failed", "timeout", "limit"].includes(error.tag) ? retry(reason) : trouble(reason);
}

function retry(reason, afterMs = null) {
  return { tag: "retry", val: { afterMs, reason } };
}

/** The delivery is not at fault: the channel pauses, and the reason is shown to administrators. */
function trouble(reason) {
  return { tag: "channel-trouble", val: { afterMs: null, reason } };
}

/**
 * Returns one outcome for each delivery, in order. `host.post(name, text, id)` returns a response or throws an
 * `http.error`. `host.remainingMs()` returns the time that is left for the call. `host.settled(index, outcome)` reports
 * each outcome to the host at once, so that after a crash nothing is sent twice.
 */
export function deliver(batch, host) {
  const reserveMs = Math.min(EXCHANGE_MS + 1000, host.remainingMs() / 4);
  let stopped = null;
  return batch.map((delivery, index) => {
    const outcome = stopped ?? attempt(delivery, host, reserveMs);
    if (outcome.tag === "channel-trouble") stopped = outcome;
    host.settled(index, outcome);
    return outcome;
  });
}

function attempt({ id, recipient, content }, host, reserveMs) {
  if (host.remainingMs() < reserveMs) return retry("there was no time left for it in this batch");
  const text = contentText(content);
  let response;
  try {
    response = host.post(recipient.address, text, id);
  } catch (error) {
    // The engine throws an error of the contract as the payload of an Error.
    const httpError = error?.payload ?? error;
    if (typeof httpError?.tag !== "string") throw error;
    return errorOutcome(httpError);
  }
  return responseOutcome(response);
}

/** Decodes bytes as UTF-8; invalid ones become U+FFFD. The engine that runs plugins has no `TextDecoder`. */
export function utf8(bytes) {
  let escaped = "";
  for (const byte of bytes) escaped += `%${byte.toString(16).padStart(2, "0")}`;
  try {
    return decodeURIComponent(escaped);
  } catch {
    return String.fromCharCode(...bytes).replace(/[^\x00-\x7f]+/g, "\ufffd");
  }
}

/** Encodes text as UTF-8. */
export function bytes(text) {
  const escaped = encodeURIComponent(text.toWellFormed?.() ?? text.replace(/\p{Cs}/gu, "\ufffd"));
  const plain = escaped.replace(/%([0-9A-F]{2})/g, (_, hex) => String.fromCharCode(parseInt(hex, 16)));
  return Uint8Array.from(plain, (character) => character.charCodeAt(0));
}
