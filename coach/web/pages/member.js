// A member, alone: hand in, read the own page, tell what came of it, leave.
import { $, ask, element, id, moment, open, papers, say, secret, when } from "./door.js";

const here = `/v1/sessions/${id}/members/${secret}`;
let hadSheet = false;
const words = (text) => text.split(/\s+/).filter(Boolean).length;

const NOT_KEPT =
  "What you wrote was not kept, and nobody is told why: the host sees that you have handed in, no more. It is still in the fields below, on this screen alone. You can change it, or hand in something else, or leave it at that.";

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
  hadSheet = seat.sheet_made;
  $("ready").hidden = !seat.sheet_made;
  $("gone").hidden = !seat.sheet_gone;
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
  show(seat); // what stands in the fields stays there: nothing is taken out of somebody's hands
  if (seat.signpost) {
    $("form").autocomplete = "off"; // and the browser does not keep it either
    say(NOT_KEPT, $("help"));
    $("help").focus();
  } else if (seat.page) say("Handed in. The questions below are of the sheet as it was made; new ones come when the host makes it again.");
  else say("Handed in. Your questions come with the sheet.");
});
when($("file"), "submit", async () => {
  const body = { share: $("share").checked };
  for (const name of ["tried", "happened", "learned"]) body[name] = $(name).value;
  show(await (await ask("POST", `${here}/report-back`, body)).json());
  say(body.share ? "Kept. It opens the next meeting." : "Kept, for you alone.");
});
when($("withdraw"), "click", async () => {
  if (!confirm("Erase your part and leave the session?")) return;
  const { sheet_made: made } = await (await ask("DELETE", here)).json();
  $("seat").hidden = true;
  $("left").hidden = false;
  const gone = "There is no sheet any more: none could be made of those who are left. The host sees that, and can make another or invite anew.";
  $("left-text").textContent = hadSheet ? (made ? "The sheet is made again without you." : gone) : "This link opens nothing any more.";
  $("left").querySelector("h1").focus();
});
await open(async () => {
  await about();
  show(await (await ask("GET", here)).json());
});
