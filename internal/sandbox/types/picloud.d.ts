// What a PiCloud script finds beside the language itself. A test holds this file against the runtime: what is here is there, and the other way round.
// For tsconfig.json: "lib": ["ESNext"], "types": [], and this file in "include".

// ---------------------------------------------------------------- the script

/** What a script exports as default. */
type Handler<E = PiCloudEvent, R = unknown> = (event: E, ctx: Context) => R | Promise<R>;

/** What reaches out of the run. Writes, messages and the like are effects: they happen when the run succeeds, all of them or none. */
interface Context {
  /** Slug of the app. */
  readonly app: string;
  /** Name of the script. */
  readonly script: string;
  /** The version that runs. */
  readonly version: number;
  readonly execution: ExecutionInfo;
  readonly kv: KV;
  readonly topics: Topics;
  readonly queues: Queues;
  readonly secrets: Secrets;
  readonly email: Email;
  /** The same function as the global fetch. */
  readonly fetch: typeof fetch;
}

interface ExecutionInfo {
  readonly id: string;
  /** Counts from 1. */
  readonly attempt: number;
  /** 1 for an execution that was fired from outside; what it fires has one more. */
  readonly depth: number;
  /** Id of the event that started the chain. */
  readonly rootId: string;
  /** Id of the execution whose effect the event is. */
  readonly parentId: string | null;
  /** Nothing of this run is kept; fetch is refused. */
  readonly dryRun: boolean;
}

interface KV {
  /** null where there is no such key. */
  get<T = any>(collection: string, key: string): Promise<T | null>;
  /** value must be JSON. */
  set(collection: string, key: string, value: unknown): Promise<void>;
  /** Whether the key was there. */
  delete(collection: string, key: string): Promise<boolean>;
  /**
   * By key. limit is 1 to 500, 50 if left out; cursor is the nextCursor of the page before, null or left out for the first page.
   * Say what the values are where the page is kept: `const page: KVPage<Order> = await ctx.kv.list("orders")`.
   */
  list(collection: string, options?: { prefix?: string; limit?: number | null; cursor?: string | null }): Promise<KVPage>;
}

interface KVPage<T = any> {
  /** version is 0 for what this run itself has written. */
  items: { key: string; value: T; version: number }[];
  nextCursor: string | null;
}

interface Topics {
  /** data must be JSON. */
  publish(topic: string, data: unknown): Promise<void>;
}

interface Queues {
  /** data must be JSON. delay is a duration such as "500ms" or "5m"; priority is -100 to 100, higher first. Messages with the same orderingKey run one at a time, in the order of sending. */
  send(queue: string, data: unknown, options?: { delay?: string; priority?: number; orderingKey?: string }): Promise<void>;
}

interface Secrets {
  /**
   * The value of a secret of the app, as it is now. Rejects with an Error whose name is "SecretNotFoundError" where there is none. What was read is replaced by
   * [secret NAME] in logs, errors, and what is kept of result and effects.
   */
  get(name: string): Promise<string>;
}

interface Email {
  /**
   * Throws where a field is wrong, and where the instance has no relay for other domains than its own. The mail goes out after the run's commit: what becomes of it
   * is shown by an execution of kind "mail", and by a dead letter where it is refused.
   */
  send(mail: OutgoingMail): Promise<void>;
}

/** Addresses are "a@b.example" or "Ann <a@b.example>". One of text, html and attachments is needed. */
interface OutgoingMail {
  to: string | string[];
  cc?: string | string[];
  bcc?: string | string[];
  /** The instance's default if left out. */
  from?: string;
  reply_to?: string;
  subject?: string;
  text?: string;
  html?: string;
  headers?: Record<string, string>;
  /** content is base64. */
  attachments?: { filename: string; content_type?: string; content: string }[];
}

/** Throw it, and the execution goes straight to the dead letters: no further attempt. */
declare class NonRetryableError extends Error {}

/** Throw it to say when the next attempt is due: a duration such as "30s", or milliseconds. */
declare class RetryAfterError extends Error {
  constructor(message: string, after: string | number, options?: { cause?: unknown });
  readonly retryAfter: number;
}

// ---------------------------------------------------------------- events

/** A CloudEvents 1.0 envelope with PiCloud's extensions, whatever fired it. */
interface CloudEvent<T = any, Type extends string = string> {
  specversion: "1.0";
  id: string;
  /** /apps/<app>/<kind>/<what> */
  source: string;
  type: Type;
  /** What it is about. A direct call may have none. */
  subject: string;
  /** RFC 3339, UTC. */
  time: string;
  datacontenttype?: string;
  data: T;
  /** Id of the event that started the chain: its own at the start. */
  rootid: string;
  /** Id of the execution whose effect it is. */
  parentid?: string;
  depth: number;
  /** W3C trace context. */
  traceparent?: string;
  /** Id of the dead letter that was replayed. */
  replayof?: string;
}

/** Every kind of event, to be told apart by its type. */
type PiCloudEvent = HttpEvent | KVEvent | CronEvent | TopicEvent | QueueEvent | QueueBatchEvent | EmailEvent | DeadLetterEvent | InvokeEvent;

/** body is parsed by its content type; binary is base64. */
type HttpEvent<Body = any> = CloudEvent<
  { method: string; path: string; params: Record<string, string>; query: Record<string, string | string[]>; headers: Record<string, string>; body: Body },
  "picloud.http.request"
>;

/** Type tells created, updated and deleted apart; subject is the key. */
type KVEvent<T = any> = KVCreatedEvent<T> | KVUpdatedEvent<T> | KVDeletedEvent<T>;
type KVCreatedEvent<T = any> = CloudEvent<KVChange<T, null>, "picloud.kv.created">;
type KVUpdatedEvent<T = any> = CloudEvent<KVChange<T, T>, "picloud.kv.updated">;
type KVDeletedEvent<T = any> = CloudEvent<KVChange<null, T>, "picloud.kv.deleted">;

interface KVChange<New, Old> {
  collection: string;
  key: string;
  value: New;
  old_value: Old;
  version: number;
}

type CronEvent = CloudEvent<{ scheduled_at: string; schedule: string }, "picloud.cron.tick">;

/** subject is the topic, data what was published. */
type TopicEvent<T = any> = CloudEvent<T, "picloud.topic.message">;

/** subject is the queue, data what was sent. */
type QueueEvent<T = any> = CloudEvent<T, "picloud.queue.message">;

/** What a trigger with a batch_size gets; subject is the queue. Return a BatchResult to have some of the messages tried again. */
type QueueBatchEvent<T = any> = CloudEvent<{ id: string; data: T }[], "picloud.queue.message.batch">;

/** failed has the ids of the messages that are to be tried again, and in the end become dead letters; the others are done. An error that is thrown fails all of them. */
interface BatchResult {
  failed?: string[];
}

/** subject is the address it came to. Addresses are bare ("a@b.example"); headers have lower-case names. */
type EmailEvent = CloudEvent<
  {
    from: string;
    to: string[];
    cc: string[];
    subject: string;
    text: string;
    html: string;
    headers: Record<string, string>;
    /** content is base64. */
    attachments: { filename: string; content_type: string; size: number; content: string }[];
    spf: AuthResult;
    dkim: AuthResult;
    /** Why part of the mail could not be read; raw is the whole mail then, in base64. */
    malformed?: string;
    raw?: string;
  },
  "picloud.email.received"
>;

type AuthResult = "pass" | "fail" | "softfail" | "neutral" | "none" | "temperror" | "permerror";

type DeadLetterEvent = CloudEvent<
  {
    id: string;
    execution_id: string;
    script: string;
    version: number;
    trigger: string | null;
    kind: string;
    reason: string;
    error: { type: string; message: string; stack?: string };
    event: CloudEvent;
    attempts: number;
    depth: number;
    fingerprint: string;
    created_at: string;
  },
  "picloud.dead_letter.created"
>;

/** A direct call. The caller may give it a type of its own. */
type InvokeEvent<T = any> = CloudEvent<T, "picloud.invoke">;

// ---------------------------------------------------------------- fetch

type BodyInit = string | ArrayBuffer | ArrayBufferView | Blob | FormData | URLSearchParams;
type HeadersInit = Headers | [string, string][] | Record<string, string>;

interface RequestInit {
  method?: string;
  headers?: HeadersInit;
  body?: BodyInit | null;
  redirect?: "follow" | "manual" | "error";
  signal?: AbortSignal | null;
}

interface ResponseInit {
  status?: number;
  statusText?: string;
  headers?: HeadersInit;
}

/** Rejects with a TypeError, which can be caught, for whatever goes wrong on the way. Every call carries an Idempotency-Key unless it has one of its own. */
declare function fetch(input: string | URL | Request, init?: RequestInit): Promise<Response>;

declare class Headers {
  constructor(init?: HeadersInit);
  append(name: string, value: string): void;
  set(name: string, value: string): void;
  delete(name: string): void;
  has(name: string): boolean;
  get(name: string): string | null;
  getSetCookie(): string[];
  entries(): IterableIterator<[string, string]>;
  keys(): IterableIterator<string>;
  values(): IterableIterator<string>;
  forEach(f: (value: string, name: string, headers: Headers) => void, self?: unknown): void;
  [Symbol.iterator](): IterableIterator<[string, string]>;
}

declare class Request {
  constructor(input: string | URL | Request, init?: RequestInit);
  readonly method: string;
  readonly url: string;
  readonly redirect: "follow" | "manual" | "error";
  readonly signal: AbortSignal;
  readonly headers: Headers;
  readonly body: unknown;
  readonly bodyUsed: boolean;
  clone(): Request;
  text(): Promise<string>;
  json<T = any>(): Promise<T>;
  arrayBuffer(): Promise<ArrayBuffer>;
  bytes(): Promise<Uint8Array>;
  blob(): Promise<Blob>;
  formData(): Promise<FormData>;
}

declare class Response {
  constructor(body?: BodyInit | null, init?: ResponseInit);
  static json(data: unknown, init?: ResponseInit): Response;
  static redirect(url: string | URL, status?: number): Response;
  static error(): Response;
  readonly status: number;
  readonly statusText: string;
  readonly ok: boolean;
  /** Of the last request, after redirects. */
  readonly url: string;
  readonly redirected: boolean;
  readonly type: string;
  readonly headers: Headers;
  readonly body: unknown;
  readonly bodyUsed: boolean;
  clone(): Response;
  text(): Promise<string>;
  json<T = any>(): Promise<T>;
  arrayBuffer(): Promise<ArrayBuffer>;
  bytes(): Promise<Uint8Array>;
  blob(): Promise<Blob>;
  formData(): Promise<FormData>;
}

// ---------------------------------------------------------------- web APIs

declare class URL {
  constructor(url: string | URL, base?: string | URL);
  static canParse(url: string | URL, base?: string | URL): boolean;
  static parse(url: string | URL, base?: string | URL): URL | null;
  href: string;
  readonly origin: string;
  protocol: string;
  username: string;
  password: string;
  host: string;
  hostname: string;
  port: string;
  pathname: string;
  search: string;
  hash: string;
  readonly searchParams: URLSearchParams;
  toString(): string;
  toJSON(): string;
}

declare class URLSearchParams {
  constructor(init?: string | URLSearchParams | Iterable<[string, string]> | Record<string, string>);
  readonly size: number;
  append(name: string, value: string): void;
  delete(name: string, value?: string): void;
  get(name: string): string | null;
  getAll(name: string): string[];
  has(name: string, value?: string): boolean;
  set(name: string, value: string): void;
  sort(): void;
  toString(): string;
  forEach(f: (value: string, name: string, params: URLSearchParams) => void, self?: unknown): void;
  entries(): IterableIterator<[string, string]>;
  keys(): IterableIterator<string>;
  values(): IterableIterator<string>;
  [Symbol.iterator](): IterableIterator<[string, string]>;
}

declare class Blob {
  constructor(parts?: (string | ArrayBuffer | ArrayBufferView | Blob)[], options?: { type?: string });
  readonly size: number;
  readonly type: string;
  slice(start?: number, end?: number, type?: string): Blob;
  arrayBuffer(): Promise<ArrayBuffer>;
  bytes(): Promise<Uint8Array>;
  text(): Promise<string>;
  stream(): never;
}

declare class File extends Blob {
  constructor(parts: (string | ArrayBuffer | ArrayBufferView | Blob)[], name: string, options?: { type?: string; lastModified?: number });
  readonly name: string;
  readonly lastModified: number;
}

declare class FormData {
  append(name: string, value: string | Blob, filename?: string): void;
  delete(name: string): void;
  get(name: string): string | File | null;
  getAll(name: string): (string | File)[];
  has(name: string): boolean;
  set(name: string, value: string | Blob, filename?: string): void;
  entries(): IterableIterator<[string, string | File]>;
  keys(): IterableIterator<string>;
  values(): IterableIterator<string | File>;
  forEach(f: (value: string | File, name: string, form: FormData) => void, self?: unknown): void;
  [Symbol.iterator](): IterableIterator<[string, string | File]>;
}

declare class Event {
  constructor(type: string, init?: { bubbles?: boolean; cancelable?: boolean; composed?: boolean });
  readonly type: string;
  readonly target: EventTarget | null;
  readonly currentTarget: EventTarget | null;
  readonly eventPhase: number;
  readonly bubbles: boolean;
  readonly cancelable: boolean;
  readonly composed: boolean;
  readonly defaultPrevented: boolean;
  readonly timeStamp: number;
  readonly isTrusted: boolean;
  preventDefault(): void;
  stopPropagation(): void;
  stopImmediatePropagation(): void;
  composedPath(): EventTarget[];
}

declare class CustomEvent<T = any> extends Event {
  constructor(type: string, init?: { bubbles?: boolean; cancelable?: boolean; composed?: boolean; detail?: T });
  readonly detail: T;
}

declare class EventTarget {
  addEventListener(type: string, listener: ((event: Event) => void) | { handleEvent(event: Event): void } | null, options?: boolean | { once?: boolean; signal?: AbortSignal }): void;
  removeEventListener(type: string, listener: ((event: Event) => void) | { handleEvent(event: Event): void } | null, options?: unknown): void;
  dispatchEvent(event: Event): boolean;
}

declare class AbortController {
  readonly signal: AbortSignal;
  abort(reason?: unknown): void;
}

declare class AbortSignal extends EventTarget {
  private constructor();
  static abort(reason?: unknown): AbortSignal;
  static timeout(ms: number): AbortSignal;
  static any(signals: Iterable<AbortSignal>): AbortSignal;
  readonly aborted: boolean;
  readonly reason: any;
  onabort: ((event: Event) => void) | null;
  throwIfAborted(): void;
}

declare class DOMException extends Error {
  constructor(message?: string, name?: string);
  readonly code: number;
}

declare class TextEncoder {
  readonly encoding: "utf-8";
  encode(text?: string): Uint8Array;
  encodeInto(text: string, into: Uint8Array): { read: number; written: number };
}

declare class TextDecoder {
  constructor(label?: string, options?: { fatal?: boolean; ignoreBOM?: boolean });
  readonly encoding: string;
  readonly fatal: boolean;
  readonly ignoreBOM: boolean;
  decode(data?: ArrayBuffer | ArrayBufferView, options?: { stream?: boolean }): string;
}

/** Random values are the machine's: they are other ones when a run is repeated. Math.random gives the same ones. */
declare class Crypto {
  private constructor();
  readonly subtle: SubtleCrypto;
  randomUUID(): string;
  getRandomValues<T extends ArrayBufferView>(array: T): T;
}

type AlgorithmName = string | { name: string; [parameter: string]: unknown };

declare class SubtleCrypto {
  private constructor();
  digest(algorithm: AlgorithmName, data: ArrayBuffer | ArrayBufferView): Promise<ArrayBuffer>;
  importKey(format: string, key: ArrayBuffer | ArrayBufferView | object, algorithm: AlgorithmName, extractable: boolean, usages: string[]): Promise<CryptoKey>;
  generateKey(algorithm: AlgorithmName, extractable: boolean, usages: string[]): Promise<CryptoKey>;
  exportKey(format: string, key: CryptoKey): Promise<any>;
  sign(algorithm: AlgorithmName, key: CryptoKey, data: ArrayBuffer | ArrayBufferView): Promise<ArrayBuffer>;
  verify(algorithm: AlgorithmName, key: CryptoKey, signature: ArrayBuffer | ArrayBufferView, data: ArrayBuffer | ArrayBufferView): Promise<boolean>;
  encrypt(algorithm: AlgorithmName, key: CryptoKey, data: ArrayBuffer | ArrayBufferView): Promise<ArrayBuffer>;
  decrypt(algorithm: AlgorithmName, key: CryptoKey, data: ArrayBuffer | ArrayBufferView): Promise<ArrayBuffer>;
  deriveBits(...args: unknown[]): Promise<never>;
  deriveKey(...args: unknown[]): Promise<never>;
  wrapKey(...args: unknown[]): Promise<never>;
  unwrapKey(...args: unknown[]): Promise<never>;
}

declare class CryptoKey {
  private constructor();
  readonly type: string;
  readonly algorithm: any;
  readonly extractable: boolean;
  readonly usages: string[];
}

declare const crypto: Crypto;

/** The clock of Date and performance stands still while the script computes: it goes on with every call to the host that returns, and with timers. */
declare const performance: { now(): number; readonly timeOrigin: number; toJSON(): object };
declare const navigator: { readonly userAgent: string; readonly language: string; readonly languages: readonly string[]; readonly hardwareConcurrency: number };
declare const self: typeof globalThis;

/** Captured with the execution. Levels are debug, info, warn and error. */
declare const console: Console;

interface Console {
  debug(...values: unknown[]): void;
  log(...values: unknown[]): void;
  info(...values: unknown[]): void;
  warn(...values: unknown[]): void;
  error(...values: unknown[]): void;
  /** At level debug, with the stack. */
  trace(...values: unknown[]): void;
  assert(condition?: unknown, ...values: unknown[]): void;
  dir(value: unknown): void;
  table(data: unknown, columns?: string[]): void;
  group(...values: unknown[]): void;
  groupCollapsed(...values: unknown[]): void;
  groupEnd(): void;
  count(label?: string): void;
  countReset(label?: string): void;
  time(label?: string): void;
  timeLog(label?: string, ...values: unknown[]): void;
  timeEnd(label?: string): void;
}

declare function atob(data: string): string;
declare function btoa(data: string): string;
declare function structuredClone<T>(value: T, options?: { transfer?: ArrayBuffer[] }): T;
declare function queueMicrotask(f: () => void): void;
declare function reportError(error: unknown): void;
declare function setTimeout<A extends unknown[]>(f: (...args: A) => void, ms?: number, ...args: A): number;
declare function setInterval<A extends unknown[]>(f: (...args: A) => void, ms?: number, ...args: A): number;
declare function clearTimeout(id: number | undefined): void;
declare function clearInterval(id: number | undefined): void;
