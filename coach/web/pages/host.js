// The host: name who comes, send the links, see who has handed in (never what), make the sheet.
import { $, ask, element, id, moment, papers, say, secret, when } from "./door.js";

const local = (date) => new Date(date - date.getTimezoneOffset() * 60000).toISOString().slice(0, 16);

function member() {
  const number = $("members").children.length + 1;
  const row = element("div", "", { class: "member" });
  const away = element("button", "Remove", { type: "button", class: "quiet", "aria-label": `Remove member ${number}` });
  away.addEventListener("click", () => {
    const next = row.nextElementSibling ?? row.previousElementSibling;
    row.remove();
    next?.querySelector("input").focus();
  });
  row.append(
    element("input", "", { placeholder: "Name", "aria-label": `Name of member ${number}`, maxlength: 40, autocomplete: "off" }),
    element("input", "", { placeholder: "Function", "aria-label": `Function of member ${number}`, maxlength: 60, autocomplete: "off" }),
    away,
  );
  $("members").append(row);
  return row;
}

async function begin() {
  $("make").hidden = false;
  for (let count = 0; count < 4; count++) member();
  $("deadline").value = local(new Date(Date.now() + 5 * 86400000));
  $("more").addEventListener("click", () => member().querySelector("input").focus());
  when($("form"), "submit", create);
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

async function create() {
  const members = [...$("members").children]
    .map((row) => [...row.querySelectorAll("input")].map((input) => input.value.trim()))
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
  const made = await (await asked.catch(askForKey)).json();
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
  $("sheet").textContent = session.sheet_made ? "Make the sheet again" : "Make the sheet";
}

if (!id) await begin();
else {
  invitations();
  papers();
  $("run").href = `/run/${id}#${secret}`;
  when($("again"), "click", look);
  when($("sheet"), "click", async () => {
    say("The sheet is being made. It takes a few seconds.");
    const sheet = await (await ask("POST", `/v1/sessions/${id}/sheet`)).json();
    await look();
    say([`${sheet.title}, ${sheet.rounds.length} ${sheet.rounds.length === 1 ? "round" : "rounds"}. ${sheet.reason}`, ...sheet.warnings].join(" "));
  });
  when($("erase"), "click", async () => {
    if (!confirm("Erase everything that was handed in, and the sheet?")) return;
    await ask("DELETE", `/v1/sessions/${id}`);
    $("made").hidden = true;
    say("It is erased.");
  });
  try {
    await look();
  } catch (error) {
    say(error.message);
  }
}
