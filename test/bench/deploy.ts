// How long it takes to put Zorhub on hosts, and to bring them to another version: npm run bench -- deploy [--json] [--count N].
// The hosts are Debian servers of its own in namespaces, with systemd, sshd and sudo, and the Debian packages that Zorhub needs: what apt takes is
// not measured. What is installed is this clone's build and archive. With --json standard output is one object.
import { mkdtemp, rm, stat } from "node:fs/promises";
import { cpus, release, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { version } from "../../lib/program.js";
import { opsUser } from "../helpers/deploy-hosts/debian-tree.js";
import { DeployHosts } from "../helpers/deploy-hosts/deploy-hosts.js";
import { InstallRig, type ZorResult } from "../helpers/deploy-hosts/install-rig.js";
import { otherVersion } from "../helpers/deploy-hosts/other-version.js";
import { eventually } from "../helpers/eventually.js";
import { runTag } from "../helpers/run-tag.js";

const { values } = parseArgs({ options: { json: { type: "boolean" }, count: { type: "string", default: "8" } } });
const count = Number(values.count);
if (!Number.isInteger(count) || count < 2 || count > 20) {
  console.error("npm run bench -- deploy [--json] [--count N], N from 2 to 20");
  process.exit(2);
}
// npm runs scripts in the top folder of the clone.
const project = process.cwd();
const archive = join(project, `.zor/package/zorhub-${version}-x64.tar.gz`);
for (const [file, command] of [
  [join(project, "dist/cli.cjs"), "npm run build"],
  [archive, "npm run package"],
] as const) {
  if (await stat(file).catch(() => undefined)) continue;
  console.error(`there is no ${file}; make it with: ${command}`);
  process.exit(1);
}

const limits = { install8_s: 180, noop_host_s: 2, upgrade8_s: 60, lost_pings: 0 };
const directory = await mkdtemp(join(tmpdir(), `${runTag}-bench-deploy-`));
const names = Array.from({ length: count }, (_, at) => `h${at + 1}`);
let rig: InstallRig | undefined;
const hosts = await DeployHosts.start({ count, project });
try {
  const another = await otherVersion(archive, { kind: "another", directory });
  rig = await InstallRig.start(hosts, project);
  const install8_s = await seconds(rig.install(...names));
  const noop_host_s = (await seconds(rig.install(...names))) / count;
  await makeGuests(rig);
  const upgrade = ["host", "upgrade", "--all", "--archive", another.path, "--password-stdin"];
  const upgrade8_s = await seconds(rig.zor(upgrade, `${opsUser.password}\n`));
  const lost_pings = await countLost(rig);
  report({ install8_s, noop_host_s, upgrade8_s, lost_pings });
} finally {
  await rig?.[Symbol.asyncDispose]();
  await hosts[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
}
process.exit(0);

async function seconds(work: Promise<ZorResult>): Promise<number> {
  const begin = performance.now();
  const { code, stderr } = await work;
  if (code !== 0) throw new Error(stderr);
  return (performance.now() - begin) / 1000;
}

/** A machine on two hosts with a cable between them; one pings the other ten times a second, in the background. */
async function makeGuests(fleet: InstallRig): Promise<void> {
  for (const host of ["h1", "h2"]) await must(fleet, "create", "lan", `${host}/lab`);
  await must(fleet, "create", "link", "lab", "h1/lab", "h2/lab");
  for (const [at, name] of ["h1/a", "h2/b"].entries())
    await must(fleet, "create", "instance", name, "--kernel", "micro", "--nic", `lan=lab,addr=10.5.0.${at + 1}/24`);
  await eventually(() => must(fleet, "exec", "h1/a", "--", "ping", "-c", "3", "-W", "5", "10.5.0.2"), 300_000);
  await must(fleet, "exec", "h1/a", "--", "sh", "-c", "ping -i 0.1 10.5.0.2 > /tmp/pings 2>&1 &");
}

/** Ends the pings and tells how many were not answered; the last one may be under way. */
async function countLost(fleet: InstallRig): Promise<number> {
  await must(fleet, "exec", "h1/a", "--", "killall", "-INT", "ping");
  const said = await must(fleet, "exec", "h1/a", "--", "tail", "-n", "3", "/tmp/pings");
  const [, sent, received] = /(\d+) packets transmitted, (\d+) packets received/.exec(said) ?? [];
  if (sent === undefined) throw new Error(`the ping does not tell what came back: ${said}`);
  return Math.max(0, Number(sent) - Number(received) - 1);
}

async function must(fleet: InstallRig, ...argv: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await fleet.zor(argv);
  if (code !== 0) throw new Error(`zor ${argv.join(" ")}: ${stderr}`);
  return stdout;
}

function report(bars: Readonly<Record<keyof typeof limits, number>>): void {
  const machine = `${cpus().length} x ${cpus()[0]?.model.trim() ?? "?"}, Linux ${release()}`;
  const lines = Object.entries(limits).map(([name, limit]) => {
    const value = bars[name as keyof typeof limits];
    return `${name.padEnd(14)} ${value.toFixed(1).padStart(8)}, at most ${limit}: ${value <= limit ? "met" : "missed"}`;
  });
  const table = [`${machine}; ${count} hosts`, ...lines].join("\n");
  if (values.json === true) {
    console.error(table);
    console.log(JSON.stringify({ machine, hosts: count, bars }, undefined, 2));
  } else console.log(table);
}
