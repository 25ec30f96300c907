import { describe, expect, it } from "vitest";
import { endInOrder, startInOrder } from "../../../../../agent/kinds/instance/host-boot.js";
import type { InstanceRecord } from "../../../../../agent/kinds/instance/record.js";
import { Instance, type InstanceSpec } from "../../../../../proto/gen/zor/v1/instance.js";

interface Wanted {
  readonly order?: number;
  readonly joins?: string;
}

/** What of a record tells its turn. */
function record(id: string, { order = 0, joins = "" }: Wanted = {}): InstanceRecord {
  const resource = Instance.fromPartial({ name: `hosts/h1/instances/${id}`, spec: { hostBoot: { order } } });
  const sharing = { field: "crun.network_of", networkOf: (_spec: InstanceSpec) => joins };
  return { stored: { id, resource }, driver: { sharing } } as unknown as InstanceRecord;
}

/** Runs through all of them; each turn lasts until those of its group have begun. */
function watched() {
  const log: string[] = [];
  const turn = async ({ stored }: InstanceRecord): Promise<void> => {
    log.push(`${stored.id} begins`);
    await new Promise((resolve) => setImmediate(resolve));
    log.push(`${stored.id} ends`);
  };
  return { log, turn };
}

const never = new AbortController().signal;

async function started(...records: InstanceRecord[]): Promise<readonly string[]> {
  const { log, turn } = watched();
  await startInOrder(records, turn, never);
  return log;
}

async function ended(...records: InstanceRecord[]): Promise<readonly string[]> {
  const { log, turn } = watched();
  await endInOrder(records, turn);
  return log;
}

describe("at a boot of the host", () => {
  it("one that joins a network is started when that of its owner is there, however they are listed", async () => {
    const expected = ["router begins", "router ends", "beside begins", "beside ends"];
    expect(await started(record("beside", { joins: "router" }), record("router"))).toEqual(expected);
    expect(await started(record("router"), record("beside", { joins: "router" }))).toEqual(expected);
  });

  it("its owner's later order counts for it, and it is before those of the next order", async () => {
    const records = [
      record("last", { order: 6 }),
      record("beside", { order: -3, joins: "router" }),
      record("router", { order: 5 }),
      record("first"),
    ];
    const begun = (await started(...records)).filter((line) => line.endsWith("begins"));
    expect(begun).toEqual(["first begins", "router begins", "beside begins", "last begins"]);
  });

  it("its own order counts when that is later", async () => {
    const records = [record("beside", { order: 9, joins: "router" }), record("middle", { order: 4 }), record("router")];
    const begun = (await started(...records)).filter((line) => line.endsWith("begins"));
    expect(begun).toEqual(["router begins", "middle begins", "beside begins"]);
  });

  it("those that join the same one are started at the same time", async () => {
    const log = await started(record("a", { joins: "router" }), record("b", { joins: "router" }), record("router"));
    expect(log.slice(2)).toEqual(["a begins", "b begins", "a ends", "b ends"]);
  });

  it("it has its own turn when its owner is not among those that are started", async () => {
    expect(await started(record("beside", { order: 2, joins: "router" }), record("other", { order: 1 }))).toEqual([
      ...["other begins", "other ends", "beside begins", "beside ends"],
    ]);
  });
});

describe("at a shutdown of the host", () => {
  it("one that joins a network ends before that of its owner goes", async () => {
    const expected = ["beside begins", "beside ends", "router begins", "router ends"];
    expect(await ended(record("router"), record("beside", { joins: "router" }))).toEqual(expected);
    expect(await ended(record("beside", { joins: "router" }), record("router"))).toEqual(expected);
  });

  it("and after what was started after it", async () => {
    const records = [record("router"), record("beside", { joins: "router" }), record("last", { order: 1 })];
    const begun = (await ended(...records)).filter((line) => line.endsWith("begins"));
    expect(begun).toEqual(["last begins", "beside begins", "router begins"]);
  });
});
