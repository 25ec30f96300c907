import { unavailable } from "../../../lib/errors.js";
import type { OperationResult, OvsdbClient, OvsdbOperation } from "./ovsdb-client.js";
import type { OvsdbMirror } from "./ovsdb-mirror.js";

const applyTimeoutMs = 15_000;

/** Changes the database; without operations that alone has ovs-vswitchd make what is missing. `wanted` is the configuration's number. */
export async function commit(
  { client, mirror }: { readonly client: OvsdbClient; readonly mirror: OvsdbMirror },
  operations: readonly OvsdbOperation[],
): Promise<{ readonly results: readonly OperationResult[]; readonly wanted: number }> {
  const table = "Open_vSwitch";
  const where = [["_uuid", "==", ["uuid", mirror.root().uuid]]];
  const results = await client.transact([
    ...operations,
    { op: "mutate", table, where, mutations: [["next_cfg", "+=", 1]] },
    { op: "select", table, where, columns: ["next_cfg"] },
  ]);
  return { results, wanted: Number(results.at(-1)?.rows?.[0]?.["next_cfg"]) };
}

/** Waits until it is applied: ovs-vswitchd sets cur_cfg to the next_cfg it has applied. @throws {ZorError} UNAVAILABLE */
export async function applied(mirror: OvsdbMirror, wanted: number): Promise<void> {
  const done = Promise.withResolvers<void>();
  const check = () => {
    if (Number(mirror.root().columns["cur_cfg"]) >= wanted) done.resolve();
  };
  const stop = mirror.onChange(check);
  const timer = setTimeout(
    () =>
      done.reject(
        unavailable("SWITCH_SLOW", "", `the switch did not apply a change within ${applyTimeoutMs / 1000} s`),
      ),
    applyTimeoutMs,
  );
  check();
  try {
    await done.promise;
  } finally {
    clearTimeout(timer);
    stop();
  }
}
