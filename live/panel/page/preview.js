// The preview: the newest picture is pulled when the last one is drawn, only while this tab is visible.

import { openSocket } from "/page/link.js";

const canvas = document.getElementById("preview");
const curtain = document.getElementById("curtain");
const splitter = document.getElementById("splitter");
const split = document.getElementById("split");
const line = document.getElementById("line");
const caption = document.getElementById("before-caption");
const context = canvas.getContext("2d", { alpha: false, willReadFrequently: false });
let socket = null;
let comparing = false;
let drawn = null;
let retry = 0;

export function setComparing(on) {
  comparing = on;
  splitter.hidden = !on;
  paint();
}

export function start() {
  document.addEventListener("visibilitychange", follow);
  split.addEventListener("input", paint);
  follow();
}

function follow() {
  clearTimeout(retry);
  if (document.visibilityState === "hidden") {
    socket?.close();
    socket = null;
  } else if (!socket) {
    open();
  }
}

function open() {
  const mine = openSocket("/ws/preview");
  socket = mine;
  mine.binaryType = "arraybuffer";
  const pull = () => mine.readyState === WebSocket.OPEN && mine.send(comparing ? "next split" : "next");
  mine.onopen = pull;
  mine.onmessage = async (event) => {
    await show(event.data);
    pull();
  };
  mine.onclose = () => {
    if (socket !== mine) return;
    socket = null;
    curtain.hidden = false;
    retry = setTimeout(follow, 700);
  };
}

async function show(data) {
  const length = new DataView(data).getUint16(0);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(data, 2, length)));
  const from = 2 + length;
  const pictures = [[from, header.sizes[0]], [from + header.sizes[0], header.sizes[1]]].map(([at, size]) =>
    size ? createImageBitmap(new Blob([new Uint8Array(data, at, size)], { type: "image/jpeg" })) : null);
  const [after, before] = await Promise.all(pictures);
  drawn?.after.close();
  drawn?.before?.close();
  drawn = { after, before, blurred: header.blurred };
  if (canvas.width !== after.width || canvas.height !== after.height) {
    canvas.width = after.width;
    canvas.height = after.height;
    canvas.style.aspectRatio = `${after.width} / ${after.height}`;
  }
  canvas.dataset.look = header.look;
  canvas.dataset.pictures = Number(canvas.dataset.pictures ?? 0) + 1;
  curtain.hidden = true;
  paint();
}

function paint() {
  if (!drawn) return;
  context.drawImage(drawn.after, 0, 0);
  const at = Number(split.value) / 100;
  line.style.left = `${at * 100}%`;
  caption.textContent = drawn.blurred ? "before, blurred" : "before";
  if (!comparing || !drawn.before) return;
  const width = Math.round(at * canvas.width);
  if (width) context.drawImage(drawn.before, 0, 0, width, canvas.height, 0, 0, width, canvas.height);
}
