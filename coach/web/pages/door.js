// What all pages of a group share: the secret behind the #, the way to the service, and how something is said.
export const [, , id = ""] = location.pathname.split("/");
export const secret = location.hash.match(/^#([\w-]+)$/)?.[1] ?? ""; // what a copied link was cut to may be anything
export const $ = (name) => document.getElementById(name);

const LOST = "This link does not open anything.";
const PERHAPS = "It may have been cut when it was copied, or what it opened was erased or has run out. Ask whoever sent it to send it again.";
let spoken;
let beside = null; // where somebody just did something: what comes of it is said there, where it covers nothing

/** Say something, politely: read out once by a region that stays where it is, and to be read beside what it is about. */
export function say(text, place = beside) {
  const said = $("said");
  said.hidden = !text;
  said.textContent = $("spoken").textContent = text;
  clearTimeout(spoken);
  if (!text) return;
  spoken = setTimeout(() => ($("spoken").textContent = ""), 10_000); // by then it was read out, and it is met only once
  if (place?.tagName === "LI") place.append(said);
  else if (place?.getClientRects().length) place.after(said);
  else document.querySelector("main").append(said);
  said.scrollIntoView({ block: "nearest" });
}

/** Begin with what a link opens. Where it opens nothing, that is said in a person's words, not in the service's. */
export async function open(work) {
  try {
    if (!secret) throw Object.assign(new Error(LOST), { status: 404 });
    await work();
  } catch (error) {
    document.querySelector("main").append(element("h1", opensNothing(error) ? LOST : "That did not work."));
    say(opensNothing(error) ? PERHAPS : error.message);
  }
}

export const opensNothing = ({ status }) => [400, 401, 403, 404].includes(status);

/** Ask the service. Errors of the service come as their plain words and with what else it told, a broken line as ours. */
export async function ask(method, path, body, headers = {}) {
  let answer;
  try {
    answer = await fetch(path, {
      method,
      headers: { authorization: `Bearer ${secret}`, accept: "application/json", ...(body ? { "content-type": "application/json" } : {}), ...headers },
      body: body && JSON.stringify(body),
      cache: "no-store",
      referrerPolicy: "no-referrer",
    });
  } catch {
    throw new Error("The line is down just now. Nothing you wrote is lost: it is still here, and can be sent again.");
  }
  if (!answer.ok) {
    const { detail = `The service answered with ${answer.status}.`, ...more } = await answer.json().catch(() => ({}));
    throw Object.assign(new Error(detail), more, { status: answer.status });
  }
  return answer;
}

/** Do something that a button or a form asks for; what goes wrong is said, and the button works again. */
export function when(element, event, work) {
  element.addEventListener(event, async (happened) => {
    happened.preventDefault();
    const button = happened.submitter ?? (element.tagName === "BUTTON" ? element : null);
    if (button) button.disabled = true;
    say("");
    beside = button?.closest(".row, li") ?? null;
    try {
      await work(happened);
    } catch (error) {
      say(error.message);
    } finally {
      if (button) button.disabled = false;
    }
  });
}

/** An element with a text in it, and nothing that the text could become. */
export function element(name, text = "", attributes = {}) {
  const made = document.createElement(name);
  made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

export const moment = (text) => new Date(text).toLocaleString(document.documentElement.lang, { dateStyle: "full", timeStyle: "short" });

const ENDINGS = { "application/pdf": "pdf", "text/calendar": "ics", "text/html": "html" };

/** The sheet as a file, or in a window of its own to be printed. */
export function papers() {
  for (const button of document.querySelectorAll("[data-kind]"))
    when(button, "click", async () => {
      const kind = button.dataset.kind;
      const answer = await ask("GET", `/v1/sessions/${id}/sheet`, null, { accept: kind });
      const link = element("a", "", { href: URL.createObjectURL(await answer.blob()) });
      if (kind === "text/html") link.target = "_blank";
      else link.download = `session.${ENDINGS[kind]}`;
      link.click();
    });
}
