import { readdir, readFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eventually } from "../../helpers/eventually.js";
import { DemoTerminals, expectToFit, leave, sizes, until } from "./demo-terminals.js";

let fleet: DemoTerminals;

beforeAll(async () => {
  fleet = await DemoTerminals.start();
}, 620_000);
afterAll(async () => {
  await fleet[Symbol.asyncDispose]();
}, 300_000);

/** Pid of the cable engine of a host of this demo. */
async function engineOf(host: string): Promise<number> {
  const place = `zor-demo/${fleet.demo.name}/${host}/cable`;
  for (const pid of await readdir("/proc")) {
    if (!/^\d+$/.test(pid)) continue;
    const line = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
    if (line.includes("cable-engine") && line.includes(place)) return Number(pid);
  }
  throw new Error(`${host} has no cable engine`);
}

describe.each(sizes)("a link that broke, at $columns x $rows", (size) => {
  it("is seen on the map, and walked to the hop that is the cause", async () => {
    await using terminal = await fleet.open(size);
    await terminal.press(":", "map", "Enter");
    await until(terminal, "Tab", /link demo active/);
    const engine = await engineOf("beta");
    process.kill(engine, "SIGSTOP");
    try {
      const broken = await terminal.sees(/link demo down, alpha\/lan1 ↔ beta\/lan1/, 120_000);
      expect(broken).toContain("✗ demo");
      // What was measured before it broke says nothing now.
      expect(broken).not.toMatch(/link demo down.*\dms/);
      expectToFit(broken, size);
      await terminal.press(":", "pulse", "Enter");
      await terminal.sees(/✗ link demo +down/);
      await terminal.press("[");
      await terminal.sees("link demo down");
      await terminal.press("D");
      await terminal.sees(/conclusion +✗ engine on hosts\/beta is broken: the cable engine did/, 120_000);
      await terminal.sees("kill -CONT");
      // The cause stands first, with no key pressed; all else is further down.
      const concluded = await terminal.sees(/✗ beta engine +BROKEN/);
      expect(concluded).toContain("conclusion");
      expectToFit(concluded, size);
      await terminal.press("G");
      expectToFit(await terminal.sees(/● (?:alpha|beta) /), size);
    } finally {
      process.kill(engine, "SIGCONT");
    }
    await eventually(async () => {
      const { links } = (await fleet.demo.json(["get", "links"])) as { links: { status: { state: string } }[] };
      expect(links[0]?.status.state).toBe("LINK_STATE_ACTIVE");
    }, 120_000);
    await terminal.press("D");
    await terminal.sees(/conclusion +● all hops work and frames cross both ways *$/m, 120_000);
    await terminal.press("Escape");
    await terminal.sees("link demo active");
    await leave(terminal);
  });
});
