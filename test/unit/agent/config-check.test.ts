import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { agentConfigSchema } from "../../../agent/config.js";
import { keptOnHost } from "../../../agent/config-keys.js";
import { checkConfig, describeCheck } from "../../../lib/config-check.js";

async function check(before: string, after: string) {
  const directory = await mkdtemp(join(tmpdir(), "zor-check-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  const files = { before: join(directory, "before.yaml"), file: join(directory, "after.yaml") };
  await writeFile(files.before, before);
  await writeFile(files.file, after);
  return checkConfig(agentConfigSchema, { ...files, kept: keptOnHost });
}
const base = "listen: [10.0.0.1:7443]\ndisk: { reserveMib: 2048 }\n";

test("how an agent is reached and watched may be changed from afar", async () => {
  const found = await check(base, `${base}figuresMib: 128\nunderlay: [10.0.0.1]\n`);
  expect(found).toMatchObject({ changed: ["figuresMib", "underlay"], refused: [] });
  expect(found.settings.listen).toEqual(["10.0.0.1:7443"]);
});

test("what it allows, and who it is, may not", async () => {
  const found = await check(base, "disk: { reserveMib: 0 }\nhooks: []\nhost: other\ntaps: []\n");
  expect(found.changed).toEqual(["disk", "hooks", "host", "listen", "taps"]);
  expect(found.refused.map(({ key }) => key)).toEqual(["disk", "hooks", "host", "taps"]);
  expect(describeCheck(found)).toMatch(/disk cannot be changed from afar: it is the host's policy/);
  expect(describeCheck(found)).toMatch(/host cannot be changed from afar: guests and certificates/);
});

test("only what is different counts: order, spelling and comments are none", async () => {
  const found = await check(base, "# so\ndisk:\n  reserveMib: 2048\nlisten:\n- 10.0.0.1:7443\n");
  expect(found.changed).toEqual([]);
  expect(describeCheck(found)).toBe("the settings are right");
});

test("wrong settings are told with their lines", async () => {
  await expect(check(base, "listen: [nowhere]\ncolour: red\n")).rejects.toThrow(/after\.yaml:1:10 listen\.0: expected/);
  await expect(check(base, "listen: [nowhere]\ncolour: red\n")).rejects.toThrow(/:2:9 colour: unknown setting/);
});
