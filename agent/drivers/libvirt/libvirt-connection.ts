import { Backoff, pause } from "../../../lib/backoff.js";
import type { Log } from "../../../lib/log.js";
import { type Domain, isUuid, parseDomain } from "./domain.js";
import { changesOf, type DomainChange } from "./domain-changes.js";
import { type DomainEvent, followDomainEvents } from "./event-stream.js";
import { isNoDomain, SilentLibvirt, virsh } from "./virsh.js";
import { toldOf } from "../../host/told.js";

/** Why a libvirt does not answer, and since when. */
export interface Trouble {
  readonly reason: string;
  readonly since: Date;
}

/** What a connection is made with. */
export interface ConnectionOptions {
  readonly uri: string;
  /** Told of each domain of which something may have changed, after it was looked at, with what it was as far as that is known. */
  readonly onChange: (uuid: string, changes?: readonly DomainChange[]) => void;
  readonly log: Log;
}

const maxDomains = 4096;
const parallelLooks = 4;
/** What hypervisors may take for a start, the first of which looks at all they can. One that has died meanwhile is noticed in seconds. */
const actMs = 60_000;
const [minRetryMs, maxRetryMs] = [200, 10_000];
/** Where a hypervisor tells no events. */
const pollMs = 30_000;
/** A libvirt that has just let a call pass is not asked again at once. */
const silenceMs = 2000;
/** A libvirt whose events come, but that has not answered, is asked again after this. */
const retryMs = 3000;
/** Events that change what is shown; others come often. */
const telling = new Set(["lifecycle", "reboot", "metadata-change", "control-error"]);

/** One libvirt: its domains as they are known, kept true by its events. One that does not answer costs nobody else anything. */
export class LibvirtConnection {
  readonly uri: string;
  readonly #options: ConnectionOptions;
  readonly #domains = new Map<string, Domain>();
  /** Since when the present runs go on, of those whose start was seen. */
  readonly #starts = new Map<string, Date>();
  #trouble: Trouble | undefined;
  /** When it let a call pass last, in milliseconds of performance.now(). */
  #silentMs = Number.NEGATIVE_INFINITY;
  #isFollowed = false;
  /** Ends the following. */
  #until: AbortSignal | undefined;
  readonly #pending = new Set<string>();
  #mustList = false;
  #working: Promise<void> | undefined;

  constructor(options: ConnectionOptions) {
    this.uri = options.uri;
    this.#options = options;
  }

  /** All domains, as looked at last. */
  get domains(): ReadonlyMap<string, Domain> {
    return this.#domains;
  }

  /** Undefined: it answers, as far as is known. */
  get trouble(): Trouble | undefined {
    return this.#trouble;
  }

  /** What is known is true: events are told. */
  get isFollowed(): boolean {
    return this.#isFollowed;
  }

  /**
   * Looks at a domain; undefined: there is none. @throws {SilentLibvirt} when libvirt does not answer, at once when it has just not.
   */
  async look(uuid: string, signal: AbortSignal): Promise<Domain | undefined> {
    try {
      const output = await this.#run([`dominfo ${uuid}; domstate ${uuid} --reason; dumpxml ${uuid}`], signal);
      const domain = parseDomain(output);
      if (domain.uuid !== uuid) throw new Error(`libvirt described domain ${domain.uuid} when asked for ${uuid}`);
      this.#keep(domain);
      return domain;
    } catch (error) {
      if (!isNoDomain(error)) throw error;
      this.#forget(uuid);
      return undefined;
    }
  }

  /** When the present run of a domain began; undefined: it does not run, or nobody saw it begin. libvirt itself does not know. */
  startOf(uuid: string): Date | undefined {
    return this.#starts.get(uuid);
  }

  /** Does something to a domain and resolves to it as it then is. @throws {ToolError | SilentLibvirt} */
  async act(uuid: string, argv: readonly string[], signal: AbortSignal): Promise<Domain | undefined> {
    await this.#run(argv, signal, actMs);
    const domain = await this.look(uuid, signal);
    this.#options.onChange(uuid);
    return domain;
  }

  /** Runs virsh for a domain, which is not changed by it; resolves to what it prints. @throws {ToolError | SilentLibvirt} */
  async ask(argv: readonly string[], signal: AbortSignal): Promise<string> {
    return await this.#run(argv, signal);
  }

  /** Keeps the domains true until the signal aborts. */
  async follow(signal: AbortSignal): Promise<void> {
    this.#until = signal;
    const backoff = new Backoff({ minMs: minRetryMs, maxMs: maxRetryMs });
    while (!signal.aborted) {
      const why = await this.#followOnce(signal, backoff).catch((error: unknown) => toldOf(error));
      this.#isFollowed = false;
      await this.#working;
      if (signal.aborted) return;
      this.#fail(why);
      await backoff.wait(signal);
    }
  }

  async #followOnce(signal: AbortSignal, backoff: Backoff): Promise<string> {
    const why = await followDomainEvents(
      this.uri,
      {
        onOpen: () => {
          this.#silentMs = Number.NEGATIVE_INFINITY;
          this.#isFollowed = true;
          backoff.reset();
          this.#markAll();
          this.#work(signal);
        },
        onEvent: (event) => this.#take(event, signal),
      },
      signal,
    );
    if (!/not supported/.test(why) || signal.aborted) return why;
    // This hypervisor tells nothing: it is asked, now and then.
    for (;;) {
      await this.#refresh(signal);
      backoff.reset();
      await pause(pollMs, signal);
      if (signal.aborted) return "";
    }
  }

  #take({ type, domain: name, detail }: DomainEvent, signal: AbortSignal): void {
    if (!telling.has(type)) return;
    const known = [...this.#domains.values()].find((domain) => domain.name === name);
    if (known === undefined || /^(?:Defined|Undefined)/.test(detail)) this.#mustList = true;
    if (known !== undefined) this.#pending.add(known.uuid);
    if (known !== undefined && type === "reboot") this.#options.onChange(known.uuid, ["reset"]);
    this.#work(signal);
  }

  /** Looks at what may have changed; one at a time, however many events come meanwhile. */
  #work(signal: AbortSignal): void {
    this.#working ??= this.#workUntilDone(signal).finally(() => {
      this.#working = undefined;
      if (this.#isFollowed && !signal.aborted && this.#hasWork) this.#work(signal);
    });
  }

  async #workUntilDone(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#workOff(signal);
        return;
      } catch (error) {
        if (signal.aborted) return;
        this.#fail(toldOf(error));
      }
      // Whoever connects again looks at everything.
      if (!this.#isFollowed) return;
      await pause(retryMs, signal);
      this.#markAll();
    }
  }

  #markAll(): void {
    for (const uuid of this.#domains.keys()) this.#pending.add(uuid);
    this.#mustList = true;
  }

  get #hasWork(): boolean {
    return this.#mustList || this.#pending.size > 0;
  }

  async #workOff(signal: AbortSignal): Promise<void> {
    while (this.#hasWork && !signal.aborted) {
      if (this.#mustList) {
        this.#mustList = false;
        await this.#list(signal);
      }
      const batch = [...this.#pending].slice(0, parallelLooks);
      for (const uuid of batch) this.#pending.delete(uuid);
      await Promise.all(batch.map((uuid) => this.#lookAgain(uuid, signal)));
    }
    const wasSilent = this.#trouble !== undefined;
    this.#trouble = undefined;
    if (wasSilent) for (const uuid of this.#domains.keys()) this.#options.onChange(uuid);
  }

  async #refresh(signal: AbortSignal): Promise<void> {
    this.#markAll();
    await this.#workOff(signal);
  }

  async #lookAgain(uuid: string, signal: AbortSignal): Promise<void> {
    try {
      await this.look(uuid, signal);
    } catch (error) {
      if (error instanceof SilentLibvirt || signal.aborted) throw error;
      // What one domain says of itself keeps nobody from seeing the others.
      this.#options.log.warn({ err: error, uri: this.uri, uuid }, "a domain could not be looked at");
    }
    this.#options.onChange(uuid);
  }

  /** Finds out which domains there are. */
  async #list(signal: AbortSignal): Promise<void> {
    const output = await this.#run(["list", "--all", "--uuid", "--name"], signal);
    const listed = new Map<string, string>();
    for (const line of output.split("\n")) {
      const [uuid = "", name = ""] = [line.slice(0, 36), line.slice(37).trim()];
      if (isUuid(uuid)) listed.set(uuid, name);
    }
    if (listed.size > maxDomains)
      this.#options.log.warn({ uri: this.uri, domains: listed.size }, `only ${maxDomains} domains are shown`);
    for (const [uuid, name] of [...listed].slice(0, maxDomains))
      if (this.#domains.get(uuid)?.name !== name) this.#pending.add(uuid);
    for (const uuid of this.#domains.keys()) {
      if (listed.has(uuid)) continue;
      this.#forget(uuid);
      this.#options.onChange(uuid);
    }
  }

  #keep(domain: Domain): void {
    const { uuid, run } = domain;
    const changes = changesOf(this.#domains.get(uuid), domain);
    this.#domains.set(uuid, domain);
    if (run === undefined || changes.includes("exited")) this.#starts.delete(uuid);
    if (changes.includes("started")) this.#starts.set(uuid, new Date());
    if (changes.length > 0) this.#options.onChange(uuid, changes);
  }

  #forget(uuid: string): void {
    const hasRun = this.#domains.get(uuid)?.run !== undefined;
    this.#domains.delete(uuid);
    this.#starts.delete(uuid);
    // One that is transient goes with its end.
    if (hasRun) this.#options.onChange(uuid, ["exited"]);
  }

  async #run(argv: readonly string[], signal: AbortSignal, timeoutMs?: number): Promise<string> {
    if (performance.now() - this.#silentMs < silenceMs)
      throw new SilentLibvirt(this.#trouble?.reason ?? "it has just not answered");
    try {
      return await virsh(argv, { uri: this.uri, signal, ...(timeoutMs === undefined ? {} : { timeoutMs }) });
    } catch (error) {
      if (error instanceof SilentLibvirt) {
        this.#silentMs = performance.now();
        this.#fail(error.message);
        // It may have been a matter of that one call: whether it answers again is found out.
        if (this.#isFollowed && this.#until !== undefined) this.#work(this.#until);
      }
      throw error;
    }
  }

  #fail(reason: string): void {
    const isNews = this.#trouble === undefined;
    this.#trouble = { reason, since: this.#trouble?.since ?? new Date() };
    this.#mustList = true;
    if (!isNews) return;
    this.#options.log.warn({ uri: this.uri, reason }, "libvirt does not answer");
    for (const uuid of this.#domains.keys()) this.#options.onChange(uuid);
  }
}
