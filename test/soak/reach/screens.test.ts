import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { installationRoot } from "../../../lib/program.js";
import { Terminal } from "../../helpers/tmux.js";
import { ReachRig } from "../../integration/reach/rig.js";

let rig: ReachRig;
const size = { columns: 80, rows: 24 };

beforeAll(async () => {
  rig = await ReachRig.start();
  await rig.create("m1", { qemu: { accelerator: "ACCELERATOR_TCG", kernel: "micro", display: "std" } });
  await rig.answers("m1");
});
afterAll(async () => {
  await rig[Symbol.asyncDispose]();
});

const quoted = (words: readonly string[]) => words.map((word) => `'${word}'`).join(" ");
function terminal(name: string, ...argv: string[]): Promise<Terminal> {
  const zor = quoted([join(installationRoot, "zor"), ...argv]);
  const line = `env LC_ALL=C.UTF-8 ZOR_CONFIG=${rig.config} XDG_STATE_HOME=${rig.directory} ${zor}; echo "code $?"; sleep 600`;
  return Terminal.open(line, size, join(rig.directory, name));
}
/** Half blocks: a screen is drawn. */
const drawn = /[▀▄█]/;

it("is a picture, of the size that it says", async () => {
  const file = join(rig.directory, "screen.png");
  expect(await rig.program("view", "zt/m1", "--png", file).ended).toMatchObject({ code: 0 });
  const png = await readFile(file);
  expect(png.subarray(1, 4).toString()).toBe("PNG");
  expect([png.readUInt32BE(16), png.readUInt32BE(20)]).toEqual([720, 400]);
});

it("is drawn in a terminal of 80x24, which is as it was afterwards", async () => {
  await using term = await terminal("term", "view", "zt/m1", "--term");
  await term.sees(drawn);
  expect(await term.fact("alternate_on")).toBe("1");
  await term.press("C-]");
  await term.sees("code 0");
  expect(await term.fact("alternate_on")).toBe("0");
});
