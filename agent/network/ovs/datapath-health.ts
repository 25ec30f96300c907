import { setTimeout as delay } from "node:timers/promises";
import type { BondMember } from "../../../proto/gen/zor/v1/lan.js";
import { toldOf } from "../../host/told.js";
import type { BondView } from "./bond-view.js";
import { findMissing, findReason, type Missing } from "./datapath-view.js";
import type { OvsdbClient } from "./ovsdb-client.js";
import type { MirroredRow, OvsdbMirror } from "./ovsdb-mirror.js";
import { findScalar } from "./ovsdb-values.js";
import type { VswitchdClient } from "./vswitchd-client.js";

/** What a look at the datapath needs. */
export interface DatapathLook {
  readonly vswitchd: Pick<VswitchdClient, "datapath"> & Partial<Pick<VswitchdClient, "bonds">>;
  readonly database: Pick<OvsdbClient, "echo">;
  readonly mirror: OvsdbMirror;
  readonly isOurs: (row: MirroredRow) => boolean;
  /** The end of ovs-vswitchd's log. */
  readonly readLog: () => Promise<string>;
}

const nothing: Missing = { bridges: new Set(), ports: new Set() };
/** Between two requests to try again, at first and at most: a bridge that is missing cuts off guests, a port may have no device. */
const retryMs = { first: 250, bridge: 2_000, port: 30_000 } as const;
/** Unanswered looks, of five seconds each, after which the daemon is given up. */
const givenUpAfter = 3;
const databaseMs = 5_000;

/**
 * What ovs-vswitchd really has of our bridges and ports. The database tells what it was told to have, and goes on telling so when it
 * could not make a bridge: it sets cur_cfg all the same, leaves the columns of the ports as they were and does not try again.
 */
export class DatapathHealth {
  #missing = nothing;
  #reasons: ReadonlyMap<string, string> = new Map();
  #bonds: BondView = new Map();
  #silence = "";
  #unanswered = 0;
  #databaseUnanswered = 0;
  #retries = 0;
  #retryAtMs = 0;

  /** Nothing is missing; what is not should be looked at often. */
  get isWhole(): boolean {
    return this.#missing.ports.size === 0 && this.#silence === "" && this.#databaseUnanswered === 0;
  }

  /** It has not answered for so long that it should be ended and started again. */
  get isLost(): boolean {
    return this.#unanswered >= givenUpAfter || this.#databaseUnanswered >= givenUpAfter;
  }

  /** Why nothing can be changed now though frames pass, for people; empty when it can. */
  get faultOfDatabase(): string {
    if (this.#databaseUnanswered === 0) return "";
    return "the switch's database (ovsdb-server) does not answer: frames pass, changes wait; it is started again if it stays so";
  }

  /** Why a bridge does not carry frames, for people; empty when it does. */
  faultOfBridge(name: string): string {
    if (this.#silence !== "") return this.#silence;
    return this.#missing.bridges.has(name) ? `the switch could not make its bridge${this.#why(name)}` : "";
  }

  /** Why a port carries no frames though its bridge does; empty when it does. */
  faultOfPort(name: string): string {
    return this.#missing.ports.has(name) ? `the switch does not have its port${this.#why(name)}` : "";
  }

  /** How a device stands in its bond; undefined: it is in none. */
  bondOf(name: string): Omit<BondMember, "name"> | undefined {
    return this.#bonds.get(name);
  }

  /** Compares the datapath with the database. Never rejects. True: what is known of it has changed. */
  async look(options: DatapathLook): Promise<boolean> {
    const before = this.#text();
    await Promise.all([this.#lookAtDatapath(options), this.#lookAtDatabase(options)]);
    return before !== this.#text();
  }

  async #lookAtDatabase({ database }: DatapathLook): Promise<void> {
    const timeout = new AbortController();
    const late = delay(databaseMs, true, { signal: timeout.signal }).catch(() => false);
    const isLate = await Promise.race([
      late,
      database.echo().then(
        () => false,
        () => true,
      ),
    ]);
    timeout.abort();
    this.#databaseUnanswered = isLate ? this.#databaseUnanswered + 1 : 0;
  }

  async #lookAtDatapath({ vswitchd, mirror, isOurs, readLog }: DatapathLook): Promise<void> {
    const settled = isSettled(mirror);
    const wanted = mirror
      .list("Bridge")
      .filter(isOurs)
      .map((row) => ({ name: nameOf(row), ports: devicesOf(mirror, row) }));
    try {
      const view = await vswitchd.datapath();
      const hasBonds = mirror.list("Port").some(({ columns }) => findScalar(columns["bond_mode"]) !== undefined);
      this.#bonds = hasBonds ? ((await vswitchd.bonds?.()) ?? new Map()) : new Map();
      this.#silence = "";
      this.#unanswered = 0;
      // While a change is being applied the two differ in good order.
      if (!settled) return;
      this.#missing = findMissing(wanted, view);
      const names = [...this.#missing.bridges, ...this.#missing.ports];
      const log = names.length === 0 ? "" : await readLog();
      this.#reasons = new Map(names.map((name) => [name, findReason(log, name)]));
    } catch (error) {
      this.#unanswered += 1;
      this.#silence = toldOf(error);
    }
    if (this.#missing.ports.size === 0) this.#retries = 0;
  }

  /** Whether it is time to have ovs-vswitchd try again what it could not make. Counts as done. */
  takeRetry(nowMs: number): boolean {
    if (this.#missing.ports.size === 0 || nowMs < this.#retryAtMs) return false;
    const longest = this.#missing.bridges.size > 0 ? retryMs.bridge : retryMs.port;
    this.#retryAtMs = nowMs + Math.min(longest, retryMs.first * 2 ** this.#retries);
    this.#retries = Math.min(this.#retries + 1, 16);
    return true;
  }

  #why(name: string): string {
    const reason = this.#reasons.get(name) ?? "";
    return `${reason === "" ? "" : `: ${reason}`}; the agent has the switch try again`;
  }

  #text(): string {
    const { bridges, ports } = this.#missing;
    const faults = [this.#silence, this.faultOfDatabase];
    return JSON.stringify([faults, [...bridges], [...ports], [...this.#reasons], [...this.#bonds]]);
  }
}

/** A port may have several devices: in the datapath they are what there is. */
function devicesOf(mirror: OvsdbMirror, bridge: MirroredRow): string[] {
  const ports = mirror.follow(bridge, "ports", "Port");
  return ports.flatMap((port) => mirror.follow(port, "interfaces", "Interface").map(nameOf));
}

function nameOf({ columns }: MirroredRow): string {
  return String(findScalar(columns["name"]) ?? "");
}

function isSettled(mirror: OvsdbMirror): boolean {
  const { columns } = mirror.root();
  return Number(columns["cur_cfg"]) >= Number(columns["next_cfg"]);
}
