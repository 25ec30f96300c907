import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { installationRoot, version } from "../../../lib/program.js";
import { opsUser } from "../../helpers/deploy-hosts/debian-tree.js";
import { DeployHosts } from "../../helpers/deploy-hosts/deploy-hosts.js";
import { InstallRig } from "../../helpers/deploy-hosts/install-rig.js";
import { otherVersion } from "../../helpers/deploy-hosts/other-version.js";
import { eventually } from "../../helpers/eventually.js";
import { captureMachine, leftBehind } from "../../helpers/leftovers.js";
import { runTag } from "../../helpers/run-tag.js";
import { Terminal } from "../../helpers/tmux.js";

const archive = join(installationRoot, `.zor/package/zorhub-${version}-x64.tar.gz`);
const before = captureMachine();
const ours = new RegExp(`-(lab|h\\d+)-${process.pid}-`);
let hosts: DeployHosts;
let rig: InstallRig;
let directory: string;
let another: { readonly path: string; readonly id: string };
let broken: { readonly path: string; readonly id: string };

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), `${runTag}-versions-`));
  another = await otherVersion(archive, { kind: "another", directory });
  broken = await otherVersion(archive, { kind: "broken", directory });
  hosts = await DeployHosts.start({ count: 2 });
  rig = await InstallRig.start(hosts);
  expect((await rig.install("h1", "h2")).stderr).toMatch(/h1: joined[\s\S]*h2: joined|h2: joined[\s\S]*h1: joined/);
}, 1_800_000);
afterAll(async () => {
  await rig[Symbol.asyncDispose]();
  await hosts[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
  await eventually(() => expect(leftBehind(before, captureMachine(), ours)).toEqual([]));
}, 120_000);

const current = (at: number) => hosts.at(at).shell("basename $(readlink /opt/zorhub/current)");

/** `zor tui` as the person runs it. */
async function open(): Promise<Terminal> {
  const env = Object.entries(rig.env).map(([key, value]) => `${key}='${value}'`);
  const program = `${join(rig.installation, "zor")} tui`;
  const line = `env -i TERM=xterm-256color ${env.join(" ")} LC_ALL=C.UTF-8 ${program}; echo "code $?"; sleep 3600`;
  const terminal = await Terminal.open(line, { columns: 100, rows: 30 }, join(directory, "screen"));
  await terminal.sees("● live");
  return terminal;
}

test("hosts are upgraded from the terminal interface: asked for the password, paused after the canary, and gone on with", async () => {
  await using terminal = await open();
  await terminal.press(":", `upgrade h1 h2 --archive ${another.path} --canary 1`, "Enter");
  await terminal.sees(/upgrade of hosts: sudo password: /, 120_000);
  await terminal.press(opsUser.password);
  expect(await terminal.sees(/sudo password: •+/)).not.toContain(opsUser.password);
  await terminal.press("Enter");
  await terminal.sees(/under way \(1\)[\s\S]*waits \(1\)/);
  await terminal.press("p");
  await terminal.sees(/‖ paused/);
  await terminal.sees(/1 of 2 done[\s\S]*· waits \(1\)[\s\S]*h2/, 300_000);
  const [first, second] = [await current(0), await current(1)];
  expect([first, second === first]).toEqual([`${another.id}\n`, false]);
  await terminal.press("p");
  await terminal.sees(/● succeeded[\s\S]*2 of 2 done/, 300_000);
  expect(await current(1)).toBe(`${another.id}\n`);
  await terminal.press(":", "quit", "Enter");
  await terminal.sees("code 0");
});

test("a version that does not run goes back by itself, the others never get it, and the reason is on the screen", async () => {
  await using terminal = await open();
  await terminal.press(":", `upgrade h1 h2 --archive ${broken.path} --canary 1`, "Enter");
  await terminal.sees(/upgrade of hosts: sudo password: /, 120_000);
  await terminal.press(opsUser.password, "Enter");
  await terminal.sees(/✗ failed \(1\)[\s\S]*h1 .*rolled back[\s\S]*not begun \(1\)[\s\S]*h2/, 300_000);
  expect(await current(0)).toBe(`${another.id}\n`);
  await terminal.press(":", "quit", "Enter");
  await terminal.sees("code 0");
});
