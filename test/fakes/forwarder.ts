import type { PortPair } from "../../agent/network/wires/forwarder.js";

/** A kernel that joins ports in memory. */
export class FakeForwarder {
  readonly joined = new Map<string, PortPair>();

  async assertAble(): Promise<void> {}

  async join(id: string, pair: PortPair): Promise<void> {
    this.joined.set(id, pair);
  }

  async part(id: string): Promise<void> {
    this.joined.delete(id);
  }

  faultOf(id: string): string | undefined {
    return this.joined.has(id) ? "" : undefined;
  }

  onChange(): () => void {
    return () => undefined;
  }

  async close(): Promise<void> {}
}
