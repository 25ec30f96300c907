import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { messageOf, notFound } from "../../../lib/errors.js";
import type { Log } from "../../../lib/log.js";
import { StandingListener } from "../../../lib/standing-listener.js";
import { parseSocketAddress } from "../../../lib/net/peer-address.js";
import type { CableIdentity } from "../protocol/cable-identity.js";
import type { EndSpec } from "../../../proto/gen/zor/agent/v1/cable_service.js";
import type { EndDiagnosis } from "../../../proto/gen/zor/agent/v1/engine.js";
import { Changes } from "../control/changes.js";
import type { EndsEvent, EndView } from "../protocol/end-protocol.js";
import { answer } from "../handshake/dial.js";
import { End } from "./end.js";
import { applySpec, type EndRecord } from "./end-record.js";
import type { EndStore } from "./end-store.js";
import { CableFailure } from "../handshake/failure.js";
import { acceptUnpaced } from "../frames/unpaced.js";
import { CablePool } from "../threads/cable-pool.js";

/** Handshakes under way at once, in all and of one address, so that one silent peer does not keep the others out. */
const maxHandshakes = 256;
const maxHandshakesOfAddress = 32;
const figuresMs = 1_000;

/** All ends of a host and the data port they share. */
export class Ends {
  readonly #options: EndsOptions;
  /** Tells this process from another engine of the same identity. */
  readonly #id = randomUUID();
  readonly #workers: CablePool;
  readonly #server: Server;
  #standing: StandingListener | undefined;
  readonly #ends = new Map<string, End>();
  readonly #changes: Changes<End, EndsEvent>;
  readonly #ended = new AbortController();
  readonly #figures: NodeJS.Timeout;
  /** Handshakes under way, by remote address. */
  readonly #handshakes = new Map<string, number>();
  /** Memory and disk may differ: the last write failed or is under way. */
  #unsaved = false;
  /** Refusals are logged once a second at most: whoever can reach the port could fill the disk otherwise. */
  #refusals = 0;

  private constructor(options: EndsOptions) {
    this.#options = options;
    this.#changes = new Changes<End, EndsEvent>({
      snapshot: () => ({ ends: this.list(), removed: [], snapshot: true }),
      changes: (ends, removed) => ({ ends: ends.map((end) => end.view()), removed, snapshot: false }),
      isThere: (end) => this.#ends.get(end.record.spec.linkUid) === end,
    });
    this.#workers = new CablePool({ netns: options.netns, onCrash: options.onCrash });
    this.#server = createServer({ noDelay: true }, (socket) => void this.#onConnection(socket));
    this.#figures = setInterval(() => this.#onFigures(), figuresMs);
  }

  /** Restores the stored ends and listens. @throws when the data port cannot be had. */
  static async open(options: EndsOptions, records: readonly EndRecord[]): Promise<Ends> {
    const ends = new Ends(options);
    ends.#standing = await StandingListener.open([options.listen], {
      bind: (address) => ends.#bind(address),
      onMissing: (address, why) => options.log.warn({ address, why }, "the data port waits for its address"),
      onTaken: (address) => options.log.info({ address }, "the data port's address is there now"),
    });
    for (const record of records) ends.#start(record);
    return ends;
  }

  /** "ip:port" of the data port; as it was given while the machine has no such address. */
  get listen(): string {
    return this.#standing?.addresses[0] ?? this.#options.listen;
  }

  /** What is wrong with the data port, for people; empty: nothing. */
  get warnings(): readonly string[] {
    return (this.#standing?.missing ?? []).map(
      (address) =>
        `the cable engine does not listen at ${address}, which is not an address of this machine now: other hosts cannot open links; it does as soon as it is one`,
    );
  }

  /** Makes or changes an end. Durable when it resolves, and its impairment holds for every frame. */
  async ensureEnd(spec: EndSpec): Promise<EndView> {
    const namesake = [...this.#ends.values()].find(
      (end) => end.record.spec.link === spec.link && end.record.spec.linkUid !== spec.linkUid,
    );
    if (namesake !== undefined) await this.#close(namesake, "the link was deleted");
    const existing = this.#ends.get(spec.linkUid);
    const before = existing?.record;
    const end = existing ?? this.#start(applySpec(spec, undefined, Date.now()));
    if (existing !== undefined) existing.apply(spec);
    try {
      await this.#save();
    } catch (error) {
      // What cannot be kept must not be promised.
      if (before === undefined) await this.#close(end, "the link could not be stored");
      else end.restore(before);
      throw error;
    }
    await end.settled();
    return end.view();
  }

  /** Removes the end of a link; nothing happens when there is none, or one of another uid. */
  async deleteEnd(link: string, linkUid: string): Promise<void> {
    const end = [...this.#ends.values()].find(({ record }) => record.spec.link === link);
    const wanted = end !== undefined && (linkUid === "" || end.record.spec.linkUid === linkUid);
    if (wanted) await this.#close(end, "the link was deleted");
    // An earlier deletion may have failed to be stored.
    if (wanted || this.#unsaved) await this.#save();
  }

  list(): EndView[] {
    return [...this.#ends.values()].map((end) => end.view());
  }

  /** @throws {ZorError} NOT_FOUND */
  setPort(linkUid: string, generation: string, fault: string): void {
    const end = this.#ends.get(linkUid);
    if (end === undefined) throw notFound(`link end ${linkUid}`);
    end.setPort(generation, fault);
  }

  /** Tests an end, which takes some seconds. @throws {ZorError} NOT_FOUND */
  diagnose(linkUid: string): Promise<EndDiagnosis> {
    const end = this.#ends.get(linkUid);
    if (end === undefined) throw notFound(`link end ${linkUid}`);
    return end.diagnose();
  }

  /** Calls the watcher with a snapshot now and with changes later. Returns how to stop. */
  watch(watcher: (event: EndsEvent) => void): () => void {
    return this.#changes.watch(watcher);
  }

  /** Says goodbye to all peers and ends everything; the stored ends stay. */
  async close(): Promise<void> {
    this.#ended.abort();
    clearInterval(this.#figures);
    this.#changes.close();
    await this.#standing?.[Symbol.asyncDispose]();
    this.#server.close();
    await Promise.all([...this.#ends.values()].map((end) => end.close("the host's cable engine is ending")));
    await this.#workers.close();
  }

  async #bind(address: string): Promise<number> {
    const { ip, port } = parseSocketAddress("listen", address);
    this.#server.listen({ host: ip, port });
    await once(this.#server, "listening");
    acceptUnpaced(this.#server);
    // An error of the listening socket later on, such as too many open files, passes by itself.
    this.#server.on("error", (error) =>
      this.#options.log.error({ error: error.message }, "the data port has a problem"),
    );
    const bound = this.#server.address();
    return typeof bound === "object" && bound !== null ? bound.port : port;
  }

  #start(record: EndRecord): End {
    const { identity, netns, allowPlainLinks, udpSuperFrames, log } = this.#options;
    const end: End = new End(record, {
      identity,
      netns,
      engine: this.#id,
      allowPlainLinks,
      udpSuperFrames,
      workers: this.#workers,
      log,
      save: () => this.#save(),
      changed: () => this.#changes.changed(end),
    });
    this.#ends.set(record.spec.linkUid, end);
    // An end of another link of that name may just have gone.
    this.#changes.replaced(record.spec.link);
    this.#changes.changed(end);
    return end;
  }

  async #close(end: End, goodbye: string): Promise<void> {
    this.#ends.delete(end.record.spec.linkUid);
    this.#changes.removed(end.record.spec.link);
    await end.close(goodbye);
  }

  async #save(): Promise<void> {
    this.#unsaved = true;
    await this.#options.store.save([...this.#ends.values()].map((end) => end.record));
    this.#unsaved = false;
  }

  async #onConnection(socket: Socket): Promise<void> {
    const address = socket.remoteAddress ?? "";
    const ofAddress = this.#handshakes.get(address) ?? 0;
    const inAll = [...this.#handshakes.values()].reduce((sum, count) => sum + count, 0);
    if (inAll >= maxHandshakes || ofAddress >= maxHandshakesOfAddress) {
      socket.destroy();
      return;
    }
    this.#handshakes.set(address, ofAddress + 1);
    const from = `${address}:${socket.remotePort ?? 0}`;
    let wanted: End | undefined;
    try {
      const connection = await answer(socket, "direct", {
        identity: this.#options.identity,
        find: (linkUid) => {
          const end = this.#ends.get(linkUid);
          if (end?.accepts === true) wanted = end;
          return wanted;
        },
        signal: this.#ended.signal,
      });
      void connection.end.attach(connection);
    } catch (error) {
      this.#onRefused(error, from, wanted);
    } finally {
      const left = (this.#handshakes.get(address) ?? 1) - 1;
      if (left === 0) this.#handshakes.delete(address);
      else this.#handshakes.set(address, left);
    }
  }

  #onRefused(error: unknown, from: string, wanted: End | undefined): void {
    const failure = error instanceof CableFailure ? error : new CableFailure("protocol", messageOf(error), error);
    if (this.#refusals === 0) {
      this.#options.log.warn({ from, kind: failure.kind, reason: failure.message }, "a connection was refused");
    }
    this.#refusals += 1;
    // Only a peer with the right certificate may change what is said of an end.
    if (failure.needsTicket) wanted?.refused(failure);
  }

  #onFigures(): void {
    if (this.#refusals > 1) this.#options.log.warn({ count: this.#refusals - 1 }, "more connections were refused");
    this.#refusals = 0;
    const nowMs = performance.now();
    this.#changes.figures([...this.#ends.values()].filter((end) => end.refresh(nowMs)));
  }
}

/** What the ends of a host are opened with. */
export interface EndsOptions {
  readonly identity: CableIdentity;
  readonly store: EndStore;
  /** "ip:port" of the data port. */
  readonly listen: string;
  /** Named net namespace of the switch; undefined: the process's own. */
  readonly netns: string | undefined;
  /** The host's policy lets links go without encryption. */
  readonly allowPlainLinks: boolean;
  /** The switch takes UDP super-frames. */
  readonly udpSuperFrames: boolean;
  readonly log: Log;
  /** A worker thread was ended by an error; its cables are lost. */
  readonly onCrash: (error: Error) => void;
}
