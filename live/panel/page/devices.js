// Camera, outputs and microphone, what is missing, and the end of the program.

import { command, end, on, request } from "/page/link.js";
import { result } from "/page/runs.js";

const byId = (id) => document.getElementById(id);
const SIZES = [[640, 360], [640, 480], [1280, 720], [1920, 1080]];
const RATES = [15, 24, 30, 60];
let cameras = [];
let choice = null;

on("stats", (message) => {
  if (JSON.stringify(choice) !== JSON.stringify(message.choice)) {
    choice = message.choice;
    showCamera();
  }
  showSinks(message);
  const { on: delayed, delay_ms: delay } = message.microphone;
  byId("microphone").setAttribute("aria-checked", String(delayed));
  byId("delay-note").textContent = !delayed ? "" : delay === null ? "measuring" : `${Math.round(delay)} ms`;
});

async function findCameras() {
  try {
    cameras = await (await request("/api/cameras")).json();
    showCamera();
  } catch {
    // the connection is lost; the next visit asks again
  }
}
byId("tab-setup").addEventListener("click", findCameras);
byId("camera").addEventListener("pointerdown", findCameras, { once: true });

function showCamera() {
  if (!choice) return;
  const listed = cameras.some((one) => one.name === choice.name);
  fill("camera", [...(listed ? [] : [[choice.name, choice.name]]), ...cameras.map((one) => [one.name, one.label])], choice.name);
  const modes = cameras.find((one) => one.name === choice.name)?.modes ?? [];
  const size = choice.size.join("x");
  const sizes = (modes.length ? modes : SIZES).map(([width, height]) => `${width}x${height}`);
  fill("camera-size", withOwn(sizes, size).map((one) => [one, one.replace("x", " x ")]), size);
  const rates = modes.find(([width, height]) => `${width}x${height}` === size)?.[2] ?? [];
  fill("camera-fps", withOwn(rates.length ? rates : RATES, choice.fps).map((one) => [one, `${one} fps`]), choice.fps);
}

const withOwn = (all, own) => (all.includes(own) ? all : [...all, own]);

function fill(id, entries, value) {
  const select = byId(id), text = JSON.stringify(entries);
  if (select.dataset.entries !== text) {
    select.dataset.entries = text;
    select.replaceChildren(...entries.map(([name, label]) => new Option(label, name)));
  }
  select.value = String(value);
}

byId("camera").addEventListener("change", () => command("camera", byId("camera").value));
byId("camera-size").addEventListener("change", () => command("camera", byId("camera-size").value));
byId("camera-fps").addEventListener("change", () => command("camera", `${byId("camera-fps").value}fps`));

// One switch per output; the row is made once, so that the focus stays.
function showSinks(message) {
  const counts = new Map(message.sinks.map((one) => [one.sink, one]));
  for (const name of new Set([...message.sink_names, ...counts.keys()])) {
    let row = [...byId("sinks").children].find((one) => one.dataset.name === name);
    if (!row) {
      row = document.createElement("li");
      row.dataset.name = name;
      const button = document.createElement("button");
      button.type = "button";
      button.className = "switch";
      button.setAttribute("role", "switch");
      button.textContent = name === "null" ? "none, this page only" : name;
      button.addEventListener("click", () =>
        command("sink", button.getAttribute("aria-checked") === "true" ? "off" : "on", name));
      row.append(button, document.createElement("small"));
      byId("sinks").append(row);
    }
    const one = counts.get(name);
    row.querySelector("button").setAttribute("aria-checked", String(Boolean(one)));
    row.querySelector("small").textContent = one ? `${one.frames} frames, ${one.dropped} dropped` : "off";
  }
}

const delay = byId("delay");
byId("microphone").addEventListener("click", () =>
  command("microphone", byId("microphone").getAttribute("aria-checked") === "true" ? "off" : delay.value || "on"));
delay.addEventListener("change", () => {
  if (byId("microphone").getAttribute("aria-checked") === "true") command("microphone", delay.value || "on");
});

// What is missing stays above the picture until it works.
let missing = "";
on("state", (message) => {
  const text = JSON.stringify(message.missing);
  byId("missing").hidden = !message.missing.length;
  if (text === missing) return;
  missing = text;
  byId("missing").replaceChildren(...message.missing.map((one) => {
    const item = result({ ...one, ok: false, needed: true });
    const remedy = document.createElement("button");
    remedy.type = "button";
    remedy.className = "plain tiny";
    remedy.textContent = one.name === "camera" ? "Use the demo portrait" : "Try again";
    if (one.name !== "camera") remedy.setAttribute("aria-label", `Try ${one.name} again`);
    remedy.addEventListener("click", () =>
      (one.name === "camera" ? command("camera", "demo") : command("sink", "on", one.name)));
    item.append(remedy);
    return item;
  }));
});

byId("phone").addEventListener("click", async () => {
  const line = await command("panel", "phone");
  byId("phone-note").textContent = line ?? "";
  byId("phone-note").hidden = line === null;
});

// Two clicks, because the program cannot be started from here.
byId("quit").addEventListener("click", async () => {
  if (byId("quit").dataset.sure !== "yes") {
    byId("quit").dataset.sure = "yes";
    byId("quit").textContent = "Press again to end Veneer";
    setTimeout(() => {
      byId("quit").dataset.sure = "";
      byId("quit").textContent = "End Veneer";
    }, 4000);
  } else if (await command("quit") !== null) {
    end();
  }
});
