// A member, alone: hand in, read the own page, tell what came of it, leave.
import { $, ask, element, id, moment, papers, say, secret, when } from "./door.js";

const here = `/v1/sessions/${id}/members/${encodeURIComponent(secret)}`;
const words = (text) => text.split(/\s+/).filter(Boolean).length;

function show(seat) {
  $("seat").hidden = false;
  document.title = seat.name || "Your part of a peer session";
  $("title").textContent = seat.name ? `${seat.name}: ${seat.alias}` : seat.alias;
  const open = new Date(seat.deadline) > new Date();
  $("when").textContent = open ? `You can hand in, and change it, until ${moment(seat.deadline)}.` : `Handing in ended on ${moment(seat.deadline)}.`;
  $("hand-in").hidden = !open;
  if (!$("challenge").value) $("challenge").value = seat.challenge;
  if (!$("report").value) $("report").value = seat.report_back;
  $("help").hidden = !seat.signpost;
  if (seat.signpost) {
    $("help-text").textContent = seat.signpost.text;
    const lines = [seat.signpost.emergency, ...seat.signpost.help.map((one) => `${one.name}: ${one.contact}. ${one.what}; ${one.hours}`)];
    $("help-list").replaceChildren(...lines.filter(Boolean).map((line) => element("li", line)));
  }
  $("own").hidden = !seat.page;
  if (seat.page) $("questions").replaceChildren(...seat.page.questions.map((one) => element("li", one.text)));
  $("ready").hidden = !seat.sheet_made;
  if (seat.filed) for (const name of ["tried", "happened", "learned"]) $(name).value ||= seat.filed[name];
  $("share").checked = seat.share;
  count();
}

function count() {
  const found = words($("challenge").value);
  $("count").textContent = found ? `${found} ${found === 1 ? "word" : "words"}` : "30 to 1,500 words work best";
}

/** Who reads it, and where it goes, before the first word. */
async function about() {
  const facts = await (await ask("GET", "/v1/about")).json();
  const goes = facts.sent_to.length ? `Your words are sent to ${facts.sent_to.join(" and ")}, with names and numbers masked.` : "Your words do not leave the machine that this runs on.";
  $("about").textContent = `Who answers: ${facts.what} ${goes}`;
}

papers();
$("run").href = `/run/${id}#${secret}`;
$("challenge").addEventListener("input", count);
when($("form"), "submit", async () => {
  const seat = await (await ask("PUT", here, { challenge: $("challenge").value, report_back: $("report").value })).json();
  if (seat.signpost) {
    $("challenge").value = $("report").value = "";
    show(seat);
    say("What you wrote was not kept.");
    $("title").focus();
  } else {
    show(seat);
    say("Handed in. Nobody else reads it; your questions come with the sheet.");
  }
});
when($("file"), "submit", async () => {
  const body = { share: $("share").checked };
  for (const name of ["tried", "happened", "learned"]) body[name] = $(name).value;
  show(await (await ask("POST", `${here}/report-back`, body)).json());
  say(body.share ? "Kept. It opens the next meeting." : "Kept, for you alone.");
});
when($("withdraw"), "click", async () => {
  if (!confirm("Erase your part and leave the session?")) return;
  await ask("DELETE", here);
  $("seat").hidden = true;
  say("Your part is erased.");
});
try {
  await about();
  show(await (await ask("GET", here)).json());
} catch (error) {
  say(error.message);
}
