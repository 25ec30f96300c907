import { once } from "node:events";
import { describe, expect, it } from "vitest";
import { eventually } from "../helpers/eventually.js";
import { captureMachine, leftBehind } from "../helpers/leftovers.js";
import { spawnOwned } from "../helpers/owned.js";
import { TestDemo } from "./test-demo.js";

describe("a demo whose zor demo up was cut off", () => {
  it.each([
    { signal: "SIGINT", during: "[2/7]", exit: [130, null] },
    { signal: "SIGKILL", during: "[4/7]", exit: [null, "SIGKILL"] },
  ] as const)("by $signal after step $during is taken down without a trace", async ({ signal, during, exit }) => {
    const before = captureMachine();
    const demo = await TestDemo.create();
    const up = spawnOwned(demo.launcher, ["demo", "up"], {
      env: { ...process.env, ...demo.env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const ended = once(up, "exit");
    up.stderr.resume();
    let said = "";
    for await (const chunk of up.stdout) {
      said += String(chunk);
      if (said.includes(during)) up.kill(signal);
    }
    expect(await ended).toEqual(exit);
    // Something is there to be taken down.
    expect(leftBehind(before, captureMachine(), demo.ownership)).not.toEqual([]);

    await demo[Symbol.asyncDispose]();
    // The kernel takes interfaces of namespaces that are gone away a moment later.
    await eventually(() => expect(leftBehind(before, captureMachine(), demo.ownership)).toEqual([]));
  });
});
