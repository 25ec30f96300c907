import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Keeper } from "../../../../agent/kit/keeper.js";
import type { AgentKind, Checked, Reference, Whole } from "../../../../agent/kit/kind.js";
import { failedPrecondition } from "../../../../lib/errors.js";
import { A2b, A2bSpec } from "../../../../proto/gen/zor/v1/a2b.js";
import { Lan, LanSpec } from "../../../../proto/gen/zor/v1/lan.js";
import { change, KindWorld } from "./kind-world.js";

/** Holds what it is asked to make until it is let go on. */
class Gate {
  readonly #gate = Promise.withResolvers<void>();
  readonly #reached = Promise.withResolvers<void>();
  readonly reached = this.#reached.promise;

  pass(): Promise<void> {
    this.#reached.resolve();
    return this.#gate.promise;
  }

  open(): void {
    this.#gate.resolve();
  }
}

class TestLans implements AgentKind<Lan> {
  readonly kind = "lan";
  removing: Gate | undefined;
  restored = 0;

  check(spec: LanSpec | undefined): Checked<Lan> {
    return { spec: LanSpec.fromPartial(spec ?? {}), violations: [] };
  }
  async ensure(): Promise<void> {}
  async restore(): Promise<void> {
    this.restored += 1;
  }
  async remove(): Promise<void> {
    await this.removing?.pass();
  }
  observe(): undefined {
    return undefined;
  }
}

class TestBoxes implements AgentKind<A2b> {
  readonly kind = "a2b";
  readonly oneAtATime = true;
  making: Gate | undefined;
  readonly generations: string[] = [];

  check(spec: A2bSpec | undefined): Checked<A2b> {
    return { spec: A2bSpec.fromPartial(spec ?? {}), violations: [] };
  }
  uses({ spec }: Whole<A2b>): readonly Reference[] {
    return [spec.lanA, spec.lanB].filter((id) => id !== "").map((id) => ({ kind: "lan", id }));
  }
  admit({ name, spec }: Whole<A2b>, others: readonly Whole<A2b>[]): void {
    const twin = others.find((other) => other.spec.seed === spec.seed);
    if (twin !== undefined) throw failedPrecondition("SAME_SEED", name, `${twin.name} has the same seed`);
  }
  async ensure(_box: unknown, { generation }: { readonly generation: string }): Promise<void> {
    this.generations.push(generation);
    await this.making?.pass();
  }
  async remove(): Promise<void> {}
  observe(): undefined {
    return undefined;
  }
}

let world: KindWorld;
let lanKind: TestLans;
let boxKind: TestBoxes;
let lans: Keeper<Lan>;
let boxes: Keeper<A2b>;

async function start(): Promise<void> {
  const context = world.context();
  lanKind = new TestLans();
  boxKind = new TestBoxes();
  lans = new Keeper(lanKind, context);
  boxes = new Keeper(boxKind, context);
  context.references.add("lan", lans);
  context.references.add("a2b", boxes);
  await lans.restore();
  await boxes.restore();
}

beforeEach(async () => {
  world = await KindWorld.create();
  await start();
});
afterEach(() => world.destroy());

const lan = Lan.fromPartial({ spec: {} });
const box = (lanA: string, seed = 0n) => A2b.fromPartial({ spec: { lanA, seed } });

describe("what refers to each other", () => {
  it("cannot be deleted while what refers to it is being made", async () => {
    await lans.create("lan1", lan, change);
    boxKind.making = new Gate();
    const making = boxes.create("b1", box("lan1"), change);
    await boxKind.making.reached;
    expect(boxes.list()).toEqual([]);
    await expect(lans.delete("lan1", change)).rejects.toMatchObject({ reason: "LAN_IN_USE" });
    boxKind.making.open();
    await making;
    await boxes.delete("b1", change);
    await lans.delete("lan1", change);
  });

  it("cannot be referred to while it is being deleted", async () => {
    await lans.create("lan1", lan, change);
    lanKind.removing = new Gate();
    const removing = lans.delete("lan1", change);
    await lanKind.removing.reached;
    await expect(boxes.create("b1", box("lan1"), change)).rejects.toThrow("hosts/h1/lans/lan1 does not exist");
    lanKind.removing.open();
    await removing;
    expect(await world.files("a2bs")).toEqual([]);
  });
});

describe("changes", () => {
  it("of a kind whose resources have to do with each other come one at a time", async () => {
    const results = await Promise.allSettled([
      boxes.create("b1", box("", 7n), change),
      boxes.create("b2", box("", 7n), change),
    ]);
    expect(results.map((result) => result.status)).toEqual(["fulfilled", "rejected"]);
    await expect(lans.exclusively(async () => undefined)).rejects.toThrow("side by side");
  });

  it("of labels leave what carries out the specification alone", async () => {
    const made = await boxes.create("b1", box("", 7n), change);
    await boxes.update("b1", { wanted: { ...made, labels: { a: "b" } }, mask: ["labels"] }, change);
    expect(boxKind.generations.length).toBe(1);
    const wanted = A2b.fromPartial({ name: made.name, spec: { seed: 8n } });
    await boxes.update("b1", { wanted, mask: ["spec.seed"] }, change);
    expect(new Set(boxKind.generations).size).toBe(2);
    await start();
    expect(boxKind.generations).toEqual([boxes.all()[0]?.carrying.generation]);
  });
});

describe("files", () => {
  const path = () => join(world.state, "lans", "lan1", "spec.json");

  it("have one form for all kinds, which says who changed the resource last", async () => {
    const { etag, uid } = await lans.create("lan1", lan, change);
    expect(JSON.parse(await readFile(path(), "utf8"))).toMatchObject({
      version: 2,
      kind: "lan",
      id: "lan1",
      changedBy: change.caller,
      phase: "ready",
      resource: { name: "hosts/h1/lans/lan1", uid, etag },
    });
  });

  it.each([
    ["of another version", { version: 1 }],
    ["of another kind", { kind: "a2b" }],
    ["of another resource", { id: "lan2" }],
    ["without etag", { resource: { name: "hosts/h1/lans/lan1", uid: "u", spec: {} } }],
  ])("%s are set aside and told of", async (_what, difference) => {
    await lans.create("lan1", lan, change);
    const text = JSON.stringify({ ...JSON.parse(await readFile(path(), "utf8")), ...difference });
    for (const file of ["spec.json", "spec.bak.json"]) await writeFile(join(world.state, "lans", "lan1", file), text);
    await start();
    expect(lans.list()).toEqual([]);
    expect(world.eventTypes()).toContain("lan.file-damaged");
    expect((await world.files("lans", "lan1")).every((name) => name.includes(".corrupt-"))).toBe(true);
  });

  it("of all resources are read again, and each is made again as its kind does that", async () => {
    await lans.create("lan1", lan, change);
    await lans.create("lan2", lan, change);
    const before = lans.list();
    await start();
    expect(lans.list()).toEqual(before);
    expect(lanKind.restored).toBe(2);
  });

  it("are written again for what is found on the host without one", async () => {
    const spec = LanSpec.fromPartial({ mtu: 1400 });
    const found = { id: "lan9", uid: "uid-9", spec, createTime: undefined, where: "it was found at the switch" };
    await lans.take(found);
    await lans.take({ ...found, uid: "another" });
    await start();
    expect(lans.list()).toMatchObject([{ name: "hosts/h1/lans/lan9", uid: "uid-9", spec: { mtu: 1400 } }]);
    expect(world.eventTypes()).toContain("lan.adopted");
  });
});
