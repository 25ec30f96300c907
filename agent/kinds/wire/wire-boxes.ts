import { join } from "node:path";
import { messageOf } from "../../../lib/errors.js";
import { type DropFilterField, dropFiltersIn } from "../../../lib/impairment.js";
import type { Log } from "../../../lib/log.js";
import type { DropProgram } from "../../../proto/gen/zor/agent/v1/cable_service.js";
import { A2bSpec, A2bState } from "../../../proto/gen/zor/v1/a2b.js";
import { Impairment } from "../../../proto/gen/zor/v1/impairment.js";
import type { Wire, WireSpec } from "../../../proto/gen/zor/v1/wire.js";
import { BoxSession } from "../../cable/box-session.js";
import { DropFilters } from "../../cable/drop-filters.js";
import type { CablePlugger } from "../../cable/plugger.js";
import { type BoxView, boxSocket, type WantedBox } from "../../engine/protocol/box-protocol.js";
import type { Whole } from "../../kit/kind.js";
import type { Wires } from "../../network/wires/wires.js";

/** What the boxes need of the agent around them. */
export interface WireBoxesOptions {
  readonly host: string;
  /** State directory of the agent. */
  readonly state: string;
  readonly wires: Pick<Wires, "setMiddle">;
  readonly log: Log;
  /** All wires as they should be, with what they are carried out with. */
  readonly wanted: () => readonly { readonly wire: Whole<Wire>; readonly generation: string }[];
  /** Runs work while no wire changes. */
  readonly exclusively: (work: () => Promise<void>) => Promise<void>;
  /** Wires of these uids may have changed; undefined: any may have. */
  readonly onChange: (uids: readonly string[] | undefined) => void;
}

/** Whether something happens to the frames of a wire, so that they must go through the cable engine. */
export function isImpaired({ aToB, bToA, schedule }: WireSpec): boolean {
  return [aToB, bToA].some(doesSomething) || schedule.length > 0;
}

/** The expressions by which a wire drops frames. */
export function dropFiltersOf({ aToB, bToA, schedule }: WireSpec): readonly DropFilterField[] {
  return dropFiltersIn("wire.spec", { ways: { a_to_b: aToB, b_to_a: bToA }, schedule });
}

/** An impairment that changes nothing is none. */
export function orNone(impairment: Impairment | undefined): Impairment | undefined {
  return doesSomething(impairment) ? impairment : undefined;
}

function doesSomething(impairment: Impairment | undefined): boolean {
  return impairment !== undefined && Impairment.encode(impairment).finish().length > 0;
}

/**
 * What impaired wires have in their middle: boxes of the cable engine. A box's taps are joined to the NICs as the NICs of other wires are to one
 * another. A wire that is not impaired any more is joined first, and loses its box then.
 */
export class WireBoxes {
  readonly #options: WireBoxesOptions;
  readonly #session: BoxSession;
  readonly #middles: Middles;
  readonly #dropFilters: DropFilters;
  readonly #ended = new AbortController();

  constructor(options: WireBoxesOptions) {
    const { host, state, wires, log, exclusively, onChange } = options;
    this.#options = options;
    this.#middles = new Middles(wires);
    this.#dropFilters = new DropFilters(host);
    this.#session = new BoxSession({
      socketPath: join(state, "cable", boxSocket),
      prefix: `hosts/${host}/wires/`,
      plugger: this.#middles,
      log,
      onConnected: () => exclusively(() => this.#bringUpToDate()),
      onChange,
    });
  }

  /** The box of a wire; undefined: the engine has none, or is away. */
  find(uid: string): BoxView | undefined {
    return this.#session.views.get(uid);
  }

  /** Why frames do not go through a box as they should; "": they do. */
  faultOf(uid: string): string {
    if (!this.#session.connected)
      return "the cable engine of this host, which impairs its frames, is away and is being started";
    const status = this.find(uid)?.status;
    if (status === undefined) return "the cable engine is making what impairs its frames";
    return status.state === A2bState.A2B_STATE_ACTIVE ? "" : status.reason;
  }

  /** Whether waiting for the frames of a wire to go as they should is of use. */
  isSettling(uid: string, generation: string): boolean {
    if (!this.#session.connected) return false;
    return this.faultOf(uid) !== "" || this.find(uid)?.spec.revision !== generation;
  }

  /** Has the engine do what a wire says, now or as soon as it is there. Never rejects. */
  async follow(wire: Whole<Wire>, generation: string): Promise<void> {
    if (!this.#session.connected) return;
    try {
      if (isImpaired(wire.spec)) await this.#ensure(wire, generation);
      else if (this.find(wire.uid) !== undefined) await this.#session.delete(wire.uid);
    } catch (error) {
      // What is wanted is on disk: the engine is asked again when it is back, and the status says that it is away.
      this.#options.log.warn({ wire: wire.name, error: messageOf(error) }, "the cable engine did not take a wire");
    }
  }

  async #ensure(wire: Whole<Wire>, generation: string): Promise<void> {
    const { aToB, bToA, schedule } = wire.spec;
    const programs = await this.#dropFilters.programs({ a: aToB, b: bToA }, schedule, this.#ended.signal);
    await this.#session.ensure(toBox(wire, generation, programs));
  }

  /** The wire is gone. Never rejects: a box that is left is removed when the engine is back. */
  async remove({ uid, name }: Whole<Wire>): Promise<void> {
    if (this.find(uid) === undefined) return;
    await this.#session.delete(uid).catch((error: unknown) => {
      this.#options.log.warn(
        { wire: name, error: messageOf(error) },
        "the cable engine keeps the box of a wire for now",
      );
    });
  }

  /** Lets go of the engine, which keeps the boxes. */
  async close(): Promise<void> {
    this.#ended.abort();
    await this.#session.close();
  }

  async #bringUpToDate(): Promise<void> {
    const wanted = this.#options.wanted();
    const impaired = new Set(wanted.flatMap(({ wire }) => (isImpaired(wire.spec) ? [wire.uid] : [])));
    for (const uid of [...this.#session.views.keys()]) if (!impaired.has(uid)) await this.#session.delete(uid);
    for (const { wire, generation } of wanted) {
      if (impaired.has(wire.uid)) await this.follow(wire, generation);
    }
  }
}

/** What the engine is asked for: its two sides are called by the wire. */
function toBox(
  { name, uid, spec: { aToB, bToA, seed, schedule } }: Whole<Wire>,
  revision: string,
  dropPrograms: DropProgram[],
): WantedBox {
  const spec = A2bSpec.fromPartial({ lanA: `a/${uid}`, lanB: `b/${uid}`, seed });
  return { box: name, uid, spec: { ...spec, aToB, bToA, schedule }, revision, dropPrograms };
}

interface Middle {
  readonly endpoint: string;
  a: string;
  b: string;
}

/** Gives the taps of boxes to their wires. */
class Middles implements CablePlugger {
  readonly #wires: Pick<Wires, "setMiddle">;
  /** By uid of the wire. */
  readonly #middles = new Map<string, Middle>();

  constructor(wires: Pick<Wires, "setMiddle">) {
    this.#wires = wires;
  }

  async plug({
    lan,
    port,
    endpoint,
  }: {
    readonly lan: string;
    readonly port: string;
    readonly endpoint: string;
  }): Promise<void> {
    const { side, uid } = placeOf(lan);
    const middle = this.#middles.get(uid) ?? { endpoint, a: "", b: "" };
    this.#middles.set(uid, middle);
    middle[side] = port;
    if (middle.a !== "" && middle.b !== "") await this.#wires.setMiddle(uid, { a: middle.a, b: middle.b });
  }

  async unplug(port: string): Promise<void> {
    for (const [uid, { a, b }] of this.#middles) {
      if (port !== a && port !== b) continue;
      this.#middles.delete(uid);
      await this.#wires.setMiddle(uid, undefined);
    }
  }

  find(lan: string): ReturnType<CablePlugger["find"]> {
    const { side, uid } = placeOf(lan);
    const middle = this.#middles.get(uid);
    return { ports: middle === undefined || middle[side] === "" ? [] : [toPort(middle, side)] };
  }

  list(): ReturnType<CablePlugger["list"]> {
    const ports = [...this.#middles.values()].flatMap((middle) => [toPort(middle, "a"), toPort(middle, "b")]);
    return [{ ports: ports.filter(({ port }) => port !== "") }];
  }

  onChange(): () => void {
    return () => undefined;
  }
}

function placeOf(lan: string): { readonly side: "a" | "b"; readonly uid: string } {
  return { side: lan.startsWith("b/") ? "b" : "a", uid: lan.slice(2) };
}

function toPort(
  middle: Middle,
  side: "a" | "b",
): { readonly port: string; readonly endpoint: string; readonly error: string } {
  return { port: middle[side], endpoint: middle.endpoint, error: "" };
}
