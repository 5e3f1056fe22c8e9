// <reflection-coach endpoint="https://coach.example"></reflection-coach>: a manager writes, is heard, and gets one question at a time.
// No framework, no cookie, nothing kept unless the person ticks it, nothing asked of any third party. Text of others is set as text, never as HTML.
import { STYLE } from "./style.js";
import { TEXTS } from "./texts.js";

const SKILLS = ["active_listening", "managing_conflict", "shared_problem_solving", "self_regulation", "humility", "curiosity", "care"];
const VIEWS = ["own", "other", "shared"];
const sheet = new CSSStyleSheet();
sheet.replaceSync(STYLE);

/** An element: name, attributes, children. Strings become text. */
function make(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value === true) made.setAttribute(key, "");
    else if (value !== false && value != null) made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child != null && child !== false));
  return made;
}

/** Server-Sent Events of a response, one by one. */
async function* events(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const blocks = (rest + value).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      const found = Object.fromEntries(block.split("\n").filter((line) => !line.startsWith(":")).map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 2)]));
      if (found.data) yield [found.event, JSON.parse(found.data)];
    }
  }
}

/** A name that nothing else has, also where the page is not served securely. */
function named() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** A way to somebody who helps: something to follow where it is a number or an address, else text. */
function reach(contact) {
  if (/^https:\/\/\S+$/.test(contact)) return make("a", { href: contact, rel: "noreferrer", target: "_blank" }, contact);
  return /^[+\d][\d ()-]+$/.test(contact) ? make("a", { href: `tel:${contact.replace(/[^+\d]/g, "")}` }, contact) : contact;
}

class ReflectionCoach extends HTMLElement {
  #root = this.attachShadow({ mode: "open" });
  #live = make("p", { class: "unseen", role: "status", "aria-live": "polite" });
  #stage = make("div", { class: "card", part: "card" });
  #text = "";
  #exchanges = [];
  #queue = [];
  #current = null;
  #heard = "";
  #touched = { skills: new Set(), views: new Set() };
  #stop = null;
  #again = null;
  #known = null; // what the service says of itself
  #kept = null; // where the service keeps it, if the page asked for that: its id, and the token that opens it
  #more = {};
  #draft = ""; // a reply that is being typed, until it has arrived
  #listening = null; // the browser's own dictation, while it runs

  static observedAttributes = ["open", "compact", "lang"];
  attributeChangedCallback(_name, before, now) { if (this.isConnected && before !== now && !this.#stop && !this.#current) this.#begin(); }

  set texts(value) { this.#more = value; if (this.isConnected) this.#begin(); }
  get #lang() { return (this.getAttribute("lang") || document.documentElement.lang || "en").toLowerCase(); }
  get #base() { return this.getAttribute("endpoint") || new URL("../..", import.meta.url).href; }
  get #store() { return `reflection-coach ${this.#base}`; }

  #say(key, values = {}) {
    const short = this.#lang.split("-")[0];
    const text = { ...TEXTS.en, ...TEXTS[short], ...this.#more[short] }[key] ?? key;
    return Object.entries(values).reduce((said, [name, value]) => said.replace(`{${name}}`, value), text);
  }
  #tell(name, detail = {}) { this.dispatchEvent(new CustomEvent(`rc:${name}`, { detail, bubbles: true, composed: true })); }
  #announce(text) { this.#live.textContent = text; }

  /** Put something on the stage. Whoever was in here stays in here: what they pressed is gone, so the focus goes to what came instead. */
  #put(target, ...children) {
    const inside = this.#root.activeElement !== null;
    const shut = this.hasAttribute("compact") && !this.hasAttribute("open");
    const room = this.#stop ? 640 : 0; // about what a question takes: made at once, not when it comes
    this.#stage.style.minHeight = shut ? "" : `${Math.max(Math.min(this.#stage.offsetHeight, 760), room)}px`; // what stands below on the page stays where it is
    this.#stage.replaceChildren(...children.filter((child) => child != null && child !== false && child !== ""));
    if (inside && target) target.focus({ preventScroll: true });
  }

  connectedCallback() {
    this.#root.adoptedStyleSheets = [sheet];
    this.#root.replaceChildren(this.#stage, this.#live);
    this.#root.addEventListener("keydown", (event) => event.key === "Escape" && this.#stop?.abort());
    this.#restore();
    this.#begin();
    this.#tell("ready");
  }
  disconnectedCallback() { this.#stop?.abort(); }

  /** Reflect on a text, as if it had been typed and sent. */
  ask(text) { this.#text = text; return this.#send(this.#first()); }
  /** Forget everything, here and on this device. */
  reset() {
    this.#stop?.abort();
    this.#forget();
    [this.#text, this.#draft, this.#exchanges, this.#queue, this.#current, this.#heard, this.#kept] = ["", "", [], [], null, "", null];
    this.#touched = { skills: new Set(), views: new Set() };
    this.#stage.replaceChildren();
    this.#stage.style.minHeight = "";
    this.#begin();
  }
  /** What was said so far, as Markdown. */
  export() {
    const lines = this.#exchanges.map(({ question, reply }) => `**${question}**\n\n${reply ?? ""}`.trim());
    return [`# ${this.#say("summary")}`, this.#text.trim(), ...lines].filter(Boolean).join("\n\n") + "\n";
  }

  #keeping() { try { return localStorage.getItem(this.#store) !== null; } catch { return false; } } // storage may be closed to us, in a frame say
  #forget() { if (this.#keeping()) localStorage.removeItem(this.#store); }
  #remember() { if (this.#keeping()) localStorage.setItem(this.#store, JSON.stringify({ text: this.#text, exchanges: this.#exchanges })); }
  #restore() {
    if (!this.#keeping()) return;
    const { text = "", exchanges = [] } = JSON.parse(localStorage.getItem(this.#store));
    [this.#text, this.#exchanges] = [text, exchanges];
  }

  /** Who answers, and where words go. Asked once; waited for a moment, so that nothing moves when it comes. */
  #about() { return (this.#known ??= fetch(new URL("v1/about", this.#base), { credentials: "omit" }).then((answer) => answer.json())); }
  async #facts(place) {
    try {
      const facts = await this.#about();
      const goes = facts.sent_to.length ? this.#say("leaves", { to: facts.sent_to.join(", ") }) : this.#say("stays");
      place.append(make("p", { lang: facts.language }, facts.what), make("p", {}, goes), make("p", { lang: facts.language }, facts.erase));
    } catch {
      this.#known = null;
      place.append(make("p", {}, this.#say("lost")));
    }
  }

  /** One line that opens. What is closed is not there: nothing to tab into, nothing read out. */
  #shut() {
    const open = make("button", { class: "opener", part: "button", "aria-expanded": "false", onclick: () => { this.setAttribute("open", ""); } },
      make("strong", {}, this.#say("title")), make("span", {}, this.#say("ask")));
    this.#put(open, open);
  }

  async #begin() {
    if (this.hasAttribute("compact") && !this.hasAttribute("open")) return this.#shut();
    await Promise.race([this.#about().catch(() => null), new Promise((done) => setTimeout(done, 120))]);
    if (this.#stop) return; // something was asked meanwhile
    const count = make("span", { class: "soft" });
    const area = make("textarea", { id: "text", part: "text", maxlength: 12000, "aria-describedby": "hint", oninput: () => {
      this.#text = area.value;
      const words = area.value.split(/\s+/).filter(Boolean).length;
      count.textContent = words ? this.#say("words", { n: words.toLocaleString(this.#lang) }) : "";
      this.#remember();
    } });
    area.value = this.#text;
    const keep = make("input", { type: "checkbox", onchange: () => {
      if (!keep.checked) return this.#forget();
      try { localStorage.setItem(this.#store, "{}"); this.#remember(); } catch { keep.checked = false; }
    } });
    keep.checked = this.#keeping();
    const who = make("details", { class: "who", open: true }, make("summary", {}, this.#say("more")));
    const examples = make("details", {}, make("summary", {}, this.#say("examples")),
      ...["example1", "example2"].map((key) => make("p", { class: "soft" }, this.#say(key))));
    const row = make("div", { class: "row" }, make("button", { class: "main", part: "button" }, this.#say("reflect")));
    if (this.hasAttribute("compact")) row.append(make("button", { type: "button", onclick: () => this.removeAttribute("open") }, this.#say("close")));
    this.#dictation(area, row);
    const form = make("form", { onsubmit: (event) => { event.preventDefault(); if (area.value.trim()) this.#send(this.#first()); else area.focus(); } },
      make("label", { for: "text" }, this.#say("ask")), area, make("p", { id: "hint", class: "soft" }, this.#say("hint"), " ", count), row,
      make("label", { class: "check" }, keep, this.#say("keep")));
    await Promise.race([this.#facts(who), new Promise((done) => setTimeout(done))]);
    this.#put(area, make("h2", {}, this.#say("title")), who, form, examples);
  }

  /** Dictation by the browser, if it listens on this device: one that would send a voice elsewhere is not asked. */
  async #dictation(area, row) {
    const Speech = globalThis.SpeechRecognition;
    const asked = { langs: [this.#spoken], processLocally: true };
    if (!Speech?.available || (await Speech.available(asked).catch(() => "unavailable")) !== "available") return;
    const button = make("button", { type: "button", "aria-pressed": "false" }, this.#say("dictate"));
    const hush = () => { this.#listening = null; button.setAttribute("aria-pressed", "false"); };
    button.addEventListener("click", () => {
      if (this.#listening) return this.#listening.stop();
      const ear = (this.#listening = Object.assign(new Speech(), { lang: this.#spoken, processLocally: true, continuous: true }));
      ear.addEventListener("result", (event) => {
        const said = [...event.results].slice(event.resultIndex).filter((one) => one.isFinal).map((one) => one[0].transcript.trim()).join(" ");
        if (!said) return;
        area.value = [area.value.trimEnd(), said].filter(Boolean).join(" ");
        area.dispatchEvent(new Event("input"));
      });
      ear.addEventListener("end", hush);
      ear.addEventListener("error", hush);
      button.setAttribute("aria-pressed", "true");
      ear.start();
    });
    row.append(button);
  }
  get #spoken() { return this.getAttribute("lang") || document.documentElement.lang || navigator.language; }

  #body(more) {
    const listed = (name) => (this.getAttribute(name) ?? "").split(",").map((one) => one.trim()).filter(Boolean);
    if (more.text !== undefined) return more; // a reply to what is kept
    const body = { challenge: this.#text, ...more };
    if (this.getAttribute("lang")) body.language = this.#lang;
    if (listed("focus").length) body.focus = listed("focus");
    if (listed("functions").length) body.functions = listed("functions");
    if (this.hasAttribute("store")) body.store = true;
    return body;
  }
  #first() { return { count: Number(this.getAttribute("count")) || 3 }; }

  /** Send; `exchange` is what was answered, which counts once the service has it. The same sending tried again has the same name, so that it counts once. */
  async #send(more, exchange = null, name = named()) {
    this.#again = () => this.#send(more, exchange, name);
    this.#stop?.abort();
    this.#listening?.abort();
    const stop = (this.#stop = new AbortController());
    const cancel = make("button", { onclick: () => stop.abort() }, this.#say("cancel"));
    this.#put(cancel, make("p", { class: "soft" }, this.#say("reading")), make("div", { class: "row" }, cancel));
    this.#announce(this.#say("reading"));
    this.#queue = [];
    let shown = false;
    const notices = [];
    try {
      const going = more.text !== undefined;
      const key = going ? this.#kept.token : this.getAttribute("key");
      const answer = await fetch(new URL(going ? `v1/reflections/${this.#kept.id}/replies` : "v1/reflections", this.#base), {
        method: "POST", signal: stop.signal, credentials: "omit", referrerPolicy: "no-referrer", body: JSON.stringify(this.#body(more)),
        headers: { "content-type": "application/json", accept: "text/event-stream", "idempotency-key": name, ...(key ? { authorization: `Bearer ${key}` } : {}) },
      });
      if (!answer.ok) throw new Error((await answer.json().catch(() => ({}))).detail ?? this.#say("lost"));
      let ended = false;
      for await (const [event, data] of events(answer)) {
        if (event === "opened") {
          if (data.kept?.continue_token) this.#kept = { id: data.id, token: data.kept.continue_token };
          this.#tell("opened", data);
        }
        else if (event === "signpost") { this.#signpost(data); return; }
        else if (event === "acknowledged") this.#heard = data.text;
        else if (event === "notice") notices.push(data);
        else if (event === "failed") throw new Error(data.detail);
        else if (event === "closed") { ended = true; this.#tell("closed", data); }
        else if (event === "asked") {
          this.#queue.push(data);
          this.#tell("question", data.question);
          if (!shown) { shown = true; this.#answered(exchange); this.#next(notices); }
        }
      }
      if (!ended) throw new Error(this.#say("lost"));
      if (shown) return;
      if (!notices.some((one) => one.code === "finished")) return this.#trouble(notices.map((one) => one.message).join(" "));
      this.#answered(exchange);
      this.#end();
    } catch (error) {
      if (stop.signal.aborted) return this.#current ? this.#show([]) : this.#begin();
      this.#tell("error", { message: error.message });
      if (!shown) this.#trouble(error instanceof TypeError ? this.#say("lost") : error.message);
    } finally {
      if (this.#stop === stop) this.#stop = null;
    }
  }

  /** What was answered has arrived, and was taken up. */
  #answered(exchange) {
    if (exchange) this.#exchanges.push(exchange);
    this.#draft = "";
    this.#remember();
  }

  #next(notices) { this.#current = this.#queue.shift(); this.#show(notices); }

  #show(notices) {
    const { question, guidance } = this.#current;
    this.#touched.skills.add(question.skill);
    this.#touched.views.add(question.perspective);
    const area = make("textarea", { class: "short", id: "reply", maxlength: 4000, oninput: () => { this.#draft = area.value; } });
    area.value = this.#draft;
    const move = (name) => make("button", { type: "button", onclick: () => this.#move(name, area.value) }, this.#say(name));
    const form = make("form", { onsubmit: (event) => { event.preventDefault(); if (area.value.trim()) this.#move("reply", area.value); else area.focus(); } },
      make("label", { for: "reply" }, this.#say("your")), area,
      make("div", { class: "row" }, make("button", { class: "main", part: "button" }, this.#say("answer")), move("another"), move("deeper"), move("skip"),
        make("button", { type: "button", class: "last", onclick: () => this.#move("wrap_up", area.value) }, this.#say("end"))));
    const asked = make("p", { class: "question", part: "question", lang: "en", tabindex: "-1" }, question.text);
    this.#put(asked, make("div", { class: "come" }, this.#heard && make("p", { class: "heard", lang: "en" }, this.#heard), asked), form,
      ...notices.filter((one) => one.code !== "answered-in-english").map((one) => make("p", { class: "notice", lang: "en" }, one.message)),
      this.#own(question), this.#library(guidance), this.#cover());
    this.#announce(`${this.#heard} ${question.text}`.trim());
  }

  #move(move, reply) {
    const text = reply.trim();
    const exchange = { question: this.#current.question.text, reply: text || null };
    this.#tell("reply", { move, reply: text });
    if (this.#kept) return this.#send({ to: this.#current.question.id, text, move }, exchange);
    if (!text && (move === "skip" || move === "another") && this.#queue.length) {
      this.#exchanges.push(exchange);
      this.#remember();
      this.#heard = "";
      return this.#next([]);
    }
    return this.#send({ exchanges: [...this.#exchanges, exchange].slice(-24), move }, exchange);
  }

  /** The person's own words, with those marked that the question quotes. Offsets count code points. */
  #own(question) {
    const texts = { "/challenge": this.#text };
    (this.#kept ? this.#exchanges : this.#exchanges.slice(-24)).forEach(({ reply }, at) => { if (reply) texts[`/exchanges/${at}/reply`] = reply; });
    const marked = question.evidence.find((one) => texts[one.of]);
    if (!marked) return null;
    const points = [...texts[marked.of]];
    const piece = (from, to) => points.slice(from, to).join("");
    const mark = make("mark", {}, piece(marked.start, marked.end));
    const told = make("p", { class: "told", tabindex: "0" }, piece(0, marked.start), mark, piece(marked.end));
    return make("details", { ontoggle: () => { told.scrollTop = mark.offsetTop - told.clientHeight / 3; } }, make("summary", {}, this.#say("own")), told);
  }

  #library(guidance) {
    if (!guidance.length) return null;
    return make("details", { lang: "en" }, make("summary", {}, this.#say("guidance")),
      ...guidance.flatMap((one) => [make("p", {}, make("strong", {}, one.title)), make("p", {}, one.excerpt),
        make("p", { class: "soft" }, one.sources.map((source) => `${source.author}, ${source.title}, ${source.year}`).join("; "))]));
  }

  /** Which of the seven skills (outer ring) and whose views (inner ring) were touched, and the same in words. */
  #cover() {
    const picture = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    picture.setAttribute("viewBox", "0 0 56 56");
    picture.setAttribute("aria-hidden", "true");
    const ring = (radius, names, touched) => names.forEach((name, at) => {
      const arc = document.createElementNS(picture.namespaceURI, "circle");
      const whole = names.length * 10;
      const drawn = { cx: 28, cy: 28, r: radius, pathLength: whole, "stroke-width": 6, "stroke-dasharray": `8.6 ${whole - 8.6}`, "stroke-dashoffset": -10 * at, transform: "rotate(-90 28 28)" };
      for (const [key, value] of Object.entries(drawn)) arc.setAttribute(key, value);
      if (touched.has(name)) arc.setAttribute("class", "touched");
      picture.append(arc);
    });
    ring(24, SKILLS, this.#touched.skills);
    ring(14, VIEWS, this.#touched.views);
    const words = (set) => [...set].map((one) => this.#say(one === "own" ? "own_view" : one)).join(", ");
    return make("div", { class: "cover soft" }, picture, make("span", {}, `${this.#say("touched")}: ${words(this.#touched.skills)}.`, make("br"), `${this.#say("views")}: ${words(this.#touched.views)}.`));
  }

  #signpost(data) {
    this.#tell("signpost", data);
    this.#forget();
    const lines = data.help.map((one) => make("p", {}, make("strong", {}, `${one.name}: `, reach(one.contact)), make("br"), `${one.what}; ${one.hours}`));
    const heading = make("h2", { tabindex: "-1" }, this.#say("help"));
    this.#put(heading, make("div", { class: "help", part: "signpost" }, heading, make("p", {}, data.text),
      data.emergency && make("p", {}, make("strong", {}, `${this.#say("emergency")}: ${data.emergency}`)), ...lines));
    this.#announce(data.text);
  }

  #trouble(message) {
    const back = () => (this.#current ? this.#show([]) : this.#begin());
    const retry = make("button", { class: "main", onclick: () => this.#again() }, this.#say("retry"));
    this.#put(retry, make("p", { class: "notice" }, message), make("div", { class: "row" }, retry, make("button", { onclick: back }, this.#say("cancel"))));
    this.#announce(message);
  }

  #end() {
    const area = make("textarea", { id: "all", class: "all", part: "text" });
    area.value = this.export().replace(/^# .*\n+/, "");
    const said = make("span", { class: "soft", role: "status" });
    this.#put(area, make("h2", {}, this.#say("summary")), make("p", { class: "soft" }, this.#say("summaryHint")),
      make("label", { for: "all", class: "unseen" }, this.#say("summary")), area,
      make("div", { class: "row" },
        make("button", { class: "main", onclick: async () => { await navigator.clipboard.writeText(area.value); said.textContent = this.#say("copied"); } }, this.#say("copy")),
        make("button", { onclick: () => make("a", { href: URL.createObjectURL(new Blob([area.value], { type: "text/markdown" })), download: "reflection.md" }).click() }, this.#say("download")),
        make("button", { onclick: () => this.#print(area.value) }, this.#say("print")),
        make("button", { onclick: () => { this.reset(); this.#announce(this.#say("erased")); } }, this.#say("erase")), said));
    this.#announce(this.#say("summary"));
  }

  /** On paper: these words alone, not the page around them. */
  #print(text) {
    const frame = make("iframe", { class: "unseen", title: this.#say("summary"), tabindex: "-1", "aria-hidden": "true" });
    this.#stage.append(frame);
    const { body } = frame.contentDocument;
    body.append(...text.split("\n").map((line) => Object.assign(frame.contentDocument.createElement("p"), { textContent: line.replaceAll("**", "").replace(/^# /, "") })));
    frame.contentWindow.print();
  }
}

customElements.define("reflection-coach", ReflectionCoach);
