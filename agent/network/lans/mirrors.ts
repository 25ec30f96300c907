import type { OvsdbOperation } from "../ovs/ovsdb-client.js";
import type { MirroredRow, OvsdbMirror } from "../ovs/ovsdb-mirror.js";
import { listUuids } from "../ovs/ovsdb-values.js";
import type { Switch } from "../ovs/switch.js";
import { bridgesOf } from "./bridge-rows.js";
import { adjustMirrors } from "./mirror-rows.js";

/** Brings the mirrors of an agent's lans to what their ports, and the lans, say of them. */
export class Mirrors {
  readonly #switch: Switch;

  constructor(sw: Switch) {
    this.#switch = sw;
  }

  /** Those of bridges that have any, and of the one that is named. Says how much was to do. @throws {ZorError} */
  async settle(named: (mirror: OvsdbMirror) => MirroredRow | undefined = () => undefined): Promise<number> {
    const build = (mirror: OvsdbMirror): OvsdbOperation[] => {
      const uuid = named(mirror)?.uuid;
      return bridgesOf(mirror, this.#switch.agentUid)
        .filter((bridge) => bridge.uuid === uuid || listUuids(bridge.columns["mirrors"]).length > 0)
        .flatMap((bridge) => adjustMirrors(mirror, bridge));
    };
    return (await this.#switch.change(build)).length;
  }

  /** Those of all. Says how much was to do. @throws {ZorError} */
  async settleAll(): Promise<number> {
    const { agentUid } = this.#switch;
    const build = (mirror: OvsdbMirror) =>
      bridgesOf(mirror, agentUid).flatMap((bridge) => adjustMirrors(mirror, bridge));
    return (await this.#switch.change(build)).length;
  }
}
