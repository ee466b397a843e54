// Lines of evidence beside the answer: artifacts, declarations of the file, limits and facts.

import { element, setting, vector } from "./dom.js";
import { answerOf, harmless, percent, sentence, thresholdIn } from "./words.js";

/** The nine places of a picture, row by row, as answers name them. */
const PLACES = ["top left", "top centre", "top right", "centre left", "centre", "centre right", "bottom left", "bottom centre", "bottom right"];

/** The artifacts that measurements support. The sentence of each names place, measurement and rank among camera pictures. */
export function artifacts(result, why, level) {
  if (result.scope === "unfamiliar") {
    const text = "None is shown: the picture is unlike all that the model learned from, so they would mean nothing.";
    return section("Measurements that stand out", level, element("p", { class: "remark" }, text));
  }
  const found = why.artifacts ?? [];
  const remarks = (why.remarks ?? []).map((remark) => element("p", { class: "remark" }, sentence(remark)));
  const none = why.label === "REAL" ? "Nothing was measured. Traces of a generator are measured only where the number leans to “generated”." : "None is named.";
  const caution = "Camera pictures show such values too. The names come from a fixed list, and none of them proves anything alone.";
  const list = found.length > 0
    ? [element("p", { class: "fine" }, caution), element("ul", { class: "artifacts" }, found.map((one) => artifact(one, level + 1))), key(found)]
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
  const state = told.credentials?.state ?? "none";
  const none = state === "not_read"
    ? "The file may hold a signed statement of its origin (C2PA), which this program cannot read. No other statement names an origin."
    : "No statement names an origin. That says nothing about it: many services remove such statements. One would not change the probability.";
  const parts = [claims.length > 0
    ? element("ul", { class: "claims" }, claims.map((claim) => element("li", {}, harmless(claim.text))))
    : element("p", {}, none)];
  if (state !== "none" && (state !== "not_read" || claims.length > 0)) parts.push(credentials(told.credentials));
  if (told.damage) parts.push(element("p", {}, `The file is damaged: ${sentence(told.damage)}`));
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
  const scopes = { native: "the model's own size", resized: "resized for the model", unfamiliar: "unlike what the model knows" };
  const map = why?.map?.method ? `${why.map.method}, a method that traces the number back to places` : "none";
  const pairs = [
    ["Answer", `${answerOf(result).words} (${result.answer})`], ["Probability that it was generated", percent(result.p_fake)],
    ["Line between the answers", thresholdIn(result.threshold)], ["Model", result.model],
    ["Picture", `${result.width}×${result.height}, ${scopes[result.scope] ?? result.scope}`],
    ["Known pictures that are stranger", familiarity], ["Map", map], ["Version", why?.version ?? model?.version ?? "unknown"],
  ];
  return element("dl", { class: "details" }, pairs.map(([term, text]) => element("div", {}, element("dt", {}, term), element("dd", {}, harmless(text, 120)))));
}

function section(title, level, ...children) {
  return element("section", {}, element(`h${level}`, {}, title), children);
}
