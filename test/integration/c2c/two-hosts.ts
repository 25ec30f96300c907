import { randomBytes, randomUUID } from "node:crypto";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "../../../agent/host/exec.js";
import { CableManager } from "../../../agent/kinds/link-end/cable-manager.js";
import type { Encryption } from "../../../agent/engine/handshake/encryption.js";
import type { CablePlugger } from "../../../agent/cable/plugger.js";
import { createLog } from "../../../lib/log.js";
import { nodePath, programPath } from "../../../lib/program.js";
import { eventually } from "../../helpers/eventually.js";
import { makeNetns, type TestNetns } from "../../helpers/netns.js";
import { endSpec, type EndWords, readEnd, type ReadEnd } from "../../helpers/engine-words.js";

/** The data port of every host in these tests. */
const cablePort = 7444;

/** A host with its underlay and switch namespaces. Its lan is one whose only member is the host itself: the tap has an address. */
export class TestHost {
  /** Ports of the lan, with their endpoints. */
  readonly plugged = new Map<string, string>();
  lanExists = true;
  allowPlainLinks = false;
  /** What its taps are plugged into; default: its one lan. */
  plugger: CablePlugger | undefined;
  udpSuperFrames = false;
  #listeners = new Set<() => void>();
  #manager: CableManager | undefined;

  constructor(
    readonly number: number,
    readonly underlay: TestNetns,
    readonly lan: TestNetns,
    readonly stateDirectory: string,
  ) {}

  get underlayIp(): string {
    return `10.201.0.${this.number}`;
  }

  /** Address in the lan that the cable joins. */
  get lanIp(): string {
    return `10.202.0.${this.number}`;
  }

  get cables(): CableManager {
    if (this.#manager === undefined) throw new Error("the manager is not open");
    return this.#manager;
  }

  /** What an agent does when it starts. */
  async open(): Promise<void> {
    const options = {
      stateDirectory: this.stateDirectory,
      cableListen: `${this.underlayIp}:${cablePort}`,
      netns: this.lan.name,
      underlayNetns: this.underlay.name,
      allowPlainLinks: this.allowPlainLinks,
      udpSuperFrames: this.udpSuperFrames,
      plugger: this.plugger ?? this.#plugger(),
      log: createLog("test", { write: () => undefined }),
    };
    this.#manager = await CableManager.open(options, new AbortController().signal);
  }

  /** What an agent does when it ends. */
  async close(): Promise<void> {
    await this.#manager?.close();
    this.#manager = undefined;
  }

  end(): ReadEnd {
    const [end] = this.cables.list();
    if (end === undefined) throw new Error(`host ${this.number} has no end`);
    return readEnd(end);
  }

  /** Starts one more engine for the same directory and expects it to end with this code. */
  async startAnotherEngine(exitCode: number): Promise<void> {
    const argv = [programPath("cable-engine"), "--directory", join(this.stateDirectory, "cable")];
    const listen = `${this.underlayIp}:${cablePort}`;
    await run(nodePath, [...argv, "--listen", listen], { netns: this.underlay.name, acceptedExitCodes: [exitCode] });
  }

  /** Removes or makes the lan and tells whoever listens. */
  setLan(exists: boolean): void {
    this.lanExists = exists;
    if (!exists) this.plugged.clear();
    for (const listener of this.#listeners) listener();
  }

  /** Ends the engine and removes everything. */
  async [Symbol.asyncDispose](): Promise<void> {
    // A test may have failed while it was closed.
    await Promise.try(() => this.cables.destroy()).catch(() => undefined);
    await this.underlay[Symbol.asyncDispose]();
    await this.lan[Symbol.asyncDispose]();
    await rm(this.stateDirectory, { recursive: true, force: true });
  }

  #lans() {
    const ports = [...this.plugged].map(([port, endpoint]) => ({ port, endpoint, error: "" }));
    return this.lanExists ? [{ ports }] : [];
  }

  #plugger(): CablePlugger {
    return {
      plug: async ({ lan, port, endpoint }) => {
        if (!this.lanExists) throw new Error(`lan ${lan} does not exist`);
        await this.lan.ip("addr", "replace", `${this.lanIp}/24`, "dev", port);
        this.plugged.set(port, endpoint);
      },
      unplug: async (port) => {
        this.plugged.delete(port);
      },
      find: () => this.#lans()[0],
      list: () => this.#lans(),
      onChange: (listener) => {
        this.#listeners.add(listener);
        return () => this.#listeners.delete(listener);
      },
    };
  }
}

/** Two hosts whose underlays are joined by a veth pair. */
export class TwoHosts {
  readonly #copies: TestHost[] = [];

  private constructor(
    readonly a: TestHost,
    readonly b: TestHost,
  ) {}

  static async make(
    options: { readonly allowPlainLinks?: boolean; readonly udpSuperFrames?: readonly [boolean, boolean] } = {},
  ): Promise<TwoHosts> {
    const [a, b] = [await makeHost(1), await makeHost(2)];
    const peer = ["peer", "name", underlayDevice, "netns", b.underlay.name];
    await a.underlay.ip("link", "add", underlayDevice, "type", "veth", ...peer);
    for (const [index, host] of [a, b].entries()) {
      await host.underlay.ip("addr", "add", `${host.underlayIp}/24`, "dev", underlayDevice);
      await host.underlay.ip("link", "set", underlayDevice, "up");
      host.allowPlainLinks = options.allowPlainLinks ?? false;
      host.udpSuperFrames = options.udpSuperFrames?.[index] ?? false;
      await host.open();
    }
    return new TwoHosts(a, b);
  }

  get hosts(): readonly TestHost[] {
    return [this.a, this.b];
  }

  /** Specs of a new link: `a` listens, `b` dials. */
  specs(options: { ticket?: Buffer; name?: string; encryption?: Encryption } = {}): { a: EndWords; b: EndWords } {
    const common = {
      link: `links/${options.name ?? "demo"}`,
      linkUid: randomUUID(),
      lan: "lan1",
      ticket: (options.ticket ?? randomBytes(32)).toString("hex"),
      ticketTtlSeconds: 60,
      encryption: options.encryption ?? "tls",
    };
    const [keyA, keyB] = this.hosts.map((host) => host.cables.identity().keySha256.toString("hex"));
    return {
      a: { ...common, role: "listener", peerAddresses: [], peerKeySha256: keyB ?? "" },
      b: {
        ...common,
        role: "dialer",
        peerAddresses: [`${this.a.underlayIp}:${cablePort}`],
        peerKeySha256: keyA ?? "",
      },
    };
  }

  /** Sets a link up and waits until frames cross. */
  async connect(specs = this.specs()): Promise<{ a: EndWords; b: EndWords }> {
    await this.a.cables.ensureEnd(endSpec(specs.a));
    await this.b.cables.ensureEnd(endSpec(specs.b));
    await this.active();
    return specs;
  }

  /** Waits until both ends say that the cable works. */
  async active(): Promise<void> {
    for (const host of this.hosts) {
      await eventually(() => {
        const { phase, reason } = host.end();
        if (phase !== "active") throw new Error(`host ${host.number} is ${phase}: ${reason}`);
      });
    }
  }

  /** One more live host with the identity and the links of `b`, at another address of the same underlay. */
  async copyOfB(): Promise<TestHost> {
    const { b } = this;
    const copy = await makeHost(3);
    this.#copies.push(copy);
    const [from, to] = [b, copy].map(({ stateDirectory }) => join(stateDirectory, "cable"));
    // Not what belongs to the running engine: a copied machine has neither its socket nor its process.
    await cp(from ?? "", to ?? "", { recursive: true, filter: (path) => !/(\.sock|\.lock|\.log)$/.test(path) });
    const peer = ["peer", "name", underlayDevice, "netns", copy.underlay.name];
    const bridge = "ztbr0";
    await b.underlay.ip("link", "add", bridge, "type", "bridge");
    await b.underlay.ip("link", "add", "ztu1", "type", "veth", ...peer);
    for (const port of ["ztu1", underlayDevice]) await b.underlay.ip("link", "set", port, "up", "master", bridge);
    await b.underlay.ip("addr", "del", `${b.underlayIp}/24`, "dev", underlayDevice);
    await b.underlay.ip("addr", "add", `${b.underlayIp}/24`, "dev", bridge);
    await b.underlay.ip("link", "set", bridge, "up");
    await copy.underlay.ip("addr", "add", `${copy.underlayIp}/24`, "dev", underlayDevice);
    await copy.underlay.ip("link", "set", underlayDevice, "up");
    await copy.open();
    return copy;
  }

  /** Pings host b from host a through the cable. */
  async ping(options: { size?: number; count?: number } = {}): Promise<void> {
    const size = ["-M", "do", "-s", String(options.size ?? 56)];
    await run("ping", ["-c", String(options.count ?? 3), "-i", "0.05", "-W", "2", ...size, this.b.lanIp], {
      netns: this.a.lan.name,
    });
  }

  /** Ends engines and removes everything. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const host of [...this.#copies, ...this.hosts]) await host[Symbol.asyncDispose]();
  }
}

/** Name of the interface between the underlays, on both sides. */
export const underlayDevice = "ztu0";

async function makeHost(number: number): Promise<TestHost> {
  const stateDirectory = await mkdtemp(join(tmpdir(), "zt-c2c-"));
  return new TestHost(number, await makeNetns("cu"), await makeNetns("cl"), stateDirectory);
}
