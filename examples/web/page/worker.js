// Holds the detector and answers one question after the other. It loads two files at its start, and nothing later.

import init, { Web, __wbg_reset_state as reset } from "./cifake_web.js";

/** The answer on a file that made the detector stop: the next file finds a new one. */
const STOPPED = JSON.stringify({ error: { status: 500, kind: "internal", detail: "the detector stopped over this file; it is not your fault" } });

let detector = null;
const ready = init().then(() => {
  detector = new Web();
});
ready.catch(() => postMessage({ lost: true }));

addEventListener("message", async ({ data: { number, task, content } }) => {
  await ready;
  postMessage({ number, text: answer(task, content) });
});

function answer(task, content) {
  try {
    return content === null ? detector[task]() : detector[task](new Uint8Array(content));
  } catch {
    // A panic, or no memory left. The module's memory is no longer to be trusted, so that it begins anew.
    reset();
    detector = new Web();
    return STOPPED;
  }
}
