// What all pages of a group share: the secret behind the #, the way to the service, and how something is said.
export const [, , id = ""] = location.pathname.split("/");
export const secret = decodeURIComponent(location.hash.slice(1));
export const $ = (name) => document.getElementById(name);

/** Say something, politely: it is read out once, and stays where it can be read again. */
export function say(text) {
  $("said").hidden = !text;
  $("said").textContent = text;
}

/** Ask the service. Errors of the service come as their plain words, a broken line as ours. */
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
    const { detail = `The service answered with ${answer.status}.` } = await answer.json().catch(() => ({}));
    throw Object.assign(new Error(detail), { status: answer.status });
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
