/**
 * Coach from TypeScript, over fetch: browsers, Node 20, Deno, Bun. No dependencies. `api.ts` beside it holds the types, made from the service's
 * OpenAPI document; nothing of it is left when this is compiled. coach/docs/clients.md explains both.
 */
import type { components, paths } from "./api.js";

type Schemas = components["schemas"];
export type ReflectionRequest = Schemas["ReflectionRequest"];
export type ReflectionAnswer = Schemas["ReflectionAnswer"];
export type ReplyRequest = Schemas["ReplyRequest"];
export type Question = Schemas["QuestionOut"];
export type Guidance = Schemas["GuidanceOut"];
export type Problem = Schemas["Problem"];

/** How a stream ended: `shutting_down` where the service was stopped before all had come. */
export type Outcome = "complete" | "shutting_down";

/** What a stream says, in the order in which it says it. After `closed` or `failed` nothing comes. */
export type CoachEvent =
  | { event: "opened"; data: Pick<ReflectionAnswer, "id" | "object" | "language" | "disclosure" | "provenance" | "kept"> }
  | { event: "signpost"; data: NonNullable<ReflectionAnswer["signpost"]> }
  | { event: "notice"; data: ReflectionAnswer["notices"][number] }
  | { event: "acknowledged"; data: NonNullable<ReflectionAnswer["acknowledgement"]> }
  | { event: "offered"; data: NonNullable<ReflectionAnswer["offered"]> }
  | { event: "asked"; data: { question: Question; guidance: Guidance[] } }
  | { event: "closed"; data: Pick<ReflectionAnswer, "coverage" | "guidance" | "privacy" | "usage"> & { outcome: Outcome } }
  | { event: "failed"; data: { code: string; detail: string } };

const EVENTS = new Set(["opened", "signpost", "notice", "acknowledged", "offered", "asked", "closed", "failed"]);

/** Waiting does not help here: somebody has to do something. */
const LASTING = new Set(["store-key-wrong", "collection-broken"]);

/** The service said why not. The message is its own; `problem.code` is stable. `retryAfter` is in seconds. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    readonly problem: Problem | null,
    readonly retryAfter: number | null,
  ) {
    super(problem?.detail ?? "It was refused without a problem document.");
    this.name = "Refused";
  }
}

/** Nobody answered, or a stream ended before its last word. What came before it stands. */
export class NoAnswer extends Error {
  constructor(message: string) {
    super(message);
    this.name = "NoAnswer";
  }
}

type Method = "get" | "put" | "post" | "delete";
type MethodOf<P extends keyof paths> = { [M in Method]: paths[P][M] extends undefined ? never : M }[Method];
type Of<P extends keyof paths, M extends MethodOf<P>> = NonNullable<paths[P][M]>;
type PathOf<O> = O extends { parameters: { path: infer V } } ? { path: V } : { path?: never };
type QueryOf<O> = O extends { parameters: { query?: infer V } } ? { query?: V } : { query?: never };
type BodyOf<O> = O extends { requestBody: { content: { "application/json": infer V } } } ? { body: V } : { body?: never };

/** `token` opens one kept reflection or one session, in place of the client's key. */
export type Wishes = { token?: string; signal?: AbortSignal };
export type Options<O> = PathOf<O> & QueryOf<O> & BodyOf<O> & Wishes;
type Given<O> = {} extends PathOf<O> & BodyOf<O> ? [options?: Options<O>] : [options: Options<O>];
export type Answer<O> = O extends { responses: infer R } ? { [S in keyof R & (200 | 201)]: JsonOf<R[S]> }[keyof R & (200 | 201)] : never;
type JsonOf<R> = R extends { content: { "application/json": infer V } } ? V : unknown;

export type Settings = {
  baseUrl?: string;
  apiKey?: string;
  /** Tries after the first; seconds in all, beyond which none is begun. */
  retries?: number;
  within?: number;
  /** Seconds for a whole answer; a stream has no such bound. */
  timeout?: number;
  fetch?: typeof fetch;
};

type Sent = { method: string; url: string; headers: Record<string, string>; body: string | null; signal: AbortSignal | null };
type Loose = { path?: Record<string, string>; query?: Record<string, unknown>; body?: unknown } & Wishes;

export class Coach {
  readonly #base: string;
  readonly #key: string | undefined;
  readonly #retries: number;
  readonly #within: number;
  readonly #timeout: number;
  readonly #fetch: typeof fetch;

  constructor(settings: Settings = {}) {
    this.#base = (settings.baseUrl ?? "http://127.0.0.1:8000").replace(/\/+$/, "");
    this.#key = settings.apiKey;
    this.#retries = settings.retries ?? 4;
    this.#within = settings.within ?? 60;
    this.#timeout = settings.timeout ?? 60;
    this.#fetch = settings.fetch ?? globalThis.fetch.bind(globalThis);
  }

  /** Reflect on a challenge, which may be given as a string alone. */
  reflect(request: ReflectionRequest | string, wishes: Wishes = {}): Promise<ReflectionAnswer> {
    return this.request("post", "/v1/reflections", { body: asRequest(request), ...wishes });
  }

  /** The same, event by event. Leaving the loop closes the connection, which ends the work. */
  stream(request: ReflectionRequest | string, wishes: Wishes = {}): AsyncGenerator<CoachEvent, void, undefined> {
    return this.#events("/v1/reflections", { body: asRequest(request), ...wishes });
  }

  /** Go on with a kept reflection. */
  reply(id: string, request: ReplyRequest | string, wishes: Wishes = {}): Promise<ReflectionAnswer> {
    const body = typeof request === "string" ? { text: request } : request;
    return this.request("post", "/v1/reflections/{identifier}/replies", { path: { identifier: id }, body, ...wishes });
  }

  /** The same, event by event. */
  streamReply(id: string, request: ReplyRequest | string, wishes: Wishes = {}): AsyncGenerator<CoachEvent, void, undefined> {
    const body = typeof request === "string" ? { text: request } : request;
    return this.#events("/v1/reflections/{identifier}/replies", { path: { identifier: id }, body, ...wishes });
  }

  /** Any operation of the API that answers with JSON, typed by its method and address. */
  async request<P extends keyof paths, M extends MethodOf<P>>(method: M, path: P, ...given: Given<Of<P, M>>): Promise<Answer<Of<P, M>>> {
    const wishes = (given as [Loose?])[0] ?? {};
    const limit = AbortSignal.timeout(this.#timeout * 1000);
    const signal = wishes.signal ? AbortSignal.any([wishes.signal, limit]) : limit;
    const response = await this.#answered(this.#sent(method, path, { ...wishes, signal }, "application/json"));
    return (await response.json()) as Answer<Of<P, M>>;
  }

  #sent(method: string, path: string, wishes: Loose, accept: string): Sent {
    const url = new URL(this.#base + path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(wishes.path?.[name] ?? "")));
    for (const [name, value] of Object.entries(wishes.query ?? {}))
      for (const one of [value].flat()) if (one != null) url.searchParams.append(name, String(one));
    const headers: Record<string, string> = { accept };
    const secret = wishes.token ?? this.#key;
    if (secret !== undefined) headers["authorization"] = `Bearer ${secret}`;
    if (wishes.body !== undefined) headers["content-type"] = "application/json";
    if (method === "post") headers["idempotency-key"] = uuid4(); // made once for all tries, so that trying twice does it once
    const body = wishes.body === undefined ? null : JSON.stringify(wishes.body);
    return { method: method.toUpperCase(), url: url.href, headers, body, signal: wishes.signal ?? null };
  }

  /** A response that says yes, tried again where waiting may help. */
  async #answered(sent: Sent): Promise<Response> {
    const begun = Date.now();
    for (let tries = 0; ; tries++) {
      const failure = await this.#once(sent);
      if (failure instanceof Response) return failure;
      const pause = (failure instanceof Refused ? (failure.retryAfter ?? 0) : 0) + Math.random() * Math.min(8, 0.25 * 2 ** tries);
      const late = (Date.now() - begun) / 1000 + pause > this.#within;
      if (tries >= this.#retries || late || !mayPass(failure)) throw failure;
      await new Promise((done) => setTimeout(done, pause * 1000));
    }
  }

  async #once(sent: Sent): Promise<Response | Refused | NoAnswer> {
    const { url, ...init } = sent;
    try {
      const response = await this.#fetch(url, { ...init, redirect: "manual" });
      return response.ok ? response : await refused(response);
    } catch (error) {
      if (sent.signal?.aborted) throw error; // the caller's wish, or the timeout
      return new NoAnswer("No answer came.");
    }
  }

  async *#events(path: string, wishes: Loose): AsyncGenerator<CoachEvent, void, undefined> {
    const response = await this.#answered(this.#sent("post", path, wishes, "text/event-stream"));
    if (!response.body || !response.headers.get("content-type")?.startsWith("text/event-stream")) throw new NoAnswer("No stream came.");
    const reader = response.body.getReader();
    const messages = new Messages();
    try {
      for (;;) {
        const { done, value } = await reader.read().catch(() => ({ done: true, value: undefined }));
        if (done || !value) throw new NoAnswer("The stream ended before its last word.");
        for (const message of messages.take(value)) {
          yield message;
          if (message.event === "closed" || message.event === "failed") return;
        }
      }
    } finally {
      await reader.cancel().catch(() => undefined);
    }
  }
}

/** Server-Sent Events (WHATWG HTML, section 9.2). Events that this version does not know are passed over. */
class Messages {
  readonly #letters = new TextDecoder();
  #rest = "";
  #event = "";
  #data: string[] = [];

  *take(bytes: Uint8Array): Generator<CoachEvent> {
    const text = this.#rest + this.#letters.decode(bytes, { stream: true });
    const whole = text.endsWith("\r") ? text.slice(0, -1) : text; // the line feed of this return may still come
    const lines = whole.split(/\r\n|\n|\r/);
    this.#rest = (lines.pop() ?? "") + text.slice(whole.length);
    for (const line of lines) {
      if (line === "") {
        if (EVENTS.has(this.#event)) yield { event: this.#event, data: JSON.parse(this.#data.join("\n")) } as CoachEvent;
        this.#event = "";
        this.#data = [];
      } else if (line.startsWith("event:")) this.#event = line.slice(6).trimStart();
      else if (line.startsWith("data:")) this.#data.push(line.slice(5).replace(/^ /, ""));
    }
  }
}

function asRequest(request: ReflectionRequest | string): ReflectionRequest {
  return typeof request === "string" ? { challenge: request } : request;
}

function mayPass(failure: Refused | NoAnswer): boolean {
  if (failure instanceof NoAnswer || failure.status === 429) return true;
  const code = failure.problem?.code;
  return code === "idempotency-in-flight" || (failure.status === 503 && !LASTING.has(code ?? ""));
}

async function refused(response: Response): Promise<Refused> {
  const told = response.headers.get("retry-after");
  const wait = told === null ? NaN : /^\d+$/.test(told) ? Number(told) : (Date.parse(told) - Date.now()) / 1000;
  const said: unknown = await response.json().catch(() => null);
  const problem = said !== null && typeof said === "object" && "code" in said && "detail" in said ? (said as Problem) : null;
  return new Refused(response.status, problem, Number.isNaN(wait) ? null : Math.max(0, wait));
}

/** RFC 9562; `crypto.randomUUID` is missing on pages that are not served over TLS. */
function uuid4(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
