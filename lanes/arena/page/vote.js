// The voting page: shows a pair, sends a vote, and keeps the vote until the service has it. What comes from outside is
// only ever set as text.
"use strict";

const SETTLE = 400; // ms in which a press cannot be meant for the pair that has just appeared
const PATIENCE = 20_000; // ms for one answer of the service
const AGAIN = [1_000, 2_000, 5_000, 10_000]; // ms between tries, the last one for ever
const LOOK = 10_000; // ms between looks for new pairs where there were none
const ROLES = { user: "User", assistant: "Assistant", system: "Instructions" };

const at = (id) => document.getElementById(id);
const buttons = [...document.querySelectorAll("[data-choice]")];
const token = location.hash.slice(1);
const unsent = `unsent ${token} `;

let shown = null; // the pair on the screen, with the key of its vote and the time when it appeared
let sending = false;

async function begin() {
  if (!token) return rest("This page needs your own link", "Open the whole link that you were given, with all after the #.");
  for (const vote of keptVotes()) await deliver(vote);
  await next();
}

async function next(goOn = false) {
  const { status, body } = await ask(`/v1/page/next?more=${goOn}`);
  if (status === 401) return rest("This link is not known", "Ask whoever gave it to you for a new one.");
  if (status !== 200) return rest("Something is wrong here", message(body));
  if (body.excluded) return rest("Thank you!", "Your help is not needed for now. Questions? Ask whoever gave you this link.");
  if (body.over) return thank(body);
  if (!body.pair) return nothing(body);
  progress(body.done % body.of, body.of);
  show(body.pair);
}

function show(pair) {
  shown = { ...pair, key: randomKey(), since: performance.now() };
  at("prompt").replaceWith(conversation(pair.prompt));
  fill(at("a"), pair.first);
  fill(at("b"), pair.second);
  at("comment").value = "";
  press(null);
  reveal("pair");
  window.scrollTo(0, 0);
  at("asked-name").focus({ preventScroll: true });
}

async function vote(choice) {
  const now = performance.now();
  if (!shown || sending || now - shown.since < SETTLE) return;
  const seconds = (now - shown.since) / 1000;
  const cast = { battle: shown.battle, choice, key: shown.key, seconds, comment: at("comment").value.trim() };
  press(choice);
  keep(cast);
  const { status, body } = await deliver(cast);
  if (status === 422) {
    press(null);
    return say(message(body), true);
  }
  shown = null;
  await next();
  if (status === 200) say(`Vote counted: ${at("count").textContent}.`);
  else if (status === 409) say("You had voted on this pair before; that vote counts.");
  else say(message(body), true);
}

// Sends a vote until the service has said something to it: kept before, forgotten after.
async function deliver(cast) {
  sending = true;
  const answer = await ask("/v1/votes", cast, "Your vote is kept, but not sent yet. Trying again…");
  sending = false;
  forget(cast);
  return answer;
}

async function ask(path, body, waiting = "The service does not answer. Trying again…") {
  for (let tries = 0; ; tries++) {
    const answer = await tryOnce(path, body);
    if (answer) {
      if (tries) say("");
      return answer;
    }
    say(waiting, true);
    await pause(AGAIN[Math.min(tries, AGAIN.length - 1)]);
  }
}

// What the service says; null where it says nothing, or that it is to be asked again.
async function tryOnce(path, body) {
  const headers = { Authorization: `Bearer ${token}` };
  if (body) headers["Content-Type"] = "application/json";
  const options = { method: body ? "POST" : "GET", headers, body: body && JSON.stringify(body), cache: "no-store" };
  try {
    const response = await fetch(path, { ...options, signal: AbortSignal.timeout(PATIENCE) });
    if (response.status >= 500 || response.status === 429) return null;
    return { status: response.status, body: await response.json() };
  } catch {
    return null;
  }
}

function pause(milliseconds) {
  return new Promise((go) => {
    setTimeout(go, milliseconds);
    window.addEventListener("online", go, { once: true });
  });
}

function thank({ of, more }) {
  progress(of, of);
  const text = `${of === 1 ? "That was the vote" : `Those were the ${of} votes`} of this session. You can close this page now.`;
  rest("Thank you!", more ? `${text} Or, if you like, go on.` : text);
  at("more").hidden = !more;
}

function nothing({ done, of }) {
  progress(done % of, of);
  rest("Nothing to compare right now", "There will be more. This page looks by itself every few seconds; you can leave it open.");
  setTimeout(next, LOOK);
}

function rest(title, text) {
  const again = !at("rest").hidden && at("rest-name").textContent === title;
  shown = null;
  at("rest-name").textContent = title;
  at("rest-text").textContent = text;
  at("more").hidden = true;
  reveal("rest");
  if (!again) at("rest-name").focus();
}

function reveal(id) {
  for (const part of ["pair", "rest"]) at(part).hidden = part !== id;
}

function progress(done, of) {
  at("progress").hidden = false;
  at("count").textContent = `${done} of ${of}`;
  at("bar").max = of;
  at("bar").value = done;
}

function say(text, trouble = false) {
  at("said").textContent = text;
  at("said").classList.toggle("trouble", trouble);
}

function press(choice) {
  for (const button of buttons) {
    button.setAttribute("aria-pressed", String(button.dataset.choice === choice));
    button.setAttribute("aria-disabled", String(choice !== null));
  }
}

function conversation(turns) {
  const whole = document.createElement("div");
  whole.id = "prompt";
  for (const { role, content } of turns) {
    const turn = whole.appendChild(document.createElement("div"));
    turn.className = "text";
    fill(turn, content);
    if (turns.length > 1) turn.prepend(span("role", ROLES[role] ?? role));
  }
  return whole;
}

// Every character as it is; what stands between ``` fences in the letters of code.
function fill(node, text) {
  if (!text.trim()) return node.replaceChildren(span("nothing", "(an empty answer)"));
  node.replaceChildren(...blocks(text).map(({ code, lines }) => (code ? span("code", lines) : lines)));
}

function blocks(text) {
  const found = [];
  let code = false;
  for (const line of text.split("\n")) {
    const fence = line.trimStart().startsWith("```");
    const last = found.at(-1);
    if (last && last.code === code && !(fence && !code)) last.lines += `\n${line}`;
    else found.push({ code: code || fence, lines: line });
    if (fence) code = !code;
  }
  return found;
}

function span(kind, text) {
  const made = document.createElement("span");
  made.className = kind;
  made.textContent = text;
  return made;
}

// Not randomUUID: that is there on 127.0.0.1 and behind TLS only.
function randomKey() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

// A browser may forbid a page to keep anything; then an unsent vote lives as long as the page.
function keep(cast) {
  try {
    localStorage.setItem(unsent + cast.key, JSON.stringify(cast));
  } catch {}
}

function forget(cast) {
  try {
    localStorage.removeItem(unsent + cast.key);
  } catch {}
}

function keptVotes() {
  try {
    const keys = Object.keys(localStorage).filter((key) => key.startsWith(unsent));
    return keys.map((key) => JSON.parse(localStorage.getItem(key)));
  } catch {
    return [];
  }
}

function message(body) {
  return body?.error?.message ?? "The service did not say why.";
}

function typed(event) {
  if (event.target === at("comment")) return event.key === "Escape" && buttons[0].focus();
  if (event.repeat || event.ctrlKey || event.altKey || event.metaKey || !at("keys").checked) return;
  const button = buttons["123".indexOf(event.key)];
  if (button && event.key) vote(button.dataset.choice);
}

for (const button of buttons) {
  button.addEventListener("click", (event) => event.detail < 2 && vote(button.dataset.choice));
}
document.addEventListener("keydown", typed);
at("more").addEventListener("click", () => next(true));
window.addEventListener("hashchange", () => location.reload());
window.addEventListener("pageshow", (event) => event.persisted && location.reload());
begin();
