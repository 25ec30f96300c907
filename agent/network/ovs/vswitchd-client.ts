import { unavailable } from "../../../lib/errors.js";
import { type BondView, parseBonds } from "./bond-view.js";
import { type DatapathView, parseDatapath } from "./datapath-view.js";
import { JsonRpc } from "./json-rpc.js";

/** Longest wait for an answer, in milliseconds: it answers between two frames unless it is stuck. */
const timeoutMs = 5_000;

/** Asks a running ovs-vswitchd over its control socket (unixctl) what it really has. */
export class VswitchdClient {
  readonly #rpc: JsonRpc;

  private constructor(rpc: JsonRpc) {
    this.#rpc = rpc;
  }

  /** @throws {ZorError} UNAVAILABLE */
  static async connect(path: string): Promise<VswitchdClient> {
    return new VswitchdClient(await JsonRpc.connect(path, { peer: "ovs-vswitchd", timeoutMs }));
  }

  /** Resolves when the connection has ended: the kernel closes it with the last thread of the daemon, together with its devices. */
  get closed(): Promise<void> {
    return this.#rpc.closed;
  }

  /** The bridges and ports that are in the datapath. @throws {ZorError} UNAVAILABLE */
  async datapath(): Promise<DatapathView> {
    const text = await this.#rpc.request("dpif/show", []);
    if (typeof text === "string") return parseDatapath(text);
    throw unavailable("SWITCH_PROTOCOL", "", "ovs-vswitchd does not say what its datapath has; upgrade Open vSwitch");
  }

  /** How devices stand in their bonds. @throws {ZorError} UNAVAILABLE */
  async bonds(): Promise<BondView> {
    const [bonds, lacp] = [await this.#rpc.request("bond/show", []), await this.#rpc.request("lacp/show", [])];
    return parseBonds(String(bonds), String(lacp));
  }

  /** Whether the datapath of a bridge tracks connections (the action ct). @throws {ZorError} UNAVAILABLE */
  async knowsConnections(bridge: string): Promise<boolean> {
    const text = await this.#rpc.request("dpif/show-dp-features", [bridge]);
    return typeof text === "string" && /^CT state: Yes$/m.test(text) && /^CT zone: Yes$/m.test(text);
  }

  /** Throws away the flows of the datapath, which are made anew of what is configured: those of a mirror that is gone stay otherwise (3.1). */
  async purgeFlows(): Promise<void> {
    await this.#rpc.request("revalidator/purge", []);
  }

  /** The addresses that a bridge has learned, as "fdb/show" (ovs-vswitchd(8)) tells them. @throws {ZorError} UNAVAILABLE */
  async learned(bridge: string): Promise<string> {
    return String(await this.#rpc.request("fdb/show", [bridge]));
  }

  close(): void {
    this.#rpc.close();
  }
}
