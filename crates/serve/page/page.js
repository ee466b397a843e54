// The page: takes files, asks the detector and shows its answers. All that it keeps stays in this tab's memory.

import { backend } from "./backend.js";
import { Card } from "./card.js";
import { byId, element } from "./dom.js";
import { MAX_FILES, listen } from "./files.js";
import { html, json, reportName, save } from "./report.js";
import { Lane } from "./send.js";
import { answerOf, bytes, counted, fileName, harmless, makerOf, shareOf } from "./words.js";

/** Number of pictures from which on the list can be filtered. */
const MANY = 4;
/** Shortest time between two progress messages to a screen reader, in milliseconds. */
const QUIET = 3000;

/** Groups of the list: a test of an entry and its words in the tally, one and many. */
const GROUPS = {
  fake: ["looks generated", "look generated"],
  real: ["looks like a photograph", "look like photographs"],
  unsure: ["is uncertain", "are uncertain"],
  failed: ["was not read", "were not read"],
};

let model = null;
let entries = [];
let made = 0;
let filter = null;
let announced = 0;
let halt = "";

const looking = new Lane(look, show);
const explaining = new Lane(explain, () => {}, 2);

listen(byId("choose"), take, () => say("That held no file. Drop or paste the picture itself: this page opens no addresses."));
byId("stop").addEventListener("click", () => {
  stop();
  // The button is gone, and the focus with it.
  (byId("halt").hidden ? byId("choose") : byId("rest")).focus();
});
byId("clear").addEventListener("click", clear);
byId("rest").addEventListener("click", () => {
  send(entries.filter((entry) => entry.state === "stopped"));
  (byId("progress").hidden ? byId("choose") : byId("stop")).focus();
});
byId("save-html").addEventListener("click", () => report(entries, "html"));
byId("save-json").addEventListener("click", () => report(entries, "json"));
byId("token-form").addEventListener("submit", useToken);
tellDestination();
meet();

/** Adds files to the list and sends them. The newest come first. */
function take(files) {
  const kept = files.slice(0, MAX_FILES);
  const added = kept.map((file) => {
    const entry = { number: (made += 1), file, state: "waiting", save: (kind) => report([entry], kind) };
    entry.card = new Card(entry, { open: (opened) => explaining.add([opened]), again: (again) => send([again]) });
    return entry;
  });
  if (kept.length === 1) for (const entry of entries) entry.card.toggle(false);
  entries = [...added, ...entries];
  filter = null;
  byId("cards").prepend(...added.map((entry) => entry.card.root));
  byId("results").hidden = false;
  say(files.length > MAX_FILES ? `Only the first ${MAX_FILES} of ${counted(files.length, "file")} are looked at.` : `Looking at ${counted(kept.length, "picture")}.`);
  send(added);
}

function send(some) {
  for (const entry of some) renew(entry, { state: "waiting", error: null, wait: null });
  looking.add(some);
  show();
}

function renew(entry, fields) {
  Object.assign(entry, fields);
  entry.card.update();
}

/** Asks for the answer on one picture. */
async function look(entry, signal) {
  renew(entry, { state: "sending" });
  const waiting = (seconds) => renew(entry, { wait: `The program is busy; tries again in ${Math.ceil(seconds)} s` });
  try {
    refuse(entry.file);
    const result = await backend.detect(entry.file, { signal, waiting });
    renew(entry, { state: "done", result, model, wait: null });
    entry.card.draw();
    if (entries.length > 1 && looking.total > 1) return;
    entry.card.toggle(true);
    entry.card.root.scrollIntoView({ block: "nearest" });
  } catch (error) {
    if (signal.aborted) return renew(entry, { state: "stopped", wait: null });
    if (error.kind === "unreachable") return lose(entry, signal);
    await fail(entry, error, signal);
  }
}

/** A request that found nobody: either the program has ended, and all stops, or the file could not be sent. */
async function lose(entry, signal) {
  const isThere = await backend.model({ signal }).then(() => true, () => false);
  if (isThere) return fail(entry, { status: 0, kind: "unsent", detail: "the file could not be sent; it may be gone or too large" }, signal);
  renew(entry, { state: "stopped", wait: null });
  stop(`${backend.silence}, then go on.`);
}

/** Refuses what would only be sent to be refused. */
function refuse(file) {
  const most = model?.limits?.max_body_bytes;
  if (file.size === 0) throw { status: 422, kind: "empty", detail: "the file is empty" };
  if (most && file.size > most) throw { status: 413, kind: "too_large", detail: `the file has ${bytes(file.size)}, and the program takes at most ${bytes(most)}; save a smaller copy` };
}

/** A picture that cannot be read may declare something all the same. */
async function fail(entry, error, signal) {
  const detail = error.detail ?? `the page failed on it: ${error.message}`;
  renew(entry, { state: "failed", error: { status: error.status ?? 0, kind: error.kind ?? "page", detail }, wait: null });
  if (error.status === 401) byId("token-form").hidden = false;
  if (![200, 400, 415].includes(error.status)) return;
  const declared = await backend.provenance(entry.file, { signal }).catch(() => null);
  if (declared !== null) renew(entry, { declared });
}

/** Asks for the reasons of one answer. */
async function explain(entry, signal) {
  if (entry.why || !entry.result) return;
  renew(entry, { whyError: null });
  try {
    const why = await backend.explain(entry.file, { signal });
    renew(entry, { why, model });
  } catch (error) {
    renew(entry, { whyError: { detail: error.detail ?? `the page failed on it: ${error.message}` } });
  }
}

/** Stops for a reason, a sentence; the pictures that are left can be sent later. */
function stop(reason = "Stopped.") {
  for (const entry of looking.stop()) renew(entry, { state: "stopped" });
  halt = reason;
  show();
  say(byId("halt-text").textContent);
}

function clear() {
  if (entries.length >= MANY && !confirm(`Clear ${counted(entries.length, "picture")}? Reports that are not saved are lost.`)) return;
  looking.stop();
  explaining.stop();
  for (const entry of entries) entry.card.empty();
  entries = [];
  byId("cards").replaceChildren();
  byId("results").hidden = true;
  byId("choose").focus();
  say("The list is empty.");
}

/** Saves a report; reasons that nobody has asked for yet are measured first. */
async function report(some, kind) {
  const told = some.filter((entry) => entry.result || entry.error);
  const missing = told.filter((entry) => entry.result && !entry.why);
  const tell = (text) => {
    say(text);
    byId("save-text").textContent = text;
  };
  if (missing.length > 0) tell(`Measuring reasons of ${counted(missing.length, "picture")}.`);
  const buttons = [byId("save-html"), byId("save-json")];
  for (const button of buttons) button.disabled = true;
  try {
    explaining.add(missing);
    await explaining.done();
    const [make, type] = kind === "html" ? [html, "text/html"] : [json, "application/json"];
    save(await make(told, model), type, reportName(told, kind));
    tell("The report was saved.");
  } finally {
    for (const button of buttons) button.disabled = false;
  }
}

/** Shows progress and filter anew. */
function show() {
  const { finished, total, isBusy } = looking;
  byId("progress").hidden = !isBusy || total < 2;
  byId("meter").max = Math.max(total, 1);
  byId("meter").value = finished;
  byId("meter-text").textContent = `${finished} of ${total} looked at`;
  const stopped = entries.filter((entry) => entry.state === "stopped").length;
  byId("halt").hidden = isBusy || stopped === 0;
  byId("halt-text").textContent = `${halt} ${counted(stopped, "picture")} not looked at yet.`;
  byId("save").hidden = isBusy || entries.filter((entry) => entry.result || entry.error).length < 2;
  const groups = Object.groupBy(entries, groupOf);
  showFilter(groups);
  announce(finished, total, isBusy);
}

function groupOf(entry) {
  if (entry.result) return answerOf(entry.result).tone;
  return entry.state === "failed" ? "failed" : "open";
}

/** The list in numbers, as half a sentence. */
function tally(groups) {
  const parts = Object.entries(GROUPS).filter(([group]) => groups[group]);
  return parts.map(([group, [one, many]]) => `${groups[group].length} ${groups[group].length === 1 ? one : many}`).join(", ");
}

function showFilter(groups) {
  const names = { fake: "Looks generated", real: "Looks like a photograph", unsure: "Cannot tell", failed: "Not read" };
  const used = Object.keys(names).filter((group) => groups[group]);
  const isShown = entries.length >= MANY && used.length > 1;
  if (!isShown) filter = null;
  byId("filter").hidden = !isShown;
  const chips = [null, ...used].map((group) => [group, group === null ? `All ${entries.length}` : `${names[group]} ${groups[group].length}`]);
  const held = document.activeElement?.dataset?.group;
  byId("filter").replaceChildren(...chips.map(([group, text]) => element("button", {
    type: "button", class: "chip", "data-group": group ?? "all", "aria-pressed": String(filter === group), click: () => choose(group),
  }, text)));
  if (held) byId("filter").querySelector(`[data-group="${held}"]`)?.focus();
  for (const entry of entries) entry.card.root.hidden = filter !== null && groupOf(entry) !== filter;
}

function choose(group) {
  filter = group;
  show();
}

/** Tells a screen reader how far the work is, without a flood. */
function announce(finished, total, isBusy) {
  if (finished === 0 || entries.some((entry) => entry.state === "stopped")) return;
  if (isBusy && Date.now() - announced < QUIET) return;
  announced = Date.now();
  byId("progress-status").textContent = isBusy ? `${finished} of ${total} looked at.` : "";
  if (isBusy) return;
  const named = entries.filter((one) => one.result && makerOf(one.result) === "a generator").length;
  const makers = named > 0 ? ` ${counted(named, "file")} ${named === 1 ? "names" : "name"} a generator.` : "";
  if (total !== 1) return say(`Done: ${tally(Object.groupBy(entries, groupOf))}.${makers}`);
  const entry = entries.find((one) => one.result || one.error);
  if (!entry) return;
  const share = entry.result && shareOf(entry.result);
  const told = entry.result ? `${answerOf(entry.result).words}.${share ? ` Probability that it was generated: ${share}.` : ""}` : "It was not read.";
  const maker = entry.result && makerOf(entry.result);
  say(`${fileName(entry.file.name)}: ${told}${maker ? ` The file names ${maker}.` : ""}`);
}

function say(text) {
  byId("status").textContent = text;
}

/** States where the pictures go. */
function tellDestination() {
  const { sentence, isAway } = backend.destination;
  byId("destination").textContent = sentence;
  byId("destination").classList.toggle("away", isAway);
}

/** Asks for the model's name and limits. */
async function meet() {
  try {
    model = await backend.model();
    const { limits, input } = model;
    byId("about").textContent = `Model ${harmless(model.name, 80)}, ${input.width}×${input.height} pixels. cifake ${harmless(model.version, 40)}.`;
    byId("formats").textContent = `PNG, JPEG, WebP, BMP and GIF, up to ${bytes(limits.max_body_bytes)} each.`;
    for (const seen of document.querySelectorAll(".seen")) seen.textContent = `a tiny picture of ${input.width}×${input.height} pixels`;
    for (const entry of entries.filter((one) => one.result)) renew(entry, { model });
  } catch (error) {
    if (error.status === 401) byId("token-form").hidden = false;
    byId("about").textContent = error.status === 401 ? "The server asks for a token." : `${backend.silence}, then reload.`;
  }
}

async function useToken(event) {
  event.preventDefault();
  backend.setToken(byId("token").value.trim());
  byId("token").value = "";
  byId("token-form").hidden = true;
  await meet();
  send(entries.filter((entry) => entry.error?.status === 401));
  byId("choose").focus();
}
