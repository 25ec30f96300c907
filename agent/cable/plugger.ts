import type { CrossResult, CrossTest } from "../network/cross-test.js";
import type { LinkCarrier, PluggedEnd, PluggedLan } from "../network/plugged-lan.js";

/** The lan side of cables and boxes: puts taps into lans. `Bridges` of agent/network/bridges.ts is one. */
export interface CablePlugger {
  /** Plugs a tap of the switch's namespace into a lan; idempotent. Rejects when there is no such lan. */
  plug(options: { readonly lan: string; readonly port: string; readonly endpoint: string }): Promise<void>;
  /** Idempotent. */
  unplug(port: string): Promise<void>;
  /** A lan as it is now; undefined when there is none. */
  find(lan: string): PluggedLan | undefined;
  /** All lans as they are now. */
  list(): readonly PluggedLan[];
  /** Sends frames through the switch into a link and counts those that come from its other end; absent: there is no real switch. */
  cross?(test: CrossTest): Promise<CrossResult>;
  /** @throws {ZorError} FAILED_PRECONDITION: what is to be plugged into is a NIC, and something else is plugged into that. Absent: there are no NICs. */
  assertFree?(lan: string, endpoint: string): void;
  /** Looks whether what is no lan can be had at all. @throws {ZorError} Absent: there are only lans. */
  examine?(lan: string): Promise<void>;
  /** Has a NIC that a link is plugged into show carrier, or none; "kept": it has it whatever happens. Absent: there are no NICs. */
  setCarrier?(endpoint: string, carrier: LinkCarrier): void;
  /** Links that are plugged into something else than a lan. Absent: there are none. */
  pluggedEnds?(): readonly PluggedEnd[];
  /** Calls back when lans or ports change. Returns the way to stop. */
  onChange(listener: () => void): () => void;
}
