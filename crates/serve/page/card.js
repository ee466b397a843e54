// One picture of the list: a row that opens into everything known of it.

import { icon, verdict } from "./answer.js";
import { element } from "./dom.js";
import { artifacts, declarations, details, limits } from "./evidence.js";
import { figures } from "./figure.js";
import { answerOf, fileName, sentence, shareOf, sizeOf } from "./words.js";

/** Side of a small picture in the list, in pixels of the canvas. */
const THUMB = 96;
/** Most pixels of a picture that is decoded for its small picture. */
const MAX_PIXELS = 50e6;

/** Statuses of faults that stay however often one asks. */
const LASTING = [200, 400, 413, 415, 422];

/** The words in a row while there is no answer. */
const STATES = { waiting: "Waits", sending: "Being looked at", stopped: "Not looked at yet" };

/** The row of an entry of the list, which `open` fills and `again` tries once more. */
export class Card {
  constructor(entry, { open, again }) {
    Object.assign(this, { entry, open, again });
    const id = `picture-${entry.number}`;
    this.thumb = element("span", { class: "thumb", "aria-hidden": "true" });
    this.size = element("span", { class: "size" });
    this.answer = element("span", { class: "answer" });
    this.share = element("span", { class: "share" });
    this.row = element("button", { type: "button", class: "row", "aria-expanded": "false", "aria-controls": id, click: () => this.toggle() },
      this.thumb, element("span", { class: "about" }, element("bdi", { class: "name" }, fileName(entry.file.name)), this.size), this.answer, this.share);
    this.fault = element("div", { class: "fault" });
    this.panel = element("div", { id, class: "panel", hidden: true });
    this.root = element("li", { class: "card" }, element("h3", { class: "head" }, this.row), this.fault, this.panel);
    this.update();
  }

  get isOpen() {
    return !this.panel.hidden;
  }

  toggle(isOpen = !this.isOpen) {
    if (!this.entry.result || isOpen === this.isOpen) return;
    this.panel.hidden = !isOpen;
    this.row.setAttribute("aria-expanded", String(isOpen));
    this.root.classList.toggle("open", isOpen);
    if (isOpen) {
      this.fill();
      this.open(this.entry);
    } else {
      this.empty();
    }
  }

  /** Shows the entry's state anew. */
  update() {
    const { entry } = this;
    const tone = entry.result ? answerOf(entry.result).tone : entry.state === "failed" ? "failed" : entry.state;
    this.root.className = `card ${tone}${this.isOpen ? " open" : ""}`;
    this.row.disabled = !entry.result;
    this.fault.replaceChildren();
    if (entry.result) {
      this.size.replaceChildren(sizeOf(entry.result));
      this.answer.replaceChildren(icon(tone), answerOf(entry.result).words);
      const share = shareOf(entry.result);
      this.share.replaceChildren(...(share ? [element("span", { class: "unseen" }, ", probability that it was generated: "), share] : []));
    } else if (entry.state === "failed") {
      this.thumb.replaceChildren(icon("failed"));
      this.answer.replaceChildren("Not read");
      this.share.replaceChildren();
      this.fail();
    } else {
      this.answer.replaceChildren(entry.wait ?? STATES[entry.state]);
      this.share.replaceChildren();
    }
    if (this.isOpen) this.fill();
  }

  /** The reason why there is no answer, and what the file declares all the same. */
  fail() {
    const { error, declared } = this.entry;
    this.fault.append(element("p", {}, sentence(error.detail)));
    if (declared?.claims?.length > 0) this.fault.append(declarations({ provenance: declared }, 4));
    if (LASTING.includes(error.status)) return;
    const name = fileName(this.entry.file.name);
    this.fault.append(element("button", { type: "button", class: "button", "aria-label": `Try again: ${name}`, click: () => this.again(this.entry) }, "Try again"));
  }

  fill() {
    const { entry } = this;
    this.address ??= URL.createObjectURL(entry.file);
    const tools = element("div", { class: "save", role: "group", "aria-label": "Report on this picture" },
      element("span", { "aria-hidden": "true" }, "Report"),
      ["html", "json"].map((kind) => element("button", { type: "button", class: "button", click: () => entry.save(kind) }, `Save as ${kind.toUpperCase()}`)));
    const id = `picture-${entry.number}`;
    this.panel.replaceChildren(article(entry, entry.model, { source: this.address, id, level: 4, again: () => this.open(entry) }), tools);
  }

  /** Frees the picture of a closed row. */
  empty() {
    this.panel.replaceChildren();
    if (this.address) URL.revokeObjectURL(this.address);
    this.address = null;
  }

  /** Draws the small picture; a picture that the browser cannot decode has none. */
  async draw() {
    const { file, result } = this.entry;
    if (result.width * result.height > MAX_PIXELS) return;
    const bitmap = await createImageBitmap(file).catch(() => null);
    if (bitmap === null) return;
    const canvas = element("canvas", { width: THUMB, height: THUMB });
    const side = Math.min(bitmap.width, bitmap.height);
    const [left, top] = [(bitmap.width - side) / 2, (bitmap.height - side) / 2];
    const context = canvas.getContext("2d");
    context.imageSmoothingEnabled = side > THUMB;
    context.imageSmoothingQuality = "high";
    context.drawImage(bitmap, left, top, side, side, 0, 0, THUMB, THUMB);
    bitmap.close();
    this.thumb.replaceChildren(canvas);
  }
}

/** Everything known of a picture. `options` are `source`, `id`, `level` of the headings, `isStatic` and `again`. */
export function article(entry, model, { source, id, level, isStatic = false, again }) {
  const { result, why, whyError } = entry;
  const parts = [verdict(result, model, level)];
  const title = element(`h${level}`, {}, result.answer === "UNSURE" ? "Where the model looked" : "Why");
  if (why) {
    parts.push(element("div", { class: "reasons" },
      element("section", {}, title, figures(why, source, id, isStatic)), artifacts(result, why, level)));
  } else if (whyError) {
    parts.push(element("section", { class: "why" }, title, element("p", {}, sentence(whyError.detail)),
      isStatic ? null : element("button", { type: "button", class: "button", click: again }, "Try again")));
  } else {
    parts.push(element("section", { class: "why" }, title, element("p", { class: "loading" }, "The reasons are being measured.")));
  }
  const pair = [declarations(result, level)];
  if (why) pair.push(limits(why, level));
  parts.push(element("div", { class: "pair" }, pair), details(result, why, model));
  return element("article", { class: `report ${answerOf(result).tone}` }, parts);
}
