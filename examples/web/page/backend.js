// The detector in this page: a worker holds it, and no picture leaves the browser. `page.js` knows no more of it than
// this object, as of the one behind a server.

/** An answer that is none: `detail` is a sentence, `status` that of the same fault behind a server, 0 where the detector itself is gone. */
export class Refusal extends Error {
  constructor(status, kind, detail) {
    super(detail);
    Object.assign(this, { status, kind, detail });
  }
}

const worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
/** What waits for an answer, by number: functions `resolve` and `reject`. */
const pending = new Map();
let asked = 0;
let isLost = false;

worker.addEventListener("message", ({ data: { number, text, lost } }) => {
  if (lost) return lose();
  const { resolve, reject } = pending.get(number);
  pending.delete(number);
  const answer = JSON.parse(text);
  if (answer.error) reject(new Refusal(answer.error.status, answer.error.kind, answer.error.detail));
  else resolve(answer);
});
worker.addEventListener("error", lose);

/**
 * The detector. Each function takes one file and `{ signal }`, which aborts. Each ends with an object or throws a
 * `Refusal`.
 */
export const backend = {
  destination: { sentence: "Your pictures stay in this browser: the detector is part of this page.", isAway: false },

  /** The reason of silence, to which the page adds the remedy. */
  silence: "The detector did not load. Check that you are online",

  /** Probability, answer and scope of a picture, with `provenance`. */
  detect: (file, options) => picture("detect", file, options),

  /** The same with map, artifacts and limits. */
  explain: (file, options) => picture("explain", file, options),

  /** The declarations of a file alone, which needs no picture that can be read. */
  provenance: (file, options) => picture("provenance", file, options),

  /** Name, input size, threshold and limits of the model. */
  model: (options) => ask("model", null, options),
};

async function picture(task, file, options) {
  const content = await file.arrayBuffer().catch(() => null);
  if (content === null) throw new Refusal(0, "unsent", "the file could not be read; it may be gone or too large");
  return ask(task, content, options);
}

function ask(task, content, { signal } = {}) {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    if (isLost) throw gone();
    signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
    pending.set((asked += 1), { resolve, reject });
    worker.postMessage({ number: asked, task, content }, content === null ? [] : [content]);
  });
}

/** The worker's files did not load: nothing will be answered. */
function lose() {
  isLost = true;
  for (const { reject } of pending.values()) reject(gone());
  pending.clear();
}

function gone() {
  return new Refusal(0, "unreachable", "the detector did not load");
}
