// Files that a user chooses, drops or pastes.

import { byId } from "./dom.js";

/** Most files of one drop: a folder may hold many more by mistake. */
export const MAX_FILES = 2000;

/** Pasted pictures so far. */
let pasted = 0;

/**
 * Calls `take(files)` for all files chosen with `input`, dropped on the page or pasted into it, and `nothing()` where
 * something else was pasted or dropped.
 */
export function listen(input, take, nothing) {
  input.addEventListener("change", () => {
    // The list empties with the field, so it is copied first; an emptied field lets the same file be chosen again.
    const files = [...input.files];
    input.value = "";
    if (files.length > 0) take(files);
  });
  document.addEventListener("paste", (event) => {
    if (event.target instanceof HTMLInputElement && event.target.type !== "file") return;
    const files = [...(event.clipboardData?.files ?? [])].map(named);
    if (files.length > 0) event.preventDefault();
    files.length > 0 ? take(files) : nothing();
  });
  listenToDrops(take, nothing);
}

/** A pasted file; pictures without a file all come as "image.png", and get numbers. */
function named(file) {
  if (file.name !== "image.png") return file;
  pasted += 1;
  return new File([file], `Pasted picture ${pasted}`, { type: file.type });
}

function listenToDrops(take, nothing) {
  const veil = byId("veil");
  let depth = 0;
  const show = (by) => {
    depth = Math.max(0, depth + by);
    veil.classList.toggle("on", depth > 0);
  };
  const holdsFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  document.addEventListener("dragenter", (event) => holdsFiles(event) && show(1));
  document.addEventListener("dragleave", (event) => holdsFiles(event) && show(-1));
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", async (event) => {
    event.preventDefault();
    show(-depth);
    const files = await dropped(event.dataTransfer);
    files.length > 0 ? take(files) : nothing();
  });
}

/** The files of a drop, those in folders at any depth included. */
async function dropped(transfer) {
  // Both lists empty when the event ends, so they are read before the first wait.
  const plain = [...transfer.files];
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.some((entry) => entry.isDirectory)) return plain;
  const files = [];
  for (const entry of entries) await walk(entry, files);
  return files;
}

async function walk(entry, files) {
  if (files.length >= MAX_FILES || entry.name.startsWith(".")) return;
  if (entry.isFile) {
    const file = await new Promise((resolve) => entry.file(resolve, () => resolve(null)));
    if (file !== null) files.push(file);
    return;
  }
  const reader = entry.createReader();
  for (;;) {
    // A reader gives some entries at a time, and none at the end.
    const some = await new Promise((resolve) => reader.readEntries(resolve, () => resolve([])));
    if (some.length === 0 || files.length >= MAX_FILES) return;
    for (const inner of some) await walk(inner, files);
  }
}
