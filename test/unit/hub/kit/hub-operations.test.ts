import { describe, expect, test } from "vitest";
import { HubOperations, type OperationWork } from "../../../../hub/kit/hub-operations.js";
import { Inventory } from "../../../../hub/kit/inventory.js";
import { fromStatus } from "../../../../lib/grpc/status-codec.js";
import { createLog } from "../../../../lib/log.js";
import { type Operation, OperationState as State } from "../../../../proto/gen/zor/v1/operation.js";
import { type MemoryRecords, MemoryStore } from "../../../fakes/memory-store.js";

const planned = { verb: "link.create", target: "links/l1", requestId: "r1", caller: "zor://user/ana" };

/** Operations of one run of a hub; the store is what runs have in common. */
function start(records: MemoryRecords, work: Partial<OperationWork> = {}) {
  const [store, inventory, stop] = [new MemoryStore(records), new Inventory(), new AbortController()];
  const log = createLog("test", { write: () => undefined });
  const operations = new HubOperations({ store, inventory, log, stop: stop.signal });
  const whole = { run: async () => undefined, isPending: () => true, isDone: () => false, ...work };
  operations.addWork("link", whole);
  const begin = (): Promise<Operation> =>
    operations.begin(
      planned,
      async (changes, operation) => {
        await store.commit(changes);
        return operation;
      },
      () => undefined,
    );
  const end = (name: string) => operations.wait(name, 5000, new AbortController().signal);
  const found = (name: string): Operation | undefined => inventory.log.find("operation", name);
  const close = async (): Promise<void> => {
    stop.abort();
    await operations.close();
  };
  return { operations, begin, end, found, close };
}

const never = (signal: AbortSignal) =>
  new Promise<never>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason), { once: true }));

describe("operations of a hub", () => {
  test("are stored before they begin, and have the result of their work", async () => {
    const records: MemoryRecords = { records: new Map(), revision: 0n };
    const result = { typeUrl: "type.googleapis.com/zor.v1.Link", value: Buffer.from("x") };
    const hub = start(records, { run: async () => result });
    const { name } = await hub.begin();
    expect(records.records.has(`operations ${name.slice("operations/".length)}`)).toBe(true);
    expect(await hub.end(name)).toMatchObject({ ...planned, state: State.OPERATION_STATE_SUCCEEDED, result });
    await hub.close();
  });

  test("that the end of the hub cut short are carried on by its next run", async () => {
    const records: MemoryRecords = { records: new Map(), revision: 0n };
    const first = start(records, { run: (_operation, { signal }) => never(signal) });
    const { name } = await first.begin();
    await first.close();
    const second = start(records);
    await second.operations.resume();
    expect(await second.end(name)).toMatchObject({ name, state: State.OPERATION_STATE_SUCCEEDED });
    await second.close();
  });

  test.each([
    ["has done what it was to do, is told as done", true, State.OPERATION_STATE_SUCCEEDED, undefined],
    ["cannot be carried on, is told as abandoned", false, State.OPERATION_STATE_FAILED, "OPERATION_ABANDONED"],
  ])("of which one %s", async (_what, isDone, state, reason) => {
    const records: MemoryRecords = { records: new Map(), revision: 0n };
    const first = start(records, { run: (_operation, { signal }) => never(signal) });
    const { name } = await first.begin();
    await first.close();
    const second = start(records, { isPending: () => false, isDone: () => isDone });
    await second.operations.resume();
    const operation = second.found(name);
    expect(operation?.state).toBe(state);
    expect(operation?.error === undefined ? undefined : fromStatus(operation.error).reason).toBe(reason);
    await second.close();
  });

  test("are refused, and not stored, when too many run", async () => {
    const records: MemoryRecords = { records: new Map(), revision: 0n };
    const hub = start(records, { run: (_operation, { signal }) => never(signal) });
    for (let count = 0; count < 900; count += 1) await hub.begin();
    await expect(hub.begin()).rejects.toMatchObject({ reason: "TOO_MANY_OPERATIONS" });
    expect(records.records.size).toBe(900);
    await hub.close();
  });
});
