// The detector behind a server. `page.js` knows no more of it than this object, so that another detector can take its place.

/** Tries of one request while the server is busy. */
const TRIES = 10;
/** Longest time between two tries, in seconds, whatever the server asks for. */
const LONGEST_WAIT = 30;

/** An answer that is none: `detail` is a sentence, `status` that of HTTP, 0 where the server did not answer. */
export class Refusal extends Error {
  constructor(status, kind, detail) {
    super(detail);
    Object.assign(this, { status, kind, detail });
  }
}

const isLocal = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/.test(location.hostname);
const encryption = location.protocol === "https:" ? "" : " The way there is not encrypted.";

/** The bearer's token, in memory alone. */
let token = null;

/**
 * The detector. Each function takes one file and `{ signal, waiting }`: `signal` aborts, `waiting(seconds)` hears
 * that the detector is busy. Each ends with an object or throws a `Refusal`.
 */
export const backend = {
  /** The place to which pictures go: a sentence, and whether they leave this computer. */
  destination: isLocal
    ? { sentence: `Your pictures go to the program on this computer (${location.host}) and nowhere else. It keeps none.`, isAway: false }
    : { sentence: `Your pictures are sent to ${location.host}, which is another computer.${encryption}`, isAway: true },

  /** The reason of silence, to which the page adds the remedy. */
  silence: "The program does not answer. Check that it still runs",

  /** Probability, answer and scope of a picture, with `provenance`. */
  detect: (file, options) => picture("v1/detect?provenance=1", file, options),

  /** The same with map, artifacts and limits. */
  explain: (file, options) => picture("v1/explain?provenance=1", file, options),

  /** The declarations of a file alone, which needs no picture that can be read. */
  provenance: (file, options) => picture("v1/provenance", file, options),

  /** Name, input size, threshold and limits of the model. */
  model: (options) => request("v1/model", {}, options),

  /** Sends this token with every request from now on. */
  setToken(value) {
    token = value;
  },
};

async function picture(path, file, options) {
  const sent = { method: "POST", body: file, headers: { "Content-Type": "application/octet-stream" } };
  const { results } = await request(path, sent, options);
  const result = results?.[0];
  if (!result) throw new Refusal(0, "empty", "the server's answer holds no result");
  if (result.error) throw new Refusal(200, result.error.kind, result.error.detail);
  return result;
}

/** The JSON of a request. A busy server is asked again, after the time that it names. */
async function request(path, sent, { signal, waiting } = {}) {
  for (let attempt = 1; ; attempt += 1) {
    const response = await answer(path, sent, signal);
    const isBusy = response.status === 429 || response.status === 503;
    if (!isBusy || attempt === TRIES) return content(response);
    const seconds = pause(response.headers.get("Retry-After"), attempt);
    waiting?.(seconds);
    await sleep(seconds, signal);
  }
}

async function answer(path, sent, signal) {
  const headers = { Accept: "application/json", ...sent.headers };
  if (token !== null) headers.Authorization = `Bearer ${token}`;
  try {
    return await fetch(path, { ...sent, headers, signal, cache: "no-store", redirect: "error" });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Refusal(0, "unreachable", "the program does not answer; check that it still runs");
  }
}

async function content(response) {
  const body = await response.json().catch(() => null);
  if (response.ok && body !== null) return body;
  const detail = body?.detail ?? body?.title ?? `the server answered with status ${response.status}`;
  throw new Refusal(response.status, body?.kind ?? "unknown", detail);
}

/** Seconds until the next try: those of `Retry-After`, or more from try to try. */
function pause(header, attempt) {
  const asked = header === null ? NaN : Number(header);
  const seconds = Number.isFinite(asked) && asked >= 0 ? asked : attempt;
  return Math.min(Math.max(seconds, 0.1), LONGEST_WAIT);
}

function sleep(seconds, signal) {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const stopped = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stopped);
      resolve();
    }, 1000 * seconds);
    signal?.addEventListener("abort", stopped, { once: true });
  });
}
