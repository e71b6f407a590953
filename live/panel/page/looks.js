// The looks as tiles.

import { command, on, showPicture } from "/page/link.js";

const tiles = document.getElementById("tiles");
const search = document.getElementById("search");
const noMatch = document.getElementById("no-match");
const face = document.getElementById("face");
const onlyFavourites = document.getElementById("only-favourites");
const note = document.getElementById("tile-note");
const byName = new Map();
let selected = "";
let favourites = new Set(JSON.parse(localStorage.getItem("favourites") ?? "[]"));
let order = [];

on("looks", (message) => {
  const names = message.looks.map((look) => look.name);
  for (const [name, tile] of byName) {
    if (!names.includes(name)) {
      tile.item.remove();
      byName.delete(name);
    }
  }
  for (const look of message.looks) update(byName.get(look.name) ?? make(look.name), look);
  if (order.join("\n") !== names.join("\n") && !dragged) {
    order = names;
    place();
  }
  note.textContent = message.problem || (message.painting ? "Painting the tiles in the background" : "");
  note.hidden = !note.textContent;
  filter();
  mark();
});

function place() {
  tiles.append(...order.map((name) => byName.get(name).item));
}

face.addEventListener("click", async () => {
  face.disabled = true;
  await command("face");
  face.disabled = false;
});

on("state", (message) => {
  selected = message.look;
  mark();
});

function make(name) {
  const item = document.createElement("li");
  const button = document.createElement("button");
  button.type = "button";
  button.className = "tile";
  button.innerHTML = '<span class="face"><img alt="" hidden><span class="letter" aria-hidden="true"></span></span>' +
    '<span class="name"></span><kbd hidden></kbd><span class="status" hidden></span>';
  button.querySelector(".name").textContent = name;
  button.querySelector(".letter").textContent = name.slice(0, 1).toUpperCase();
  button.addEventListener("click", () => command("look", name));
  const star = document.createElement("button");
  star.type = "button";
  star.className = "star";
  star.textContent = "\u2605";
  star.setAttribute("aria-label", `Favourite: ${name}`);
  star.addEventListener("click", () => {
    if (!favourites.delete(name)) favourites.add(name);
    localStorage.setItem("favourites", JSON.stringify([...favourites]));
    filter();
  });
  item.append(button, star);
  const tile = { item, button, star, name, version: 0 };
  item.draggable = true;
  item.addEventListener("dragstart", (event) => {
    dragged = tile;
    event.dataTransfer.effectAllowed = "move";
    event.dataTransfer.setData("text/plain", name);
  });
  item.addEventListener("dragover", (event) => {
    if (!dragged) return;
    event.preventDefault();
    if (dragged !== tile) move(dragged.name, order.indexOf(name));
  });
  item.addEventListener("drop", (event) => event.preventDefault());
  item.addEventListener("dragend", () => {
    dragged = null;
    saveOrder();
  });
  button.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (!step || !event.altKey) return;
    event.preventDefault();
    move(name, Math.max(0, Math.min(order.length - 1, order.indexOf(name) + step)));
    button.focus();
    saveOrder();
  });
  byName.set(name, tile);
  return tile;
}

let dragged = null;

function move(name, to) {
  order = order.filter((one) => one !== name);
  order.splice(to, 0, name);
  place();
}

function saveOrder() {
  command("order", JSON.stringify(order));
}

function update(tile, look) {
  tile.about = look.about;
  tile.button.title = look.why || look.about;
  tile.button.disabled = look.status === "cannot";
  const key = tile.button.querySelector("kbd");
  key.hidden = !look.key;
  key.textContent = look.key.toUpperCase();
  const status = tile.button.querySelector(".status");
  status.hidden = look.status === "ready";
  status.textContent = look.status;
  tile.button.dataset.status = look.status;
  if (look.tile && look.tile !== tile.version) {
    tile.version = look.tile;
    const image = tile.button.querySelector("img");
    showPicture(image, `/api/tiles/${encodeURIComponent(look.name)}`).then(() => {
      image.hidden = false;
      tile.button.querySelector(".letter").hidden = true;
    }).catch(() => {
      tile.version = 0;
    });
  }
}

function mark() {
  for (const [name, tile] of byName) tile.button.setAttribute("aria-pressed", String(name === selected));
}

function filter() {
  const text = search.value.trim().toLowerCase();
  let shown = 0;
  for (const tile of byName.values()) {
    const liked = favourites.has(tile.name);
    tile.star.setAttribute("aria-pressed", String(liked));
    const hit = (liked || onlyFavourites.getAttribute("aria-pressed") === "false") && (!text || tile.name.toLowerCase().includes(text) || tile.about.toLowerCase().includes(text));
    tile.item.hidden = !hit;
    shown += hit;
  }
  noMatch.hidden = shown > 0 || byName.size === 0;
}

search.addEventListener("input", filter);
onlyFavourites.addEventListener("click", () => {
  onlyFavourites.setAttribute("aria-pressed", String(onlyFavourites.getAttribute("aria-pressed") === "false"));
  filter();
});

// The keys are those of the preview window.
export const lookKeys = new Map();
on("looks", (message) => {
  lookKeys.clear();
  for (const look of message.looks) if (look.key) lookKeys.set(look.key, look.name);
});
