// <reflection-coach endpoint="https://coach.example"></reflection-coach>: a manager writes, is heard, and gets one question at a time.
// No framework, no cookie, nothing kept unless the person ticks it, nothing asked of any third party. Text of others is set as text, never as HTML.
import { STYLE } from "./style.js";
import { TEXTS } from "./texts.js";

const SKILLS = ["active_listening", "managing_conflict", "shared_problem_solving", "self_regulation", "humility", "curiosity", "care"];
const VIEWS = ["own", "other", "shared"];
const STOPS = ["crisis", "hr_legal"]; // where coaching ends; any other signpost says what would help, and leaves the words where they are
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

/** What there is of a conversation; all of it, and nothing else, is kept on the device where that is ticked. */
const fresh = () => ({
  text: "", draft: "", // the write-up, and a reply that is being typed, until it has arrived
  exchanges: [], queue: [], current: null, heard: "", skills: [], views: [],
  closing: false, // the question looks back: one of the last
  over: false, // there is no question after the one that was answered
  ended: false, edited: null, // the last page is open, and what was changed on it
  kept: null, // where the service keeps it, if the page asked for that: its id, and the token that opens it
});

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
  #talk = fresh();
  #view = ""; // what is on the stage: shut, write, question, help, end
  #stop = null;
  #again = null;
  #known = null; // what the service says of itself
  #more = {};
  #listening = null; // the browser's own dictation, while it runs

  static observedAttributes = ["open", "compact", "lang"];
  attributeChangedCallback(_name, before, now) { if (before !== now && (this.#view === "shut" || this.#view === "write")) this.#enter(); }

  set texts(value) { this.#more = value; if (this.#view && this.#view !== "help") this.#enter(); }
  get #lang() { return (this.getAttribute("lang") || document.documentElement.lang || "en").toLowerCase(); }
  get #base() { return this.getAttribute("endpoint") || new URL("../..", import.meta.url).href; }
  get #english() { return this.#lang.split("-")[0] === "en"; }
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
    if (inside && target) this.#lead(target);
  }

  /** To what came, without a jump where it can be seen; on a small screen, where it came above what is seen, to its beginning. */
  #lead(target) {
    target.focus({ preventScroll: true });
    if (target.getBoundingClientRect().top < 0 || this.#stage.querySelector(".notice")?.getBoundingClientRect().top < 0) this.#stage.scrollIntoView();
  }

  connectedCallback() {
    this.#root.adoptedStyleSheets = [sheet];
    this.#root.replaceChildren(this.#stage, this.#live);
    this.#root.addEventListener("keydown", (event) => event.key === "Escape" && this.#stop?.abort());
    if (!this.#view) this.#restore();
    if (this.#view !== "help") this.#enter(); // moved on the page, it still says where help is
    this.#tell("ready");
  }
  disconnectedCallback() { this.#stop?.abort(); }

  /** Where the person is. */
  #enter() {
    if (this.#stop) return null; // something is being read; what comes of it is shown then
    if (this.hasAttribute("compact") && !this.hasAttribute("open")) return this.#shut();
    if (this.#talk.ended) return this.#end();
    return this.#talk.current ? this.#show([]) : this.#begin();
  }

  /** Reflect on a text, as if it had been typed and sent. */
  ask(text) {
    this.#talk = { ...fresh(), text };
    return this.#send(this.#first());
  }
  /** Forget everything, here and on this device. */
  reset() { this.#renew(); }
  #renew(note = "") {
    const inside = this.#root.activeElement !== null;
    this.#stop?.abort();
    this.#stop = null;
    this.#forget();
    this.#talk = fresh();
    this.#stage.replaceChildren();
    this.#stage.style.minHeight = "";
    this.#view = "write";
    if (this.hasAttribute("compact") && !this.hasAttribute("open")) this.#shut();
    else this.#begin(note, inside);
  }
  /** What was said so far, as Markdown. */
  export() { return this.#markdown(this.#words()); }

  /** The person's own words, and before each answer the question; a question without an answer is none of them. */
  #words(exchanges = this.#talk.exchanges) {
    return [this.#talk.text.trim(), ...exchanges.filter(({ reply }) => reply).map(({ question, reply }) => `${question}\n${reply}`)].filter(Boolean).join("\n\n");
  }
  #markdown(words) {
    const asked = new Set(this.#talk.exchanges.map(({ question }) => question));
    return [`# ${this.#say("summary")}`, "", ...words.split("\n").map((line) => (asked.has(line) ? `**${line}**\n` : line))].join("\n") + "\n";
  }

  #keeping() { try { return localStorage.getItem(this.#store) !== null; } catch { return false; } } // storage may be closed to us, in a frame say
  #forget() { if (this.#keeping()) localStorage.removeItem(this.#store); }
  #remember() {
    if (!this.#keeping()) return;
    try { localStorage.setItem(this.#store, JSON.stringify(this.#talk)); } catch { /* full: what was kept before stays */ }
  }
  #restore() {
    if (!this.#keeping()) return;
    try { this.#talk = { ...fresh(), ...JSON.parse(localStorage.getItem(this.#store)) }; } catch { this.#forget(); } // not ours, or cut short
  }

  /** Who answers, and where words go. Asked once; waited for a moment, so that nothing moves when it comes. */
  #about() { return (this.#known ??= fetch(new URL("v1/about", this.#base), { credentials: "omit" }).then((answer) => answer.json())); }
  async #facts(place) {
    try {
      const facts = await this.#about();
      const goes = facts.sent_to.length ? this.#say("leaves", { to: facts.sent_to.join(", ") }) : this.#say("stays");
      const days = this.hasAttribute("store") && facts.stored !== "never" && /^P(\d+)D$/.exec(facts.retention)?.[1];
      place.append(make("p", { lang: facts.language }, facts.what), make("p", {}, goes, " ", days ? this.#say("keepsDays", { n: days }) : this.#say("keepsNothing")));
    } catch {
      this.#known = null;
      place.append(make("p", {}, this.#say("lost")));
    }
  }

  /** One line that opens. What is closed is not there: nothing to tab into, nothing read out. */
  #shut() {
    this.#view = "shut";
    const open = make("button", { class: "opener", part: "button", "aria-expanded": "false", onclick: () => { this.setAttribute("open", ""); } },
      make("strong", {}, this.#say("title")), make("span", {}, this.#say("ask")));
    this.#put(open, open);
  }

  /** To write. `note` stands above the field: what would help, or that all is erased. */
  async #begin(note = "", inside = false) {
    this.#view = "write";
    await Promise.race([this.#about().catch(() => null), new Promise((done) => setTimeout(done, 120))]);
    if (this.#stop || this.#view !== "write") return; // something was asked meanwhile
    const count = make("span", { class: "soft" });
    const area = make("textarea", { id: "text", part: "text", maxlength: 12000, "aria-describedby": "hint", oninput: () => {
      this.#talk.text = area.value;
      counted();
      this.#remember();
    } });
    const counted = () => {
      const words = area.value.split(/\s+/).filter(Boolean).length;
      count.textContent = words ? this.#say("words", { n: words.toLocaleString(this.#lang) }) : "";
    };
    area.value = this.#talk.text;
    counted();
    const keep = make("input", { type: "checkbox", "aria-describedby": "kept", onchange: () => {
      if (!keep.checked) return this.#forget();
      try { localStorage.setItem(this.#store, "{}"); this.#remember(); } catch { keep.checked = false; }
    } });
    keep.checked = this.#keeping();
    const who = make("details", { class: "who", open: !note }, make("summary", {}, this.#say("more")));
    const examples = make("details", {}, make("summary", {}, this.#say("examples")),
      ...["example1", "example2"].map((key) => make("p", { class: "soft" }, this.#say(key))));
    const row = make("div", { class: "row" }, make("button", { class: "main", part: "button" }, this.#say("reflect")));
    if (this.hasAttribute("compact")) row.append(make("button", { type: "button", onclick: () => this.removeAttribute("open") }, this.#say("close")));
    this.#dictation(area, row);
    const form = make("form", { onsubmit: (event) => { event.preventDefault(); if (area.value.trim()) this.ask(area.value); else area.focus(); } },
      make("label", { for: "text" }, this.#say("ask")), area, make("p", { id: "hint", class: "soft" }, this.#say("hint"), " ", count), row,
      make("label", { class: "check" }, keep, this.#say("keep")), make("p", { id: "kept", class: "soft" }, this.#say("keepHint")));
    const above = note && make("p", { class: "notice" }, note);
    await Promise.race([this.#facts(who), new Promise((done) => setTimeout(done))]);
    if (this.#stop || this.#view !== "write") return;
    this.#put(area, make("h2", {}, this.#say("title")), who, !this.#english && make("p", { class: "soft" }, this.#say("inEnglish")), above, form, examples);
    if (inside) this.#lead(area);
    if (!note) return;
    area.setSelectionRange(area.value.length, area.value.length);
    this.#announce(note);
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
    const body = { challenge: this.#talk.text, ...more };
    if (this.getAttribute("lang")) body.language = this.#lang;
    if (listed("focus").length) body.focus = listed("focus");
    if (listed("functions").length) body.functions = listed("functions");
    if (this.hasAttribute("store")) body.store = true;
    return body;
  }
  #first() { return { count: Number(this.getAttribute("count")) || 3 }; }

  /** Send; `exchange` is what was answered, which counts once the service has it, and with `finish` the last page comes then. The same sending tried again has the same name, so that it counts once. */
  async #send(more, exchange = null, finish = false, name = named()) {
    this.#again = () => this.#send(more, exchange, finish, name);
    this.#stop?.abort();
    this.#listening?.abort();
    const stop = (this.#stop = new AbortController());
    const cancel = make("button", { onclick: () => stop.abort() }, this.#say("cancel"));
    this.#put(cancel, make("p", { class: "soft" }, this.#say("reading")), make("div", { class: "row" }, cancel));
    this.#announce(this.#say("reading"));
    this.#talk.queue = [];
    this.#talk.offered = null;
    let [shown, stopped] = [false, false];
    const notices = [];
    try {
      const going = more.text !== undefined;
      const key = going ? this.#talk.kept.token : this.getAttribute("key");
      const answer = await fetch(new URL(going ? `v1/reflections/${this.#talk.kept.id}/replies` : "v1/reflections", this.#base), {
        method: "POST", signal: stop.signal, credentials: "omit", referrerPolicy: "no-referrer", body: JSON.stringify(this.#body(more)),
        headers: { "content-type": "application/json", accept: "text/event-stream", "idempotency-key": name, ...(key ? { authorization: `Bearer ${key}` } : {}) },
      });
      if (!answer.ok) throw new Error((await answer.json().catch(() => ({}))).detail ?? this.#say("lost"));
      let ended = false;
      for await (const [event, data] of events(answer)) {
        if (event === "opened") {
          if (data.kept?.continue_token) this.#talk.kept = { id: data.id, token: data.kept.continue_token };
          this.#tell("opened", data);
        }
        else if (event === "signpost") {
          this.#tell("signpost", data);
          if (!STOPS.includes(data.flag)) return this.#talk.current ? this.#show([{ message: data.text }]) : this.#begin(data.text);
          stopped = true;
          this.#signpost(data, exchange);
        }
        else if (stopped) { if (event === "asked") this.#ponder(data.question.text); }
        else if (event === "acknowledged") this.#talk.heard = data.text;
        else if (event === "offered") this.#talk.offered = data;
        else if (event === "notice") notices.push(data);
        else if (event === "failed") throw new Error(data.detail);
        else if (event === "closed") { ended = true; this.#tell("closed", data); }
        else if (event === "asked") {
          this.#talk.queue.push(data);
          this.#tell("question", data.question);
          if (shown) this.#remember();
          else {
            shown = true;
            this.#answered(exchange);
            this.#talk.closing = this.#looksBack(more.move, exchange, notices);
            if (more.move === "wrap_up" && !exchange.reply) this.#talk.heard = ""; // that it is one of the last is said instead
            this.#next(notices, finish);
          }
        }
      }
      if (stopped) return;
      if (!ended) throw new Error(this.#say("lost"));
      if (shown) return;
      if (!notices.some((one) => one.code === "finished")) return this.#trouble(notices.map((one) => one.message).join(" "));
      this.#answered(exchange);
      this.#talk.over = true;
      this.#end();
    } catch (error) {
      if (stopped || (this.#stop !== stop && stop.signal.aborted)) return; // where help is stays; or something else is going on
      if (stop.signal.aborted) { this.#stop = null; return this.#enter(); }
      this.#tell("error", { message: error.message });
      if (!shown) this.#trouble(error instanceof TypeError ? this.#say("lost") : error.message);
    } finally {
      if (this.#stop === stop) this.#stop = null;
    }
  }

  /** What was answered has arrived, and was taken up. */
  #answered(exchange) {
    if (exchange) this.#talk.exchanges.push(exchange);
    this.#talk.draft = "";
    this.#talk.over = false;
    this.#remember();
  }

  /** Whether a question is one of the last: after a wish to end they follow each other, unless one is stayed with or exchanged for another. */
  #looksBack(move, exchange, notices) {
    if (move === "wrap_up" || notices.some((one) => one.code === "close-proposed")) return true;
    const before = move === "another" && exchange && !exchange.reply ? this.#talk.exchanges.slice(0, -1) : this.#talk.exchanges;
    return move !== "deeper" && before.some((one) => one.last);
  }

  #next(notices, finish = false) {
    const talk = this.#talk;
    talk.current = talk.queue.shift();
    const { skill, perspective } = talk.current.question;
    talk.skills = [...new Set([...talk.skills, skill])];
    talk.views = [...new Set([...talk.views, perspective])];
    if (finish) this.#end();
    else this.#show(notices);
  }

  #show(notices) {
    const talk = this.#talk;
    const { question, guidance } = talk.current;
    this.#view = "question";
    talk.ended = false;
    this.#remember();
    const area = make("textarea", { class: "short", id: "reply", maxlength: 4000, oninput: () => { talk.draft = area.value; this.#remember(); } });
    area.value = talk.draft;
    const move = (name) => make("button", { type: "button", onclick: () => this.#move(name, area.value) }, this.#say(name));
    const moves = [move("another"), move("deeper"), move("skip")];
    if (talk.closing) moves.unshift(make("button", { type: "button", class: "finish", onclick: () => this.#move("wrap_up", area.value, true) }, this.#say("finish")));
    else moves.push(make("button", { type: "button", class: "last", onclick: () => this.#move("wrap_up", area.value) }, this.#say("end")));
    const form = make("form", { onsubmit: (event) => { event.preventDefault(); if (area.value.trim()) this.#move("reply", area.value); else area.focus(); } },
      make("label", { for: "reply" }, this.#say("your")), area,
      make("div", { class: "row" }, make("button", { class: "main", part: "button" }, this.#say("answer")), ...moves));
    const asked = make("p", { class: "question", part: "question", lang: "en", tabindex: "-1" }, question.text);
    const last = talk.closing ? this.#say("lastOnes") : "";
    this.#put(asked, make("div", { class: "come" }, talk.heard && make("p", { class: "heard", lang: "en" }, talk.heard), this.#offered(talk.offered), last && make("p", { class: "soft" }, last), asked), form,
      ...notices.map((one) => this.#notice(one)), this.#own(question), this.#library(guidance), this.#cover());
    this.#announce([talk.heard, last, question.text].filter(Boolean).join(" "));
  }

  /** What others think, quoted, for who asked for ideas. */
  #offered(offered) {
    return offered && make("section", { class: "offered", lang: "en" }, make("p", { class: "soft" }, offered.text),
      ...offered.passages.map((one) => make("blockquote", {}, make("p", {}, make("strong", {}, one.title)), make("p", {}, one.text), this.#sources(one))));
  }

  #sources = ({ sources }) => make("p", { class: "soft" }, sources.map((source) => `${source.author}, ${source.title}, ${source.year}`).join("; "));

  #notice({ code, message }) {
    if (code === "close-proposed") return null; // said above the question
    if (code !== "answered-in-english") return make("p", { class: "notice", lang: code && "en" }, message);
    if (this.#talk.exchanges.length) return null; // said with the first question
    return this.#english ? make("p", { class: "notice", lang: "en" }, message) : make("p", { class: "notice" }, this.#say("inEnglish"));
  }

  #move(move, reply, finish = false) {
    const talk = this.#talk;
    const text = reply.trim();
    const exchange = { question: talk.current.question.text, reply: text || null, last: talk.closing };
    const nothing = !text && (finish || (move === "wrap_up" && !talk.exchanges.some((one) => one.reply)));
    this.#tell("reply", { move, reply: text });
    if (nothing) return this.#end(); // there is nothing to send, and nothing to look back on
    if (talk.kept) return this.#send({ to: talk.current.question.id, text, move }, exchange, finish);
    if (!text && (move === "skip" || move === "another") && talk.queue.length) {
      talk.exchanges.push(exchange);
      talk.heard = "";
      return this.#next([]);
    }
    return this.#send({ exchanges: this.#told([...talk.exchanges, exchange]), move }, exchange, finish);
  }
  #told(exchanges) { return exchanges.slice(-24).map(({ question, reply }) => ({ question, reply })); }

  /** From the last page to where the conversation was; where the last question was answered, to one that stays with it. */
  #back() {
    const { over, kept, current, exchanges } = this.#talk;
    if (!over) return this.#show([]);
    return this.#send(kept ? { to: current.question.id, text: "", move: "deeper" } : { exchanges: this.#told(exchanges), move: "deeper" });
  }

  /** The person's own words, with those marked that the question quotes. Offsets count code points. */
  #own(question) {
    const texts = { "/challenge": this.#talk.text };
    (this.#talk.kept ? this.#talk.exchanges : this.#talk.exchanges.slice(-24)).forEach(({ reply }, at) => { if (reply) texts[`/exchanges/${at}/reply`] = reply; });
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
      ...guidance.flatMap((one) => [make("p", {}, make("strong", {}, one.title)), make("p", {}, one.excerpt), this.#sources(one)]));
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
      if (touched.includes(name)) arc.setAttribute("class", "touched");
      picture.append(arc);
    });
    ring(24, SKILLS, this.#talk.skills);
    ring(14, VIEWS, this.#talk.views);
    const words = (names) => names.map((one) => this.#say(one === "own" ? "own_view" : one)).join(", ");
    return make("div", { class: "cover soft" }, picture, make("span", {}, this.#say("coverHint"), make("br"),
      `${this.#say("touched")}: ${words(this.#talk.skills)}.`, make("br"), `${this.#say("views")}: ${words(this.#talk.views)}.`));
  }

  /** Where coaching stops. Nothing of it is kept after a crisis; the person's words stay here until they leave, to take along or to leave behind. */
  #signpost(data, exchange) {
    this.#view = "help";
    if (data.flag === "crisis") this.#forget();
    const lines = data.help.map((one) => make("p", {}, make("strong", {}, `${one.name}: `, reach(one.contact)), make("br"), `${one.what}; ${one.hours}`));
    const heading = make("h2", { tabindex: "-1" }, this.#say("help"));
    const words = this.#words([...this.#talk.exchanges, ...(exchange ? [exchange] : [])]);
    this.#put(heading, make("div", { class: "help", part: "signpost" }, heading, make("p", {}, data.text),
      data.emergency && make("p", {}, make("strong", {}, `${this.#say("emergency")}: ${data.emergency}`)), ...lines),
    make("div", { class: "row quiet" }, ...this.#copy("copyWords", () => words), make("button", { onclick: () => this.#renew() }, this.#say("anew"))));
    this.#announce(data.text);
  }

  /** A question beside where help is: to think about, not to answer here. */
  #ponder(question) {
    this.#stage.querySelector(".help").after(make("p", { class: "ponder" }, make("span", { class: "soft" }, this.#say("ponder")), make("br"), make("span", { lang: "en" }, question)));
    this.#announce(`${this.#live.textContent} ${this.#say("ponder")} ${question}`);
  }

  /** A button that copies, and the word that it did. Where the clipboard is closed, in a frame say, the words are shown to be taken by hand. */
  #copy(key, words, style = "") {
    const said = make("span", { class: "soft", role: "status" });
    const copy = async () => {
      try {
        await navigator.clipboard.writeText(words());
        said.textContent = this.#say("copied");
      } catch {
        const area = this.#root.getElementById("all") ?? make("textarea", { id: "all", readonly: true, "aria-label": this.#say("summary") });
        area.value = words();
        if (!area.isConnected) this.#stage.append(area);
        area.select();
      }
    };
    return [make("button", { class: style, onclick: copy }, this.#say(key)), said];
  }

  #trouble(message) {
    const retry = make("button", { class: "main", onclick: () => this.#again() }, this.#say("retry"));
    this.#put(retry, make("p", { class: "notice" }, message), make("div", { class: "row" }, retry, make("button", { onclick: () => this.#enter() }, this.#say("cancel"))));
    this.#announce(message);
  }

  #end() {
    const talk = this.#talk;
    const words = this.#words();
    this.#view = "end";
    talk.ended = true;
    const area = make("textarea", { id: "all", class: "all", part: "text", oninput: () => { talk.edited = { of: words, text: area.value }; this.#remember(); } });
    const { of, text } = talk.edited ?? {};
    area.value = words.startsWith(of) ? text + words.slice(of.length) : words; // what was changed before stays changed, and what was said since follows
    if (area.value !== words) talk.edited = { of: words, text: area.value };
    this.#remember();
    const file = () => URL.createObjectURL(new Blob([this.#markdown(area.value)], { type: "text/markdown" }));
    const row = make("div", { class: "row" });
    const erase = make("button", { onclick: () => {
      const keep = make("button", { onclick: () => { row.replaceChildren(...all); erase.focus(); } }, this.#say("keepIt"));
      row.replaceChildren(make("p", { class: "whole", id: "sure" }, this.#say("sure")),
        make("button", { "aria-describedby": "sure", onclick: () => this.#renew(this.#say("erased")) }, this.#say("eraseIt")), keep);
      keep.setAttribute("aria-describedby", "sure");
      keep.focus();
    } }, this.#say("erase"));
    const [copy, said] = this.#copy("copy", () => area.value, "main");
    const all = [copy, make("button", { onclick: () => make("a", { href: file(), download: "reflection.md" }).click() }, this.#say("download")),
      make("button", { onclick: () => this.#print(area.value) }, this.#say("print")), make("button", { onclick: () => this.#back() }, this.#say("back")), erase, said];
    row.append(...all);
    this.#put(area, make("h2", {}, this.#say("summary")), make("p", { class: "soft" }, this.#say("summaryHint")),
      make("label", { for: "all", class: "unseen" }, this.#say("summary")), area, row);
    this.#announce(this.#say("summary"));
  }

  /** On paper: these words alone, not the page around them. */
  #print(text) {
    const frame = make("iframe", { class: "unseen", title: this.#say("summary"), tabindex: "-1", "aria-hidden": "true" });
    this.#stage.append(frame);
    const { body } = frame.contentDocument;
    body.append(...text.split("\n").map((line) => Object.assign(frame.contentDocument.createElement("p"), { textContent: line })));
    frame.contentWindow.print();
  }
}

customElements.define("reflection-coach", ReflectionCoach);
