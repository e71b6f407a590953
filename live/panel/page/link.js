// The connection to the program: the token, the state over one WebSocket, and commands.

const RETRY_MS = [300, 600, 1200, 2500, 5000];
let token = "";
let socket = null;
let attempt = 0;
let nextId = 1;
let ended = false;
const answers = new Map();
const listeners = new Map();

export function on(kind, listener) {
  if (!listeners.has(kind)) listeners.set(kind, []);
  listeners.get(kind).push(listener);
}

function emit(kind, message) {
  for (const listener of listeners.get(kind) ?? []) listener(message);
}

// A link with a code works once; the token that it gives is kept for this tab. A permanent link holds the token.
export async function unlock() {
  const hash = new URLSearchParams(location.hash.slice(1));
  token = hash.get("token") ?? "";
  if (!token && hash.get("code")) {
    const code = hash.get("code");
    history.replaceState(null, "", "/");
    await redeem(code);
  }
  token ||= sessionStorage.getItem("token") ?? "";
  return token !== "";
}

export async function redeem(code) {
  const answer = await fetch("/api/pair", { method: "POST", body: JSON.stringify({ code }) });
  if (!answer.ok) return false;
  token = (await answer.json()).token;
  sessionStorage.setItem("token", token);
  return true;
}

export function openSocket(path) {
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  return new WebSocket(`${scheme}://${location.host}${path}`, ["veneer.v1", `veneer.token.${token}`]);
}

// The program was ended from here: do not try to reach it again.
export function end() {
  ended = true;
  emit("connection", "ended");
}

export function connect() {
  emit("connection", "connecting");
  socket = openSocket("/ws/state");
  const opened = performance.now();
  let greeted = false;
  socket.onmessage = (event) => {
    const message = JSON.parse(event.data);
    if (!greeted) {
      greeted = true;
      attempt = 0;
      emit("connection", "connected");
    }
    if (message.kind === "answer") settle(message);
    else emit(message.kind, message);
  };
  socket.onclose = () => {
    for (const [, answer] of answers) answer.reject(new Error("the connection was lost"));
    answers.clear();
    if (ended) return;
    emit("connection", greeted || attempt < 2 ? "lost" : "refused");
    const wait = RETRY_MS[Math.min(attempt, RETRY_MS.length - 1)];
    attempt += greeted && performance.now() - opened > 1000 ? 0 : 1;
    setTimeout(connect, wait);
  };
}

function settle(message) {
  const answer = answers.get(message.id);
  answers.delete(message.id);
  if (!answer) return;
  if (message.ok) answer.resolve(message.says);
  else answer.reject(new Error(message.error));
}

// Send one command, as `veneer ctl` does; the promise gives the line that the program answers.
export function send(...words) {
  if (socket?.readyState !== WebSocket.OPEN) return Promise.reject(new Error("not connected"));
  const id = nextId++;
  socket.send(JSON.stringify({ id, words: words.map(String) }));
  return new Promise((resolve, reject) => answers.set(id, { resolve, reject }));
}

export async function command(...words) {
  try {
    return await send(...words);
  } catch (error) {
    emit("toast", error.message);
    return null;
  }
}

export async function request(path, options = {}) {
  const headers = { Authorization: `Bearer ${token}`, ...options.headers };
  const answer = await fetch(path, { ...options, headers });
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer;
}

// Pictures need the token, which an <img> cannot send.
const urls = new WeakMap();
export async function showPicture(image, path) {
  const blob = await (await request(path)).blob();
  const old = urls.get(image);
  const url = URL.createObjectURL(blob);
  urls.set(image, url);
  image.src = url;
  if (old) URL.revokeObjectURL(old);
}
