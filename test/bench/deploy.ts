// How long it takes to put Zorhub on hosts, and to bring them to another version: npm run bench -- deploy [--json] [--count N] [--cast FILE].
// The hosts are Debian servers of its own in namespaces, with systemd, sshd and sudo, and the Debian packages that Zorhub needs: what apt takes is
// not measured. What is installed is this clone's build and archive. With --json standard output is one object.
import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { cpus, release, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { version } from "../../lib/program.js";
import { opsUser } from "../helpers/deploy-hosts/debian-tree.js";
import { CabledGuests } from "../helpers/deploy-hosts/guests.js";
import { DeployHosts } from "../helpers/deploy-hosts/deploy-hosts.js";
import { InstallRig, type ZorResult, type ZorRun } from "../helpers/deploy-hosts/install-rig.js";
import { otherVersion } from "../helpers/deploy-hosts/other-version.js";
import { runTag } from "../helpers/run-tag.js";
import { type CallRates, measureCalls } from "./deploy/ssh-calls.js";

const { values } = parseArgs({
  options: { json: { type: "boolean" }, count: { type: "string", default: "8" }, cast: { type: "string" } },
});
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
let calls: CallRates | undefined;
const hosts = await DeployHosts.start({ count, project });
try {
  const another = await otherVersion(archive, { kind: "another", directory });
  rig = await InstallRig.start(hosts, project);
  const first = rig.installing(...names);
  const install8_s = await seconds(first.result);
  if (values.cast !== undefined) await writeFile(values.cast, castOf(first.told));
  const noop_host_s = (await seconds(rig.install(...names))) / count;
  const guests = await CabledGuests.make(rig);
  await guests.startPings();
  const upgrade = ["host", "upgrade", "--all", "--archive", another.path, "--password-stdin"];
  const upgrade8_s = await seconds(rig.zor(upgrade, `${opsUser.password}\n`));
  const { lost: lost_pings } = await guests.countPings();
  calls = await measureCalls(rig);
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

/** Lines with the second at which each was said. */
function castOf(told: ZorRun["told"]): string {
  const lines = told.flatMap(({ ms, text }) =>
    text
      .trimEnd()
      .split("\n")
      .map((line) => `${(ms / 1000).toFixed(1).padStart(6)}  ${line}\n`),
  );
  return lines.join("");
}

function report(bars: Readonly<Record<keyof typeof limits, number>>): void {
  const machine = `${cpus().length} x ${cpus()[0]?.model.trim() ?? "?"}, Linux ${release()}`;
  const lines = Object.entries(limits).map(([name, limit]) => {
    const value = bars[name as keyof typeof limits];
    return `${name.padEnd(14)} ${value.toFixed(1).padStart(8)}, at most ${limit}: ${value <= limit ? "met" : "missed"}`;
  });
  const { direct = 0, throughSsh = 0 } = calls ?? {};
  const ratio = throughSsh / direct;
  const told = `${throughSsh.toFixed(0)} a second, ${direct.toFixed(0)} without: ${ratio.toFixed(2)}`;
  const table = [`${machine}; ${count} hosts`, ...lines, `calls through ssh  ${told}`].join("\n");
  if (values.json === true) {
    console.error(table);
    console.log(JSON.stringify({ machine, hosts: count, bars, calls: { direct, throughSsh, ratio } }, undefined, 2));
  } else console.log(table);
}
