import { readFile, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { run } from "../../../agent/host/exec.js";
import { killed } from "../../helpers/killed.js";
import { ping } from "../../integration/network/fixture.js";
import { peer, SwitchRig } from "./switch-rig.js";

let rig: SwitchRig;
beforeAll(async () => {
  rig = await SwitchRig.open();
});
afterAll(async () => {
  await rig[Symbol.asyncDispose]();
});

const file = (name: string): string => join(rig.net.stateDirectory, "ovs", name);
const database = (): string => file("conf.db");

it.each([
  ["deleted", () => rm(database())],
  ["truncated", () => truncate(database(), 100)],
  ["overwritten", () => writeFile(database(), "this is no database\n")],
  [
    "replaced by an empty one",
    async () => {
      for (const each of [database(), file(".conf.db.~lock~")]) await rm(each, { force: true });
      await run("ovsdb-tool", ["create", database(), "/usr/share/openvswitch/vswitch.ovsschema"]);
    },
  ],
] as const)(
  "the database %s: frames pass; after a restart of its server, and of both, all is made again",
  {
    timeout: 180_000,
  },
  async (what, damage) => {
    await damage();
    await ping(rig.guest, peer);
    await rig.allWell();
    await rig.survives(
      `database ${what}, ovsdb-server killed`,
      async () => killed(await rig.pidOf("ovsdb-server")),
      /ovsdb-server of the lans' switch had ended/,
    );
    await damage();
    await rig.survives(
      `database ${what}, both killed`,
      async () => {
        for (const pid of [await rig.pidOf("ovs-vswitchd"), await rig.pidOf("ovsdb-server")])
          process.kill(pid, "SIGKILL");
      },
      /ovs-vswitchd of the lans' switch had ended/,
    );
    expect(await readFile(database(), "latin1")).toContain("OVSDB");
  },
);
