import { afterEach, expect, test } from "vitest";
import { PlugLoop, type WantedPort } from "../../../../agent/cable/plug-loop.js";
import type { CablePlugger } from "../../../../agent/cable/plugger.js";
import { createLog } from "../../../../lib/log.js";

type Plug = Parameters<CablePlugger["plug"]>[0];

/** Lans of a switch that exists only here, and a loop over taps that a test sets. */
class Rig {
  wanted: readonly Omit<WantedPort, "tell">[] | undefined;
  readonly ports = new Map<string, Plug>();
  readonly told: string[] = [];
  readonly done: string[] = [];
  readonly loop: PlugLoop;
  /** Why the lans forward nothing. */
  fault = "";
  /** Called before each look at the lans. */
  onLook = (): void => undefined;
  /** Called before each plug. */
  onPlug = async (_plug: Plug): Promise<void> => undefined;
  onTell = async (): Promise<void> => undefined;
  #listener = (): void => undefined;

  constructor() {
    const lan = (id: string) => ({
      fault: this.fault,
      ports: [...this.ports.values()].filter((plug) => plug.lan === id).map((plug) => ({ ...plug, error: "" })),
    });
    this.loop = new PlugLoop({
      what: "tests",
      wanted: () => this.wanted?.map((port) => ({ ...port, tell: (fault) => this.#tell(port.port, fault) })),
      isOurs: ({ port, endpoint }) => port.startsWith("zt") && endpoint.startsWith("links/"),
      log: createLog("test", { write: () => undefined }),
      plugger: {
        plug: async (plug) => {
          await this.onPlug(plug);
          this.ports.set(plug.port, plug);
          this.done.push(`plug ${plug.port} ${plug.lan}`);
        },
        unplug: async (port) => {
          this.ports.delete(port);
          this.done.push(`unplug ${port}`);
        },
        find: lan,
        list: () => {
          this.onLook();
          return [lan("lan1"), lan("lan2")];
        },
        onChange: (listener) => {
          this.#listener = listener;
          return () => {
            this.#listener = () => undefined;
          };
        },
      },
    });
  }

  /** The switch says that a lan or port has changed. */
  lansChanged(): void {
    this.#listener();
  }

  async #tell(port: string, fault: string): Promise<void> {
    this.told.push(`${port}: ${fault}`);
    await this.onTell();
    this.wanted = this.wanted?.map((tap) => (tap.port === port ? { ...tap, plugged: fault === "" } : tap));
  }
}

const rigs: Rig[] = [];
afterEach(async () => {
  for (const rig of rigs.splice(0)) await rig.loop.close();
});

function rigWith(wanted: Rig["wanted"]): Rig {
  const rig = new Rig();
  rigs.push(rig);
  rig.wanted = wanted;
  return rig;
}

const tap = { lan: "lan1", port: "zt0", endpoint: "links/l1", ready: true, plugged: false };

test("a tap is plugged into its lan and the engine is told", async () => {
  const rig = rigWith([tap]);
  rig.loop.soon();
  await expect.poll(() => rig.told).toEqual(["zt0: "]);
  expect(rig.done).toEqual(["plug zt0 lan1"]);
});

test("a tap that is plugged, as the engine knows, is left alone until its lan loses it", async () => {
  const rig = rigWith([{ ...tap, plugged: true }]);
  rig.ports.set("zt0", tap);
  let looks = 0;
  rig.onLook = () => {
    looks += 1;
  };
  rig.loop.soon();
  await expect.poll(() => looks).toBe(1);
  rig.ports.delete("zt0");
  rig.lansChanged();
  await expect.poll(() => rig.told).toEqual(["zt0: "]);
  expect(rig.done).toEqual(["plug zt0 lan1"]);
});

test("a tap that does not exist yet is neither plugged nor unplugged", async () => {
  const rig = rigWith([
    { ...tap, ready: false },
    { ...tap, port: "zt1" },
  ]);
  rig.ports.set("zt0", tap);
  rig.loop.soon();
  await expect.poll(() => rig.told).toEqual(["zt1: "]);
  expect(rig.done).toEqual(["plug zt1 lan1"]);
});

test("ports that nobody wants any more are unplugged, and those of others are not", async () => {
  const rig = rigWith([]);
  rig.ports.set("zt0", tap);
  rig.ports.set("eth0", { ...tap, port: "eth0" });
  rig.ports.set("zt1", { ...tap, port: "zt1", endpoint: "hosts/h/a2bs/b" });
  rig.loop.soon();
  await expect.poll(() => rig.done).toEqual(["unplug zt0"]);
  expect([...rig.ports.keys()]).toEqual(["eth0", "zt1"]);
});

test("nothing is unplugged before the engine has told what it has", async () => {
  const rig = rigWith(undefined);
  rig.ports.set("zt0", tap);
  rig.loop.soon();
  await rig.loop.close();
  expect(rig.done).toEqual([]);
});

test("what fails is told and tried again, and the others do not wait for it", async () => {
  const rig = rigWith([
    { ...tap, lan: "lan2" },
    { ...tap, port: "zt1" },
  ]);
  let attempts = 0;
  rig.onPlug = async ({ port }) => {
    if (port === "zt0") attempts += 1;
    if (port === "zt0" && attempts < 3) throw new Error("no such lan");
  };
  rig.loop.soon();
  await expect.poll(() => rig.told).toContain("zt0: ");
  expect(rig.told).toEqual(["zt0: no such lan", "zt1: ", "zt0: no such lan", "zt0: "]);
});

test("one look at a time: changes meanwhile give one more", async () => {
  const rig = rigWith([tap]);
  const plugging = Promise.withResolvers<void>();
  let looks = 0;
  rig.onLook = () => {
    looks += 1;
  };
  rig.onPlug = () => plugging.promise;
  rig.loop.soon();
  for (let change = 0; change < 5; change += 1) rig.lansChanged();
  expect(looks).toBe(1);
  plugging.resolve();
  await expect.poll(() => looks).toBe(2);
  await rig.loop.close();
  expect([rig.done, looks]).toEqual([["plug zt0 lan1"], 2]);
});

// In these a rejection that nobody handles fails the test run.

test("lans that cannot be looked at are looked at again", async () => {
  const rig = rigWith([tap]);
  let looks = 0;
  rig.onLook = () => {
    looks += 1;
    if (looks < 3) throw new Error("the switch is away");
  };
  rig.loop.soon();
  await expect.poll(() => rig.done).toEqual(["plug zt0 lan1"]);
  expect(looks).toBe(3);
});

test("an engine that cannot be told does not keep other taps from being plugged", async () => {
  const rig = rigWith([tap, { ...tap, port: "zt1" }]);
  rig.onTell = async () => {
    throw new Error("the engine is away");
  };
  rig.loop.soon();
  await expect.poll(() => rig.done).toEqual(["plug zt0 lan1", "plug zt1 lan1"]);
});

test("closing waits for the plug that is under way and begins no other", async () => {
  const rig = rigWith([tap, { ...tap, port: "zt1" }]);
  const plugging = Promise.withResolvers<void>();
  let begun = false;
  rig.onPlug = () => {
    begun = true;
    return plugging.promise;
  };
  rig.loop.soon();
  await expect.poll(() => begun).toBe(true);
  const closed = rig.loop.close().then(() => rig.done.push("closed"));
  plugging.reject(new Error("the switch is away"));
  await closed;
  rig.loop.soon();
  rig.lansChanged();
  expect([rig.done, rig.told]).toEqual([["closed"], ["zt0: the switch is away"]]);
});

test("a lan that forwards nothing is told although the port is in it, and again when it forwards", async () => {
  const rig = rigWith([{ ...tap, plugged: true }]);
  rig.ports.set("zt0", tap);
  rig.fault = "the switch could not make its bridge";
  rig.loop.soon();
  await expect.poll(() => rig.told).toEqual(["zt0: the switch could not make its bridge"]);
  rig.fault = "";
  rig.lansChanged();
  await expect.poll(() => rig.told.at(-1)).toBe("zt0: ");
  expect(rig.done).not.toContain("unplug zt0");
});
