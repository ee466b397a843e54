// Lines of evidence beside the answer: artifacts, declarations of the file, limits and facts.

import { element, setting, vector } from "./dom.js";
import { contradiction, harmless, percent, sentence, thresholdIn } from "./words.js";

/** The nine places of a picture, row by row, as answers name them. */
const PLACES = ["top left", "top centre", "top right", "centre left", "centre", "centre right", "bottom left", "bottom centre", "bottom right"];

/** The artifacts that measurements support. The sentence of each names place, measurement and rank among camera pictures. */
export function artifacts(why, level) {
  const found = why.artifacts ?? [];
  const remarks = (why.remarks ?? []).map((remark) => element("p", { class: "remark" }, sentence(remark)));
  const none = why.label === "REAL" ? "Measurements look for traces of a generator. They are made only where the number leans to “generated”." : "None is named.";
  const list = found.length > 0
    ? [element("ul", { class: "artifacts" }, found.map((one) => artifact(one, level + 1))), key(found)]
    : remarks.length === 0 && element("p", { class: "remark" }, none);
  return section("Measurements that stand out", level, list, remarks);
}

function artifact({ name, region, evidence, explanation }, level) {
  return element("li", {},
    place(region),
    element("div", {},
      element(`h${level}`, {}, harmless(name, 120)),
      element("p", {}, sentence(explanation)),
      evidence ? rank(evidence.percentile) : element("p", { class: "fine" }, "Nothing was measured: this is a claim that nothing backs.")));
}

/** The position among camera pictures as a mark on a scale; the explanation says it in words. */
function rank(percentile) {
  const scale = element("span", { class: "rank", "aria-hidden": "true" }, element("i"));
  return setting(scale, "--rank", String(Math.min(Math.max(percentile, 0), 100) / 100));
}

/** The place in a grid of nine; the text beside it names it. */
function place(region) {
  const squares = PLACES.map((name, index) => {
    const state = region === null || region === undefined ? "all" : region === name ? "on" : "off";
    return vector("rect", { class: state, x: (index % 3) * 11, y: Math.floor(index / 3) * 11, width: 10, height: 10 });
  });
  return vector("svg", { class: "place", viewBox: "0 0 32 32", "aria-hidden": "true" }, squares);
}

function key(found) {
  return found.some((one) => one.evidence)
    ? element("p", { class: "fine" }, "The darker band of each scale holds the middle 90 % of camera pictures, and the mark is this picture.") : null;
}

/** The statements of the file itself. */
export function declarations(result, level) {
  const told = result.provenance;
  if (!told) return section("What the file declares", level, element("p", {}, "The file was not asked."));
  const claims = told.claims ?? [];
  const parts = [claims.length > 0
    ? element("ul", { class: "claims" }, claims.map((claim) => element("li", {}, harmless(claim.text))))
    : element("p", {}, "No statement names an origin. That means nothing: most services remove such notes. A statement would not change the probability.")];
  if (told.credentials?.state && told.credentials.state !== "none") {
    parts.push(credentials(told.credentials));
  }
  if (told.damage) parts.push(element("p", {}, `The file is damaged: ${sentence(told.damage)}`));
  const note = result.answer ? contradiction(result) : null;
  if (note !== null) parts.push(element("p", { class: "note" }, note));
  const apart = result.answer ? "These are statements of the file. They changed nothing in the probability." : "These are statements of the file alone.";
  if (claims.length > 0) parts.push(element("p", { class: "fine" }, `${apart} Anybody can remove them, and most can be invented.`));
  return section("What the file declares", level, parts);
}

/** The check of the file's C2PA manifests: a sentence, and a line for each fault. */
function credentials({ text }) {
  const [first, ...faults] = String(text ?? "").split("\n").slice(0, 40);
  const list = faults.length > 0 && element("ul", { class: "claims" }, faults.map((fault) => element("li", {}, sentence(fault.replace(/^- /, "")))));
  return [element("p", {}, sentence(first)), list];
}

/** The limits of this answer. */
export function limits(why, level) {
  const list = (why.limits ?? []).map((limit) => element("li", {}, sentence(limit)));
  return section("What this cannot tell", level, element("ul", { class: "limits" }, list));
}

/** Model, size and numbers, for those who compare. */
export function details(result, why, model) {
  const familiarity = Number.isFinite(result.familiarity) ? percent(result.familiarity / 100) : "unknown";
  const pairs = [
    ["Answer", result.answer], ["Model", result.model], ["Line between the answers", thresholdIn(result.threshold)], ["Picture", `${result.width}×${result.height}, ${result.scope}`],
    ["Known pictures as strange", familiarity], ["Map", why?.map?.method ?? "none"], ["Version", why?.version ?? model?.version ?? "unknown"],
  ];
  return element("dl", { class: "details" }, pairs.map(([term, text]) => element("div", {}, element("dt", {}, term), element("dd", {}, harmless(text, 120)))));
}

function section(title, level, ...children) {
  return element("section", {}, element(`h${level}`, {}, title), children);
}
