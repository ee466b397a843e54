// The answer on one picture: words, number, bar and scope.

import { element, setting, vector } from "./dom.js";
import { answerOf, contradiction, percent, reading, scopeOf, thresholdIn } from "./words.js";

/** Outlines of 24 by 24 that tell the answers apart without color. */
const SHAPES = {
  fake: ["M12 2.5l2.4 7.1 7.1 2.4-7.1 2.4L12 21.5l-2.4-7.1L2.5 12l7.1-2.4z"],
  real: ["M3 7.5h4l1.6-2.5h6.8L17 7.5h4v12H3z", "M12 9.8a3.6 3.6 0 1 0 0 7.2 3.6 3.6 0 0 0 0-7.2z"],
  unsure: ["M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18z", "M9.3 9.6c.2-3.4 5.6-3.2 5.4.2-.1 2-2.7 2.1-2.7 4.2M12 16.6v.9"],
  failed: ["M12 3.5L22 20.5H2z", "M12 9.5v5M12 17v1"],
};

/** The shape of a tone; its meaning always stands beside it in words. */
export function icon(tone) {
  const paths = SHAPES[tone].map((d) => vector("path", { d }));
  return vector("svg", { class: "icon", viewBox: "0 0 24 24", "aria-hidden": "true", focusable: "false" }, paths);
}

/** The answer in words with its sentences, bar and scope. `level` is that of its heading. */
export function verdict(result, model, level) {
  const { words, tone } = answerOf(result);
  const scope = scopeOf(result, model);
  const note = contradiction(result);
  return element("header", { class: `verdict ${result.scope}` },
    element(`h${level}`, { class: "words" }, icon(tone), words),
    reading(result).map((text, index) => element("p", { class: index === 0 ? "number" : "meaning" }, text)),
    note && element("p", { class: "note" }, note),
    result.scope !== "unfamiliar" && bar(result),
    element("p", { class: `scope-note ${result.scope}` }, element("b", {}, `${scope.title}.`), ` ${scope.text}`));
}

/** The probability as a bar, with the threshold as a mark. */
function bar(result) {
  const from = thresholdIn(result.threshold);
  const label = `Probability that the picture was generated: ${percent(result.p_fake)}. The line between the two answers lies at ${from}.`;
  const scale = element("div", { class: "scale", role: "img", "aria-label": label }, element("span", { class: "fill" }), element("span", { class: "from" }));
  setting(scale, "--at", String(within(result.p_fake)));
  setting(scale, "--from", String(within(result.threshold)));
  const ends = ["Photograph", `line at ${from}`, "Generated"];
  return element("div", { class: "odds" }, scale, element("p", { class: "ends", "aria-hidden": "true" }, ends.map((text) => element("span", {}, text))));
}

function within(share) {
  return Math.min(Math.max(Number(share) || 0, 0), 1);
}
