// Plain words for the fields of an answer.

/** Longest name that is shown, in characters. */
const MAX_NAME = 60;
/** Last characters of a shortened name that stay: they hold its ending. */
const TAIL = 16;
/** Characters of either end of a name that are looked at: the middle of a longer one is never shown. */
const MAX_END = 1000;
/** Longest text of a file or a server that is shown, in characters. */
const MAX_TEXT = 600;

/** The answers in words, each with a class of its tone. */
export const ANSWERS = {
  FAKE: { words: "Looks generated", tone: "fake" },
  REAL: { words: "Looks like a photograph", tone: "real" },
  UNSURE: { words: "Cannot tell", tone: "unsure" },
};

/** The same for a picture that was resized, whose answer is worth less. */
const HINTS = { __proto__: null, FAKE: "Leans to generated", REAL: "Leans to a photograph" };

/** The words and tone of a result's answer; one that is unknown here is no answer. */
export function answerOf(result) {
  const answer = Object.hasOwn(ANSWERS, result.answer) ? ANSWERS[result.answer] : ANSWERS.UNSURE;
  return { ...answer, words: (result.scope === "resized" && HINTS[result.answer]) || answer.words };
}

/** The probability of a result in percent, where it may be trusted at all. */
export function shareOf(result) {
  return result.scope === "unfamiliar" ? null : percent(result.p_fake);
}

/** A share of 0 to 1 in percent, never rounded to certainty. */
export function percent(share) {
  const value = 100 * share;
  if (!Number.isFinite(value)) return "unknown";
  if (value > 99.95) return "over 99.9\u00a0%";
  if (value < 0.05) return "under 0.1\u00a0%";
  return `${value.toFixed(1)}\u00a0%`;
}

/** The threshold in percent, with as few digits as it needs: 0.9 arrives as 0.89999998. */
export function thresholdIn(threshold) {
  return `${Math.round(threshold * 1e5) / 1e3}\u00a0%`;
}

/** A number of bytes for readers. */
export function bytes(count) {
  if (count < 1000) return `${count} bytes`;
  return count < 1e6 ? `${(count / 1e3).toFixed(0)} kB` : `${(count / 1e6).toFixed(1)} MB`;
}

/** `count` things: "1 picture", "12 pictures". */
export function counted(count, one, many = `${one}s`) {
  return `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
}

/**
 * Untrusted text on one line, without characters that steer, turn the direction of reading or take no room, and with
 * at most two combining marks on a letter.
 */
export function harmless(text, longest = MAX_TEXT) {
  const kept = String(text)
    .slice(0, 20 * longest)
    .replace(/[\s\p{Zl}\p{Zp}]+/gu, " ")
    .replace(/[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Cn}]/gu, "")
    .replace(/(\p{M}{2})\p{M}+/gu, "$1")
    .trim();
  const letters = Array.from(kept);
  return letters.length > longest ? `${letters.slice(0, longest - 1).join("")}…` : kept;
}

/** A file's name as it can be shown; the middle of a long one is left out. */
export function fileName(name) {
  const ends = name.length > 2 * MAX_END ? `${name.slice(0, MAX_END)}…${name.slice(-MAX_END)}` : name;
  const whole = Array.from(harmless(ends, 2 * MAX_END + 1));
  if (whole.length === 0) return "unnamed picture";
  if (whole.length <= MAX_NAME) return whole.join("");
  return `${whole.slice(0, MAX_NAME - TAIL - 1).join("")}…${whole.slice(-TAIL).join("")}`;
}

/** A sentence of a server: capital first, and a full stop. */
export function sentence(text) {
  const plain = harmless(text).replace(/(\d) %/g, "$1\u00a0%");
  if (plain === "") return "The reason is unknown.";
  return plain[0].toUpperCase() + plain.slice(1) + (/[.!?…]$/.test(plain) ? "" : ".");
}

/** The sentences that put a result's probability into words. */
export function reading(result) {
  if (result.scope === "unfamiliar") return ["The model gives no answer: its number is not to be trusted here."];
  const told = `The model puts the probability that this picture was generated at ${percent(result.p_fake)}.`;
  return [told, meaning(result)];
}

/** The meaning of a probability, by answer and scope. */
function meaning({ answer, scope, p_fake: p }) {
  if (answer === "UNSURE") return "Numbers in this range are wrong too often. So the model gives no answer.";
  if (scope === "native") return `${frequency(p)} This holds for pictures like those that the model learned from.`;
  if (answer === "FAKE") return "In tests, some resized photographs got this answer as well. Take it as a hint.";
  return "In tests, resized generated pictures got this answer as often as photographs. It says almost nothing.";
}

/** A calibrated probability as a frequency. */
function frequency(p) {
  const generated = Math.round(100 * p);
  if (generated <= 0) return "Of 100 pictures that get this number, hardly any was generated.";
  if (generated >= 100) return "Of 100 pictures that get this number, nearly all were generated.";
  return `Of 100 pictures that get this number, about ${generated} ${generated === 1 ? "was" : "were"} generated.`;
}

/** The sentence on the pictures for which the answer holds, with a short title. */
export function scopeOf(result, model) {
  const seen = model ? `${model.input.width}×${model.input.height} pixels` : "very few pixels";
  const given = `${result.width}×${result.height}`;
  if (result.scope === "unfamiliar") {
    const share = Number.isFinite(result.familiarity) ? ` Of the pictures that it knows, ${percent(result.familiarity / 100)} are stranger.` : "";
    return {
      title: "Unlike all that the model learned from",
      text: `Nothing can be said about such a picture.${share} A photograph of many megapixels, a drawing or a screenshot is often of this kind.`,
    };
  }
  if (result.scope === "resized") {
    return {
      title: "Resized, so worth less",
      text: `The picture has ${given} pixels, and the model sees ${seen}. The rest was lost when it was resized, and most traces of a generator with it.`,
    };
  }
  return { title: "The model's own size", text: `The model saw every one of the picture's ${given} pixels.` };
}

/** The size of a picture, a hint where this lowers the worth of its answer, and the maker that its file names. */
export function sizeOf(result) {
  const hints = { __proto__: null, resized: ", resized: worth less", unfamiliar: ", unlike all that the model knows" };
  const maker = makerOf(result);
  return `${result.width}×${result.height}${hints[result.scope] ?? ""}${maker ? ` · the file names ${maker}` : ""}`;
}

/** The maker that a file names in its statements: "a generator" or "a camera"; `null` without one. */
export function makerOf(result) {
  const claims = result.provenance?.claims ?? [];
  const says = (...kinds) => claims.some((claim) => kinds.includes(claim.says));
  if (says("ai_generated", "ai_edited")) return "a generator";
  return says("camera") ? "a camera" : null;
}

/** A note where the file and the model say different things; `null` where they do not. */
export function contradiction(result) {
  const maker = makerOf(result);
  if (maker === "a generator" && result.answer !== "FAKE") {
    const answer = result.answer === "REAL" ? "the picture looks like a photograph" : "the model cannot tell";
    return `The file names a generator, though ${answer}. A program rarely writes that by mistake.`;
  }
  if (maker === "a camera" && result.answer === "FAKE") {
    return "The file names a camera, though the picture looks generated. Anybody can write such fields.";
  }
  return null;
}
