// The host: name who comes, send the links, see who has handed in (never what), make the sheet.
import { $, ask, element, id, moment, open, papers, say, secret, when } from "./door.js";

const local = (date) => new Date(date - date.getTimezoneOffset() * 60000).toISOString().slice(0, 16);

const FEWEST = 3;
const MOST = 9;

function member() {
  const row = element("div", "", { class: "member" });
  const away = element("button", "Remove", { type: "button", class: "quiet" });
  away.addEventListener("click", () => {
    const next = row.nextElementSibling ?? row.previousElementSibling;
    row.remove();
    number();
    (next?.querySelector("input") ?? $("more")).focus();
  });
  for (const [name, most] of [["Name", 40], ["Function", 60]]) {
    const label = element("label");
    label.append(element("span", name), element("input", "", { maxlength: most, autocomplete: "off" }));
    row.append(label);
  }
  row.append(away);
  $("members").append(row);
  number();
  return row;
}

/** Which member each field is about, for who hears the page; it changes when one is removed. */
function number() {
  [...$("members").children].forEach((row, at) => {
    for (const label of row.querySelectorAll("label")) label.lastChild.setAttribute("aria-label", `${label.firstChild.textContent} of member ${at + 1}`);
    row.lastChild.setAttribute("aria-label", `Remove member ${at + 1}`);
  });
  $("more").disabled = $("members").children.length >= MOST;
}

/** What the form wants before anything is sent. */
function check(rows) {
  const nameless = rows.find(([name, role]) => role.value.trim() && !name.value.trim());
  if (nameless) wrong(nameless[0], "Somebody has a function and no name yet. A first name will do.");
  const count = rows.filter(([name]) => name.value.trim()).length;
  const free = rows.find(([name]) => !name.value.trim());
  if (count < FEWEST) wrong(free?.[0] ?? $("more"), `A group is three to nine people. ${count ? `So far ${count} ${count === 1 ? "has" : "have"} a name.` : "Nobody has a name yet."}`);
}

function wrong(field, text) {
  field.focus();
  throw new Error(text);
}

async function begin() {
  $("make").hidden = false;
  for (let count = 0; count < 4; count++) member();
  $("deadline").value = local(new Date(Date.now() + 5 * 86400000));
  $("more").addEventListener("click", () => member().querySelector("input").focus());
  when($("form"), "submit", create);
  $("take").addEventListener("click", () => {
    $("minutes").value = $("take").value;
    $("form").requestSubmit($("invite"));
  });
  try {
    for (const one of await (await ask("GET", "/v1/protocols")).json())
      $("protocol").append(element("option", `${one.title} (${one.people.least} to ${one.people.most})`, { value: one.id }));
  } catch (error) {
    say(error.message);
  }
}

/** Where keys were given out, whoever invites needs one: the field for it comes when the service says so. */
function askForKey(error) {
  if (error.status === 401 || error.status === 403) {
    $("keyed").hidden = false;
    $("key").focus();
  }
  throw error;
}

/** Where the minutes do not fit, a button with the nearest that do. */
function offer(button, { code, least, most }, minutes) {
  button.hidden = code !== "slot-size";
  if (button.hidden) return;
  button.value = Math.min(Math.max(minutes, least), most);
  button.textContent = `Take ${button.value} minutes`;
}

async function create() {
  $("take").hidden = true;
  const rows = [...$("members").children].map((row) => [...row.querySelectorAll("input")]);
  check(rows);
  const members = rows
    .map((row) => row.map((input) => input.value.trim()))
    .filter(([alias]) => alias)
    .map(([alias, role]) => (role ? { alias, function: role } : { alias }));
  const body = {
    name: $("name").value.trim(),
    members,
    minutes: Number($("minutes").value),
    protocol: $("protocol").value,
    trust: $("trust").value,
    deadline: new Date($("deadline").value).toISOString(),
  };
  if ($("starts").value) Object.assign(body, { starts_at: $("starts").value, time_zone: Intl.DateTimeFormat().resolvedOptions().timeZone });
  const key = $("key").value.trim();
  const asked = ask("POST", "/v1/sessions", body, key ? { authorization: `Bearer ${key}` } : {});
  const made = await (await asked.catch(askForKey).catch((error) => {
    offer($("take"), error, body.minutes);
    throw error;
  })).json();
  sessionStorage.setItem(made.id, JSON.stringify(made.invitations)); // shown once on the page that follows, then forgotten
  location.assign(made.host_link);
}

function invitations() {
  const kept = sessionStorage.getItem(id);
  if (!kept) return;
  sessionStorage.removeItem(id);
  $("secrets").hidden = false;
  for (const one of JSON.parse(kept)) {
    const address = new URL(one.link, location.origin).href;
    const copy = element("button", "Copy link", { type: "button", class: "quiet", "aria-label": `Copy the link of ${one.alias}` });
    when(copy, "click", async () => {
      await navigator.clipboard.writeText(address);
      say(`The link of ${one.alias} is copied.`);
    });
    const line = element("li");
    line.append(element("strong", one.alias), element("code", address), copy);
    $("links").append(line);
  }
}

async function look() {
  const session = await (await ask("GET", `/v1/sessions/${id}`)).json();
  $("made").hidden = false;
  document.title = $("title").textContent = session.name || "Your session";
  $("when").textContent = `${session.minutes} minutes. Members hand in until ${moment(session.deadline)}. All of it is erased on ${moment(session.expires_at)}.`;
  $("attending").replaceChildren(
    ...session.members.map((one) => {
      const line = element("li");
      line.append(element("span", one.function ? `${one.alias}, ${one.function}` : one.alias), element("span", one.handed_in ? "has handed in" : "not yet", { class: "soft" }));
      return line;
    }),
  );
  $("ready").hidden = !session.sheet_made;
  $("gone").hidden = !session.sheet_gone;
  $("sheet").textContent = session.sheet_made ? "Make the sheet again" : "Make the sheet";
  planned = session.minutes;
}

let planned = 0; // minutes

/** The sheet, in as many minutes as were planned or as are given. */
async function make(minutes) {
  $("shorter").hidden = true;
  say("The sheet is being made. It takes a few seconds.");
  const sheet = await (await ask("POST", `/v1/sessions/${id}/sheet${minutes ? `?minutes=${minutes}` : ""}`).catch((error) => {
    offer($("shorter"), error, planned);
    throw error;
  })).json();
  await look();
  const rounds = `${sheet.rounds.length} ${sheet.rounds.length === 1 ? "round" : "rounds"}`;
  say([`The sheet is made: ${rounds} in ${sheet.minutes} minutes. ${sheet.reason}`, ...sheet.warnings].join(" "));
}

if (!id) await begin();
else {
  invitations();
  papers();
  $("run").href = `/run/${id}#${secret}`;
  when($("again"), "click", look);
  when($("sheet"), "click", () => make());
  when($("shorter"), "click", () => make($("shorter").value));
  when($("erase"), "click", async () => {
    if (!confirm("Erase everything that was handed in, and the sheet?")) return;
    await ask("DELETE", `/v1/sessions/${id}`);
    $("made").hidden = true;
    $("erased").hidden = false;
    $("erased").querySelector("h1").focus();
  });
  await open(look);
}
