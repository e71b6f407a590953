// Changes of the selected look: its layers, the rule without a face, undo and save.

import { command, on } from "/page/link.js";

const byId = (id) => document.getElementById(id);
const LABELS = { strength: "Strength", color: "Colour", finish: "Finish", region: "Region", medium: "Medium" };
let selected = "";
let looks = null;
let shape = "";
let busy = 0;  // no rebuilding while the user drags

on("state", (message) => {
  if (message.look === selected) return;
  selected = message.look;
  show();
});
on("looks", (message) => {
  looks = message;
  show();
});

function show() {
  const look = looks?.looks.find((one) => one.name === selected);
  if (!look || performance.now() < busy) return;
  byId("adjust-name").textContent = look.edited ? `${look.name}, changed` : look.name;
  byId("adjust-about").textContent = look.about;
  byId("undo").disabled = !looks.can_undo;
  const newShape = JSON.stringify([look.name, look.layers.map((layer) => [layer.style, Object.keys(layer)])]);
  if (newShape !== shape) {
    shape = newShape;
    byId("layers").replaceChildren(...look.layers.map((layer, index) => makeLayer(layer, index + 1)));
  }
  look.layers.forEach(fill);
  options(byId("no-face"), looks.choices.no_face, look.fallback.no_face);
  options(byId("then"), looks.choices.then, look.fallback.then);
  byId("hold").hidden = look.fallback.no_face !== "hold";
  if (document.activeElement !== byId("hold-s")) byId("hold-s").value = look.fallback.hold_s;
}

function makeLayer(layer, number) {
  const box = document.createElement("fieldset");
  const legend = document.createElement("legend");
  legend.textContent = layer.style === "shade" ? "lipstick" : layer.style;
  box.append(legend);
  for (const key of Object.keys(LABELS)) {
    if (key in layer) box.append(makeField(key, number));
  }
  return box;
}

function makeField(key, number) {
  const label = document.createElement("label");
  const text = document.createElement("span");
  text.textContent = LABELS[key];
  const choice = looks.choices[key];
  const field = document.createElement(choice ? "select" : "input");
  field.dataset.layer = number;
  field.dataset.key = key;
  label.className = key === "strength" ? "slider" : "row";
  label.append(text, field);
  if (key === "strength") {
    Object.assign(field, { type: "range", min: 0, max: 100, step: 1 });
    label.append(document.createElement("output"));
  } else if (key === "color") {
    field.type = "color";
  }
  field.addEventListener("input", () => changed(field, number, key));
  return label;
}

function fill(layer, index) {
  for (const field of byId("layers").querySelectorAll(`[data-layer="${index + 1}"]`)) {
    const value = layer[field.dataset.key];
    if (field.tagName === "SELECT") options(field, looks.choices[field.dataset.key], value);
    else if (field.type === "range") setRange(field, Math.round(value * 100));
    else field.value = value;
  }
}

function setRange(field, percent) {
  field.value = percent;
  field.style.setProperty("--at", `${percent}%`);
  field.parentElement.querySelector("output").textContent = `${percent} %`;
}

function options(select, names, value) {
  if (select.options.length !== names.length) {
    select.replaceChildren(...names.map((name) => new Option(name, name)));
  }
  if (document.activeElement !== select || select.value !== value) select.value = value;
}

// One command is on its way at a time; of those that wait, the newest counts.
const waiting = new Map();
let sending = false;
async function changed(field, number, key) {
  busy = performance.now() + 600;
  if (field.type === "range") setRange(field, field.value);
  waiting.set(`${number} ${key}`, field.type === "range" ? field.value / 100 : field.value);
  if (sending) return;
  sending = true;
  while (waiting.size) {
    const [[what, value]] = waiting;
    waiting.delete(what);
    await command("layer", ...what.split(" "), value);
    busy = performance.now() + 300;
  }
  sending = false;
  setTimeout(show, 350);
}

function sendFallback() {
  const rule = byId("no-face").value;
  if (rule === "hold") command("fallback", "hold", byId("hold-s").value || "0.5", byId("then").value);
  else command("fallback", rule);
}
for (const id of ["no-face", "then", "hold-s"]) byId(id).addEventListener("change", sendFallback);
byId("undo").addEventListener("click", () => {
  busy = 0;
  command("undo");
});
byId("save-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const done = await command("save", byId("save-name").value.trim());
  if (done !== null) byId("save-name").value = "";
});
