// The meeting: what is now, how long still, what comes next. Once the sheet is here no line to the service is needed any more.
import { $, ask, element, id, say, when } from "./door.js";

const steps = [];
let place = 0;
let elapsed = 0; // seconds of this phase that have passed while the clock ran
let since = null; // when it was started, by a clock that does not jump

const clock = (seconds) => `${seconds < 0 ? "+" : ""}${Math.floor(Math.abs(seconds) / 60)}:${String(Math.floor(Math.abs(seconds) % 60)).padStart(2, "0")}`;
const names = (list) => list.map((name) => (name === "all" ? "everybody" : name)).join(", ");
const passed = () => elapsed + (since === null ? 0 : (performance.now() - since) / 1000);

function read(sheet) {
  document.title = sheet.title;
  const add = (part, phases, roles = {}) => phases.forEach((phase) => steps.push({ part, roles, ...phase }));
  add("Opening", sheet.opening);
  sheet.rounds.forEach((round, number) => add(`Round ${number + 1} of ${sheet.rounds.length}: ${round.case_giver}`, round.phases, round.roles));
  add("Closing", sheet.closing);
}

function show() {
  const step = steps[place];
  $("part").textContent = step.part;
  $("name").textContent = step.name;
  const silent = step.silent.length ? `; silent: ${names(step.silent)}` : "";
  $("who").textContent = step.speaks.length ? `Speaks: ${names(step.speaks)}${silent}` : silent.slice(2);
  $("aloud").textContent = step.instruction;
  $("questions").replaceChildren(...step.questions.map((one) => element("li", one.text)));
  const next = steps[place + 1];
  $("next").textContent = next ? `Next: ${next.name}, ${next.minutes} ${next.minutes === 1 ? "minute" : "minutes"}` : "This is the last phase.";
  $("roles").textContent = Object.entries(step.roles).map(([alias, role]) => `${alias}: ${role}`).join("; ");
  $("back").disabled = place === 0;
  $("on").disabled = place === steps.length - 1;
  tick();
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

function run() {
  if (since === null) since = performance.now();
  else [elapsed, since] = [passed(), null];
  tick();
}

function move(by) {
  const to = place + by;
  if (to < 0 || to >= steps.length) return;
  [place, elapsed, since] = [to, 0, since === null ? null : performance.now()];
  show();
  $("name").focus();
}

when($("start"), "click", run);
$("back").addEventListener("click", () => move(-1));
$("on").addEventListener("click", () => move(1));
addEventListener("keydown", (event) => {
  if (!$("keys").checked || event.target.closest("button, input, a")) return;
  const does = { " ": run, ArrowRight: () => move(1), ArrowLeft: () => move(-1) }[event.key];
  if (does) {
    event.preventDefault();
    does();
  }
});
try {
  read(await (await ask("GET", `/v1/sessions/${id}/sheet`)).json());
  $("session").hidden = false;
  show();
  setInterval(tick, 250);
} catch (error) {
  say(error.message);
}
