// The meeting: what is now, how long still, what comes next. Once the sheet is here no line to the service is needed any more.
import { $, ask, element, id, open, opensNothing, say, secret, when } from "./door.js";

const steps = [];
const KEPT = `run/${id}`; // a reload comes back to the same minute: numbers alone are kept, nobody's words
let place = 0;
let elapsed = 0; // seconds of this phase that have passed while the clock ran
let since = null; // when it was started, by a clock that does not jump

const clock = (seconds) => `${seconds < 0 ? "+" : ""}${Math.floor(Math.abs(seconds) / 60)}:${String(Math.floor(Math.abs(seconds) % 60)).padStart(2, "0")}`;
const names = (list) => list.map((name) => (name === "all" ? "everybody" : name)).join(", ");
const passed = () => elapsed + (since === null ? 0 : (performance.now() - since) / 1000);
const lasting = ({ minutes }) => `${minutes} ${minutes === 1 ? "minute" : "minutes"}`;

function read(sheet) {
  document.title = $("title").textContent = sheet.title;
  const add = (part, then, phases, roles = {}) => phases.forEach((phase) => steps.push({ part, then, roles, ...phase }));
  add("Opening", "the opening", sheet.opening);
  sheet.rounds.forEach(({ case_giver: giver, phases, roles }, number) => {
    const round = `${number + 1} of ${sheet.rounds.length}`;
    add(`Round ${round}: ${giver}`, `round ${round}, the case of ${giver}`, phases, roles);
  });
  add("Closing", "the closing", sheet.closing);
  $("rules").replaceChildren(...sheet.ground_rules.map((rule) => element("li", rule)));
  $("listening").replaceChildren(...sheet.listening.map((one) => element("li", one.text)));
  $("slip").textContent = sheet.slip;
  list();
}

/** Every phase under its part, each a button that leads there. */
function list() {
  let items;
  steps.forEach((step, at) => {
    if (step.part !== steps[at - 1]?.part) $("phases").append(element("h2", step.part), (items = element("ul", "", { class: "plain" })));
    const there = element("button", step.name, { type: "button", class: "quiet" });
    there.addEventListener("click", () => go(at));
    const line = element("li");
    line.append(there, element("span", lasting(step), { class: "soft" }));
    items.append(line);
  });
}

function show() {
  const step = steps[place];
  $("part").textContent = step.part;
  $("name").textContent = step.name;
  const silent = step.silent.length ? `; silent: ${names(step.silent)}` : "";
  $("who").textContent = step.speaks.length ? `Speaks: ${names(step.speaks)}${silent}` : silent.slice(2);
  $("aloud").textContent = step.instruction;
  $("questions").replaceChildren(...step.questions.map((one) => element("li", one.text)));
  $("next").textContent = after(step, steps[place + 1]);
  $("roles").textContent = Object.entries(step.roles).map(([alias, role]) => `${alias}: ${role}`).join("; ");
  $("back").disabled = place === 0;
  $("on").disabled = place === steps.length - 1;
  $("phases").querySelectorAll("button").forEach((one, at) => (at === place ? one.setAttribute("aria-current", "step") : one.removeAttribute("aria-current")));
  tick();
}

/** What comes after a phase; at the end of a round, whose case it is then. */
function after(step, next) {
  if (!next) return "This is the last phase.";
  if (next.part === step.part) return `After this: ${next.name}, ${lasting(next)}.`;
  return `After this: ${next.then}. First: ${next.name}, ${lasting(next)}.`;
}

function tick() {
  const step = steps[place];
  const left = Math.ceil(step.minutes * 60 - passed());
  $("clock").textContent = clock(left);
  $("clock").classList.toggle("over", left < 0);
  $("done").style.width = `${Math.min(100, (passed() / (step.minutes * 60)) * 100)}%`;
  $("start").textContent = since === null ? (elapsed ? "Go on" : "Start") : "Pause";
  $("total").textContent = `Planned from minute ${step.starts_at} to ${step.starts_at + step.minutes} of ${steps.at(-1).starts_at + steps.at(-1).minutes}.`;
}

function keep() {
  sessionStorage.setItem(KEPT, JSON.stringify({ place, of: steps.length, elapsed: passed(), at: since === null ? null : Date.now() }));
}

/** Where it was before a reload, if the sheet still has as many phases. A clock that ran has run on. */
function comeBack() {
  const kept = JSON.parse(sessionStorage.getItem(KEPT));
  if (kept?.of !== steps.length) return;
  const ran = kept.at === null ? 0 : Math.max(0, (Date.now() - kept.at) / 1000);
  [place, elapsed, since] = [kept.place, kept.elapsed + ran, kept.at === null ? null : performance.now()];
}

function run() {
  if (since === null) since = performance.now();
  else [elapsed, since] = [passed(), null];
  keep();
  tick();
}

function go(to) {
  if (to < 0 || to >= steps.length) return;
  [place, elapsed, since] = [to, 0, since === null ? null : performance.now()];
  keep();
  show();
  $("name").focus();
}

const member = secret.startsWith("mt_");

function wayBack() {
  $("home").textContent = member ? "Back to your page" : "Back to the host's page";
  $("home").href = `/${member ? "meet" : "host"}/${id}#${secret}`;
}

/** Why there is no sheet behind a link that opens something. Raises what the link raises. */
async function without() {
  const { sheet_gone: gone } = await (await ask("GET", member ? `/v1/sessions/${id}/members/${secret}` : `/v1/sessions/${id}`)).json();
  wayBack();
  say(gone ? "There is no sheet any more: somebody withdrew, and none could be made of those who are left." : "There is no sheet yet. The host makes it.");
}

when($("start"), "click", run);
$("back").addEventListener("click", () => go(place - 1));
$("on").addEventListener("click", () => go(place + 1));
addEventListener("keydown", (event) => {
  if (!$("keys").checked || event.target.closest("button, input, a, summary")) return;
  const does = { " ": run, ArrowRight: () => go(place + 1), ArrowLeft: () => go(place - 1) }[event.key];
  if (does) {
    event.preventDefault();
    does();
  }
});
await open(async () => {
  try {
    read(await (await ask("GET", `/v1/sessions/${id}/sheet`)).json());
  } catch (error) {
    if (!opensNothing(error)) throw error;
    return without();
  }
  wayBack();
  comeBack();
  $("session").hidden = false;
  show();
  setInterval(tick, 250);
});
