// The picture under the map of its answer.

import { element, setting } from "./dom.js";
import { harmless } from "./words.js";

/** Strength of the map at first, in percent. */
const STRENGTH = 80;
/** Regions that are named. */
const N_NAMED = 3;
/** Share of the map below which a region is not named. */
const LEAST_NAMED = 0.01;
/** Longest side of a picture whose pixels are shown as squares. */
const TINY = 128;

/** Kinds of data URL that the page shows: what an answer names elsewhere is never fetched. */
const DATA_PNG = /^data:image\/png;base64,[A-Za-z0-9+/=]+$/;

/**
 * The figures of an explanation. `source` is the address of the picture itself, and `id` makes ids of their own. A
 * figure on paper (`isStatic`) has no slider, and shows the picture once more without the map.
 */
export function figures(why, source, id, isStatic) {
  const map = pngOf(why.map?.data);
  const seen = pngOf(why.picture);
  const parts = [map === null ? plain(why, source, seen) : mapped(why, source, seen, map, id, isStatic)];
  if (map !== null && isStatic) parts.push(plain(why, source, seen));
  parts.push(element("p", { class: "strongest" }, strongest(why)));
  if (seen !== null && why.scope !== "native") parts.push(input(seen));
  return element("div", { class: "figures" }, parts);
}

function plain(why, source, seen) {
  return element("figure", {}, element("div", { class: "frame" }, picture(why, source, seen)), element("figcaption", {}, "The picture."));
}

function mapped(why, source, seen, map, id, isStatic) {
  const cover = element("img", { class: "map", src: map, alt: "" });
  const frame = element("div", { class: "frame" }, picture(why, source, seen), cover);
  setting(frame, "--strength", String(STRENGTH / 100));
  const ramp = element("p", { class: "legend" }, "weak", element("span", { class: "ramp", "aria-hidden": "true" }), "strong");
  const caption = `Bright places spoke for “${why.label === "FAKE" ? "generated" : "photograph"}” (${harmless(why.map.method, 40)}). Something found there need not be the reason.`;
  const slider = isStatic ? null : element("div", { class: "slider" },
    element("label", { for: `${id}-strength` }, "Strength of the map"),
    element("input", {
      id: `${id}-strength`, type: "range", min: 0, max: 100, step: 5, value: STRENGTH, "aria-valuetext": `${STRENGTH} percent`,
      input: ({ target }) => {
        setting(frame, "--strength", String(target.value / 100));
        target.setAttribute("aria-valuetext", `${target.value} percent`);
      },
    }));
  return element("figure", {}, frame, slider, element("figcaption", {}, caption, ramp));
}

/** The picture at its own aspect; the model's input stands in for one that the browser cannot show. */
function picture(why, source, seen) {
  const isTiny = Math.max(why.width, why.height) <= TINY;
  const shown = element("img", { class: isTiny ? "picture tiny" : "picture", src: source ?? seen, alt: "The picture", width: why.width, height: why.height });
  if (seen !== null && source) shown.addEventListener("error", () => {
    shown.src = seen;
    shown.classList.add("tiny");
  }, { once: true });
  return shown;
}

function input(seen) {
  return element("figure", { class: "input" },
    element("img", { class: "tiny", src: seen, alt: "The picture as the model saw it", width: 32, height: 32 }),
    element("figcaption", {}, "This is all that the model saw."));
}

/** The regions with the largest shares of the map, in words. */
function strongest(why) {
  const named = (why.regions ?? []).slice(0, N_NAMED).filter((region) => region.share >= LEAST_NAMED);
  if (named.length === 0) return "No place stands out.";
  const words = named.map((region) => `${harmless(region.name, 40)} (${Math.round(100 * region.share)}\u00a0%)`);
  return `Strongest places: ${words.join(", ")}.`;
}

function pngOf(url) {
  return typeof url === "string" && DATA_PNG.test(url) ? url : null;
}
