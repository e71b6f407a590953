// How it runs: charts, stages, engines, checks and the report.

import { on, request } from "/page/link.js";

const byId = (id) => document.getElementById(id);
const CHARTS = [["fps", "Frames a second", ""], ["p50_ms", "Latency, median", " ms"], ["p95_ms", "Latency, 95 %", " ms"],
  ["dropped", "Dropped frames", ""]];
const KEPT = 90;
const STAGES = { track: "find faces", region: "cut regions", generate: "networks", composite: "draw and blend", send: "send" };
const history = new Map(CHARTS.map(([key]) => [key, []]));

for (const [key, label] of CHARTS) {
  const figure = document.createElement("figure");
  figure.innerHTML = '<figcaption></figcaption><strong></strong><svg viewBox="0 0 180 44" preserveAspectRatio="none" ' +
    'aria-hidden="true"><polyline class="area"/><polyline class="line"/></svg>';
  figure.querySelector("figcaption").textContent = label;
  figure.id = `chart-${key}`;
  byId("charts").append(figure);
}

on("stats", (message) => {
  for (const [key, , unit] of CHARTS) draw(key, message[key], unit);
  const longest = Math.max(1, ...Object.values(message.stages_ms));
  facts("stages", Object.entries(STAGES).map(([key, name]) => {
    const bar = document.createElement("meter");
    Object.assign(bar, { min: 0, max: longest, value: message.stages_ms[key] ?? 0 });
    bar.setAttribute("aria-label", name);
    return [name, `${(message.stages_ms[key] ?? 0).toFixed(1)} ms`, bar];
  }));
  list("engines", message.engines.map((one) => [one.words, one.why]), "This look needs no network.");
  byId("building").textContent = message.building;
  byId("building").hidden = !message.building;
  const readers = Object.entries(message.readers).map(([name, count]) => `${name}: ${count ?? "unknown"}`);
  const source = message.source;
  facts("source-facts", source ? [["Source", source.name], ["Size", source.size.join(" x ")],
    ["Frame rate", `${source.fps || message.fps} fps`], ["Readers", readers.join(", ") || "not counted here"]] : []);
});

on("state", (message) => list("messages", message.notices.toReversed().map((line) => [line, ""]), "none"));

function draw(key, value, unit) {
  const values = history.get(key);
  values.push(value);
  if (values.length > KEPT) values.shift();
  const figure = byId(`chart-${key}`);
  figure.querySelector("strong").textContent = `${value}${unit}`;
  const top = Math.max(...values, 1) * 1.1;
  const points = values.map((one, index) => `${(180 - (values.length - 1 - index) * 2).toFixed(1)},${(43 - (one / top) * 40).toFixed(1)}`);
  figure.querySelector(".line").setAttribute("points", points.join(" "));
  const first = 180 - (values.length - 1) * 2;
  figure.querySelector(".area").setAttribute("points", `${first},44 ${points.join(" ")} 180,44`);
}

function facts(id, rows) {
  byId(id).replaceChildren(...rows.flatMap(([name, value, more]) => {
    const term = document.createElement("dt"), text = document.createElement("dd");
    term.textContent = name;
    text.textContent = value;
    if (more) text.prepend(more);
    return [term, text];
  }));
}

function list(id, rows, empty) {
  const text = JSON.stringify(rows);
  if (byId(id).dataset.rows === text) return;
  byId(id).dataset.rows = text;
  byId(id).replaceChildren(...(rows.length ? rows : [[empty, ""]]).map(([first, second]) => {
    const item = document.createElement("li");
    item.textContent = first;
    if (second) {
      const small = document.createElement("small");
      small.textContent = second;
      item.append(small);
    }
    return item;
  }));
}

byId("doctor").addEventListener("click", async () => {
  const button = byId("doctor"), checks = byId("checks");
  button.disabled = true;
  button.textContent = "Checking";
  checks.replaceChildren();
  try {
    const answer = await request("/api/doctor");
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      rest += part.value;
      const lines = rest.split("\n");
      rest = lines.pop();
      for (const line of lines) checks.append(result(JSON.parse(line)));
    }
  } catch (error) {
    checks.append(Object.assign(document.createElement("li"), { textContent: error.message }));
  }
  button.disabled = false;
  button.textContent = "Run the checks again";
});

export function result(check) {
  const item = document.createElement("li");
  item.dataset.ok = check.ok ? "ok" : check.needed ? "fail" : "no";
  const name = document.createElement("b"), says = document.createElement("span");
  name.textContent = `${{ ok: "works", fail: "does not work", no: "not here" }[item.dataset.ok]}: ${check.name}`;
  says.textContent = check.says;
  item.append(name, says);
  if (check.do) {
    const remedy = document.createElement("code"), copy = document.createElement("button");
    remedy.textContent = check.do;
    copy.type = "button";
    copy.className = "plain tiny";
    copy.textContent = "Copy";
    copy.setAttribute("aria-label", `Copy the remedy for ${check.name}`);
    copy.addEventListener("click", () => copied(copy, check.do));
    item.append(remedy, copy);
  }
  return item;
}

async function copied(button, text) {
  const label = button.textContent;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Select it and press Ctrl+C";
  }
  setTimeout(() => { button.textContent = label; }, 1500);
}

byId("report").addEventListener("click", async () => {
  try {
    const report = await (await request("/api/report")).json();
    await copied(byId("report"), JSON.stringify(report, null, 2));
  } catch (error) {
    byId("report").textContent = error.message;
  }
});
