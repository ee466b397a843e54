// Reports to keep: JSON, and a page of HTML that needs nothing beside itself.

import { article } from "./card.js";
import { element } from "./dom.js";
import { fileName, sentence } from "./words.js";

/** Longest side of a picture in a report, in pixels: of one of few, and of one of many. */
const MAX_SHOWN = [1024, 512];
/** Pictures from which on a report has many. */
const MANY = 10;
/** Longest side of a picture that stays as it is, in pixels: compression would hide what the model saw. */
const TINY = 128;

/** What a report's page may load: nothing but its own pictures and style, and no script. */
const POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'";

/** The page up to its style, which is the page's own; no text of a file or a server stands here. */
const HEAD = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Report of cifake</title>
`;

/** Entries with an answer or an error, as text of JSON. */
export async function json(entries, model) {
  const pictures = [];
  for (const entry of entries) {
    const { file, result, why, error } = entry;
    const told = result ? { result: withoutPictures({ ...result, ...why }) } : { error: { kind: error.kind, detail: error.detail } };
    pictures.push({ name: file.name, bytes: file.size, sha256: await hash(file), ...told });
  }
  return `${JSON.stringify({ made: new Date().toISOString(), model, pictures }, null, 2)}\n`;
}

/** The file has its own pictures, so a report in JSON holds none. */
function withoutPictures({ picture, map, name, path, text, ...rest }) {
  return map === undefined ? rest : { ...rest, map_method: map?.method ?? null };
}

/** Entries with an answer or an error, as text of HTML. All texts are nodes, which the browser's serializer escapes. */
export async function html(entries, model) {
  const style = rules();
  const made = `Made on ${new Date().toLocaleString("en", { dateStyle: "long", timeStyle: "short" })}. An answer is an estimate, and no proof.`;
  const main = element("main", { class: "paper" }, element("h1", {}, "Is this picture generated?"), element("p", { class: "lead" }, made));
  const longest = MAX_SHOWN[entries.length < MANY ? 0 : 1];
  for (const entry of entries) main.append(await part(entry, model, longest));
  return `${HEAD}<style>\n${style}</style>\n</head>\n${element("body", {}, main).outerHTML}\n</html>\n`;
}

/** The page's style as the browser holds it: no second request. */
function rules() {
  const sheets = [...document.styleSheets].flatMap((sheet) => [...sheet.cssRules]);
  return sheets.map((rule) => `${rule.cssText}\n`).join("");
}

async function part(entry, model, longest) {
  const heading = element("h2", {}, element("bdi", {}, fileName(entry.file.name)));
  const digest = await hash(entry.file);
  const mark = digest ? element("p", { class: "fine" }, `SHA-256 of the file: ${digest}`) : null;
  if (!entry.result) return element("section", {}, heading, mark, element("p", {}, `Not read. ${sentence(entry.error.detail)}`));
  const options = { source: await dataUrl(entry.file, longest), id: `picture-${entry.number}`, level: 3, isStatic: true };
  return element("section", {}, heading, mark, article(entry, model, options));
}

/** The picture as a data URL, its longer side at most `longest`; `null` where the browser cannot decode it. */
async function dataUrl(file, longest) {
  const bitmap = await createImageBitmap(file).catch(() => null);
  if (bitmap === null) return null;
  const scale = Math.min(1, longest / Math.max(bitmap.width, bitmap.height));
  const [width, height] = [bitmap.width, bitmap.height].map((side) => Math.max(1, Math.round(side * scale)));
  const canvas = element("canvas", { width, height });
  canvas.getContext("2d").drawImage(bitmap, 0, 0, width, height);
  bitmap.close();
  return Math.max(width, height) > TINY ? canvas.toDataURL("image/jpeg", 0.9) : canvas.toDataURL("image/png");
}

/** SHA-256 of a file in hexadecimal digits; `null` where the browser gives none, as on a page without encryption. */
async function hash(file) {
  if (!globalThis.crypto?.subtle) return null;
  const content = await file.arrayBuffer().catch(() => null);
  if (content === null) return null;
  const digest = await crypto.subtle.digest("SHA-256", content);
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Hands a text to the user as a file. */
export function save(text, type, name) {
  const address = URL.createObjectURL(new Blob([text], { type }));
  element("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

/** Name of a report's file: letters that no file system minds. */
export function reportName(entries, kind) {
  const only = entries.length === 1 ? `-${entries[0].file.name.slice(0, 200).replace(/\.[^.]*$/, "").replace(/[^A-Za-z0-9_-]+/g, "-").slice(0, 60)}` : "";
  return `cifake-report${only.replace(/-+$/, "")}.${kind}`;
}
