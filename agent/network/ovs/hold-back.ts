import type { OvsdbOperation } from "./ovsdb-client.js";
import { type OvsdbValue, readMap, toSetValue } from "./ovsdb-values.js";

/** Key of other_config by which an ovs-vswitchd that was started takes no frames up, whatever its flows are (ovs-vswitchd.conf.db(5)). */
export const holdKey = "flow-restore-wait";

/** Whether other_config of the switch holds frames back; pure. */
export function holdsFrames(otherConfig: OvsdbValue | undefined): boolean {
  return readMap(otherConfig).get(holdKey) === "true";
}

/** The operation that has it forward. */
export function letPass(): OvsdbOperation {
  return {
    ...{ op: "mutate", table: "Open_vSwitch", where: [] },
    mutations: [["other_config", "delete", toSetValue([holdKey])]],
  };
}
