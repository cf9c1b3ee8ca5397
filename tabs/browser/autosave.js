// Saves the project in this browser (IndexedDB) after every edit: the text each time, images and other large parts once. Sends
// Python: parts {ids}, to get the addresses of parts that are missing here, and restore {words, parts}, after a reload.
// Every browser tab has its own slot, whose name is in sessionStorage. If a tab finds that another tab wrote to its slot, as
// after "Duplicate tab", it continues in a new one.
const NAME = `reshoot ${location.pathname}`;
const MOST_PROJECTS = 5;
const PATIENCE_MS = 300_000; // to wait for the server to send a part
const PLACE = "reshoot-place";
const row = element.querySelector(".kept");
const [line, open, forget, afresh] = ["p", ".kept-open", ".kept-forget", ".kept-afresh"].map((part) => row.querySelector(part));
const me = Math.random().toString(36).slice(2);
const linked = new URLSearchParams(location.search).has("s");
const reloaded = performance.getEntriesByType("navigation")[0]?.type === "reload";

const newPlace = () => crypto.getRandomValues(new Uint32Array(2)).join("-");

let place = sessionStorage.getItem(PLACE);
let mine = null; // what was last written to this slot, or read from it
let session = null; // the server's session at the last onValue
let restoring = null; // the project being restored
let edit = null; // the project's edit when it was restored
let apart = false; // whether the project is also open in another tab
let [wanted, busy, answered] = [null, false, null];

const database = new Promise((done, fail) => {
  const request = indexedDB.open(NAME, 1);
  request.onupgradeneeded = () => {
    request.result.createObjectStore("projects", { keyPath: "place" });
    request.result.createObjectStore("parts");
  };
  request.onsuccess = () => done(request.result);
  request.onerror = () => fail(request.error);
});

// Runs one transaction, `act(projects, parts, give)`; resolves with the value passed to give once everything is written.
async function transaction(mode, act) {
  const stores = (await database).transaction(["projects", "parts"], mode);
  return new Promise((done, fail) => {
    let given;
    act(stores.objectStore("projects"), stores.objectStore("parts"), (value) => (given = value));
    stores.oncomplete = () => done(given);
    stores.onabort = () => fail(stores.error);
  });
}

const read = (store, key) =>
  transaction("readonly", (projects, parts, give) => {
    const request = (store === "parts" ? parts : projects).get(key);
    request.onsuccess = () => give(request.result);
  });

const all = () =>
  transaction("readonly", (projects, parts, give) => {
    const request = projects.getAll();
    request.onsuccess = () => give(request.result.sort((one, other) => other.at - one.at));
  });

function say(words, ...buttons) {
  row.hidden = !words;
  if (line.textContent !== words) line.textContent = words;
  for (const each of [open, forget, afresh]) each.hidden = !buttons.includes(each);
}

const time = (at) => {
  const day = new Date(at).toDateString() === new Date().toDateString() ? {} : { day: "numeric", month: "short" };
  return new Date(at).toLocaleString([], { hour: "2-digit", minute: "2-digit", ...day });
};

// Writes a project; uses a new slot if another tab has written to this one since. Returns whether that happened.
async function write(record) {
  const other = await transaction("readwrite", (projects, parts, give) => {
    projects.get(record.place).onsuccess = ({ target: { result: before } }) => {
      const taken = Boolean(before) && before.owner !== me && before.at !== mine?.at;
      if (taken) record.place = newPlace();
      give(taken);
      projects.put(record);
    };
  });
  place = record.place;
  mine = record;
  sessionStorage.setItem(PLACE, place);
  return other;
}

// Keeps only the newest projects and their parts.
async function tidy() {
  const old = (await all()).slice(MOST_PROJECTS).filter((each) => each.place !== place);
  await transaction("readwrite", (projects, parts) => {
    for (const each of old) projects.delete(each.place);
    const left = projects.getAll();
    left.onsuccess = () => {
      const needed = new Set(left.result.flatMap((each) => each.parts.map(([, id]) => id)));
      const keys = parts.getAllKeys();
      keys.onsuccess = () => keys.result.filter((id) => !needed.has(id) && !coming.has(id)).forEach((id) => parts.delete(id));
    };
  });
}

const coming = new Set();

// Fetches missing parts; returns false if the project has changed in the meantime.
async function fetched(parts) {
  const missing = [];
  for (const [, id] of parts) if (!(await read("parts", id))) missing.push(id);
  if (!missing.length) return true;
  missing.forEach((id) => coming.add(id));
  const addresses = await new Promise((done, fail) => {
    answered = done;
    setTimeout(() => fail(new Error("no answer")), PATIENCE_MS);
    trigger("parts", { ids: missing });
  });
  for (const id of missing) {
    if (!addresses[id]) return false;
    const answer = await fetch(new URL(addresses[id], document.baseURI));
    if (!answer.ok) throw new Error(answer.statusText);
    const blob = await answer.blob();
    await transaction("readwrite", (_, store) => store.put(blob, id));
  }
  return true;
}

async function keep(value) {
  if (edit === value.edit) return; // just restored: nothing to write, and the status line stays
  edit = null;
  if (!(await fetched(value.parts))) return;
  const fresh = { place: place ?? newPlace(), owner: me, at: Date.now() };
  apart = (await write({ ...fresh, title: value.title, words: value.words, parts: value.parts })) || apart;
  await tidy();
  coming.clear();
  element.dataset.kept = String(mine.at);
  const note = apart ? "Another tab has this project open too; from here on each keeps its own. " : "";
  say(`${note}Kept in this browser, ${time(mine.at)}.${value.status ? ` ${value.status}` : ""}`, afresh);
}

async function work() {
  if (busy) return;
  busy = true;
  while (wanted) {
    const value = wanted;
    wanted = null;
    try {
      if (value.words) await keep(value);
      else say(value.status, afresh);
    } catch (error) {
      const full = error?.name === "QuotaExceededError";
      say(`${full ? "This browser has no space left" : "The browser failed"} to save the project here; download it as a file.`);
    }
  }
  busy = false;
}

async function restoreProject(record, why) {
  restoring = { record, why };
  say(`Restoring the project of ${time(record.at)} …`);
  try {
    const parts = {};
    for (const [name, id] of record.parts) {
      const blob = await read("parts", id);
      if (!blob) throw new Error(name);
      parts[name] = (await upload(new File([blob], `${id}.bin`))).path;
    }
    trigger("restore", { words: record.words, parts });
  } catch {
    finishRestore({ failed: "a part of it did not reach the server" });
  }
}

function finishRestore({ failed, edit: now, status }) {
  const { record, why } = restoring;
  restoring = null;
  if (failed) return say(`The project of ${time(record.at)} could not be restored: ${failed}.`, open, afresh);
  edit = now;
  say(`${why} as it was at ${time(record.at)}.${status ? ` ${status}` : ""}`, afresh);
}

function onValue() {
  const value = props.value;
  if (!value) return;
  if (value.restored) {
    session = value.session;
    if (restoring) finishRestore(value);
    return;
  }
  if (restoring) return;
  const lost = session !== null && session !== value.session && mine;
  session = value.session;
  if (lost) return restoreProject(mine, "The server had lost this session; your project is back");
  wanted = value;
  work();
}

async function begin() {
  const own = place && !(linked && !reloaded) ? await read("projects", place) : null;
  if (own) {
    mine = own;
    return restoreProject(own, "Your project is back");
  }
  place = null;
  const [newest] = linked ? [] : await all();
  if (newest && !props.value) {
    mine = newest;
    say(`A project of ${time(newest.at)} is saved in this browser${newest.title ? `: ${newest.title}` : ""}.`, open, forget);
  }
}

open.addEventListener("click", () => mine && restoreProject(mine, "The project is open"));
forget.addEventListener("click", async () => {
  await transaction("readwrite", (projects) => projects.delete(mine.place));
  mine = null;
  await tidy();
  say("");
});
afresh.addEventListener("click", () => {
  sessionStorage.removeItem(PLACE);
  const address = new URL(location.href);
  address.searchParams.delete("s");
  if (address.href === location.href) location.reload();
  else location.assign(address);
});

watch("value", onValue);
// Gradio would read a quoted name as an event, and would then also send a description of its handler.
watch(Object.keys({ addresses: true }), () => answered?.(props.addresses ?? {}));
begin().catch(() => say(""));
