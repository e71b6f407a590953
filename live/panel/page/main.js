// The page: buttons, switches and keys send commands; everything shown comes from the program's state.

import { command, connect, on, redeem, send, showPicture, unlock } from "/page/link.js";
import * as preview from "/page/preview.js";
import { lookKeys } from "/page/looks.js";
import "/page/adjust.js";
import "/page/runs.js";
import "/page/devices.js";

const byId = (id) => document.getElementById(id);
let state = null;

on("connection", (how) => {
  const words = { connecting: "connecting", connected: "connected", lost: "connection lost, trying again",
    refused: "refused: open a new link with veneer panel", ended: "Veneer has ended" };
  byId("connection").textContent = words[how];
  byId("connection").dataset.state = how;
  document.body.classList.toggle("away", how !== "connected");
});

on("state", (message) => {
  state = message;
  byId("viewers").textContent = message.waiting && message.viewers.level !== "nothing"
    ? `${message.viewers.words}; waiting for the camera` : message.viewers.words;
  byId("banner").dataset.level = message.viewers.level;
  press("panic", message.panic);
  press("freeze", message.frozen);
  press("record", message.recording !== null);
  check("mirror", message.mirror);
  check("bare", message.bare);
  byId("bare-note").hidden = !message.bare;
  byId("panic").querySelector(".big").textContent = message.panic ? "Show camera" : "Panic";
  byId("panic").querySelector(".hint").firstChild.textContent =
    message.panic ? "viewers see a card " : "hide the camera at once ";
  if (!dragging) setStrength(message.strength);
  showRecording(message.recording);
  showSnapshots(message.snapshots);
  showNotice(message.notices);
});

function press(id, on) {
  byId(id).setAttribute("aria-pressed", String(on));
}

function check(id, on) {
  byId(id).setAttribute("aria-checked", String(on));
}

function showRecording(recording) {
  byId("record-badge").hidden = recording === null;
  if (recording === null) return;
  const minutes = Math.floor(recording.seconds / 60);
  const seconds = String(recording.seconds % 60).padStart(2, "0");
  byId("record-text").textContent = `${minutes}:${seconds}  ${(recording.bytes / 1e6).toFixed(1)} MB`;
}

let shots = "";
function showSnapshots(names) {
  if (shots === names.join()) return;
  shots = names.join();
  byId("shots").replaceChildren(...names.map((name) => {
    const image = new Image();
    image.alt = `snapshot ${name}`;
    image.title = name;
    showPicture(image, `/api/snapshots/${encodeURIComponent(name)}`).catch(() => image.remove());
    return image;
  }));
}

let lastNotice = null;
function showNotice(notices) {
  const newest = notices.at(-1) ?? "";
  if (lastNotice !== null && newest !== lastNotice) toast(newest);
  lastNotice = newest;
}

let toastTimer = 0;
function toast(text) {
  byId("toast").textContent = text;
  byId("toast").classList.add("shown");
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => byId("toast").classList.remove("shown"), 6000);
}
on("toast", toast);

for (const [id, verb] of [["panic", "panic"], ["freeze", "freeze"], ["record", "record"], ["mirror", "mirror"],
  ["bare", "bare"]]) {
  byId(id).addEventListener("click", () => {
    const on = (byId(id).getAttribute("aria-pressed") ?? byId(id).getAttribute("aria-checked")) === "true";
    command(verb, on ? "off" : "on");
  });
}
byId("snapshot").addEventListener("click", () => command("snapshot"));
byId("compare").addEventListener("click", () => {
  const on = byId("compare").getAttribute("aria-checked") !== "true";
  check("compare", on);
  byId("bare").hidden = !on;
  if (!on && state?.bare) command("bare", "off");
  preview.setComparing(on);
});

// While the slider is dragged, one command is on its way at a time and the newest value wins.
const strength = byId("strength");
let dragging = false, sending = false, waiting = null;
function setStrength(value) {
  strength.value = Math.round(value * 100);
  byId("strength-value").textContent = `${strength.value} %`;
  strength.style.setProperty("--at", `${strength.value}%`);
}
async function sendStrength() {
  if (sending) return;
  sending = true;
  while (waiting !== null) {
    const value = waiting;
    waiting = null;
    await send("strength", value).catch((error) => toast(error.message));
  }
  sending = false;
}
strength.addEventListener("input", () => {
  dragging = true;
  waiting = Number(strength.value) / 100;
  setStrength(waiting);
  sendStrength();
});
for (const end of ["change", "pointerup", "blur"]) strength.addEventListener(end, () => { dragging = false; });

const KEYS = { "[": ["strength", "-"], "]": ["strength", "+"], m: ["mirror"], f: ["freeze"], b: ["panic"],
  s: ["snapshot"], r: ["record"] };
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || byId("pair").open) return;
  if (event.target.matches("input:not([type=range]), select, textarea")) return;
  const key = event.key.toLowerCase();
  if (event.repeat && !"[]".includes(key)) return;
  const words = lookKeys.has(key) ? ["look", lookKeys.get(key)] : KEYS[key];
  if (!words) return;
  event.preventDefault();
  command(...words);
});

// Tabs: arrows move between them, as the ARIA pattern says.
const tabs = [...document.querySelectorAll("[role=tab]")];
function choose(tab) {
  for (const one of tabs) {
    const on = one === tab;
    one.setAttribute("aria-selected", String(on));
    one.tabIndex = on ? 0 : -1;
    byId(one.getAttribute("aria-controls")).hidden = !on;
  }
  tab.scrollIntoView({ block: "nearest", inline: "nearest" });
}
for (const [index, tab] of tabs.entries()) {
  tab.addEventListener("click", () => choose(tab));
  tab.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const next = tabs[(index + step + tabs.length) % tabs.length];
    choose(next);
    next.focus();
  });
}

byId("pair-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  if (await redeem(byId("pair-code").value.trim())) {
    byId("pair").close();
    begin();
  } else {
    byId("pair-text").textContent = "That code was used, is too old or wrong. Get another one: veneer panel, or for a phone veneer panel --phone.";
  }
});

function begin() {
  connect();
  preview.start();
}

if (await unlock()) begin();
else {
  byId("connection").textContent = "no link";
  byId("connection").dataset.state = "refused";
  if (location.protocol === "https:") byId("pair-text").textContent = "Type the code that Veneer printed.";
  byId("pair").showModal();
}
