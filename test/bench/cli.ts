// How long a person waits for `zor get hosts`, against the least that could give the same answer: npm run bench -- cli [--json] [--rounds N].
// With --json standard output is one object and the table goes to standard error. Needs nothing but this project; python3-grpcio adds a row.
import { mkdtemp, rm } from "node:fs/promises";
import { cpus, release, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { installationRoot, nodePath, programPath } from "../../lib/program.js";
import { spawnOwned } from "../helpers/owned.js";
import { median, quantile } from "./c2c/statistics.js";
import { HubProgram } from "./hub/hub-program.js";

const { values } = parseArgs({ options: { json: { type: "boolean" }, rounds: { type: "string", default: "31" } } });
const rounds = Number(values.rounds);
if (!Number.isInteger(rounds) || rounds < 1) {
  console.error("npm run bench -- cli [--json] [--rounds N]");
  process.exit(2);
}

/** A command that is measured. */
interface Candidate {
  readonly title: string;
  readonly command: readonly [file: string, ...argv: string[]];
  /** Wall times of the rounds, ms; empty: it does not run here. */
  readonly times: number[];
}

const limitMs = 150;
/** Rounds before the first that counts: files and processor are warm then. */
const warmUps = 3;

const directory = await mkdtemp(join(tmpdir(), "zt-bench-cli-"));
const env = { PATH: process.env["PATH"], HOME: directory, ZOR_CONFIG: join(directory, "config") };
try {
  await using hub = new HubProgram(join(directory, "hub"), undefined);
  const address = await hub.address();
  const identity = join(directory, "hub/admin");
  const zor = join(installationRoot, "zor");
  await run([zor, "context", "add", "bench", "--address", address, "--identity", identity]);
  for (const host of ["alpha", "beta", "gamma"]) await run([zor, "host", "add", host, "--address", "127.0.0.1:1"]);
  const foreign = ["test/bench/cli/least-client.py", address, identity] as const;
  const candidates: Candidate[] = [
    { title: "zor get hosts", command: [zor, "get", "hosts"], times: [] },
    { title: "node -e 0", command: [nodePath, "-e", "0"], times: [] },
    { title: "least client, grpc-js", command: [nodePath, programPath("least-client"), address, identity], times: [] },
    { title: "least client, python3-grpcio", command: ["python3", ...foreign], times: [] },
  ];
  const broken = new Set<Candidate>();
  for (let round = -warmUps; round < rounds; round += 1) {
    for (const candidate of candidates) {
      if (broken.has(candidate)) continue;
      const began = performance.now();
      const said = await run(candidate.command).catch((error: unknown) => {
        if (candidate.title.startsWith("zor")) throw error;
        broken.add(candidate);
      });
      if (round >= 0 && said !== undefined) candidate.times.push(performance.now() - began);
    }
  }
  report(candidates);
} finally {
  await rm(directory, { recursive: true, force: true });
}
process.exit(0);

/** Runs a command to its end. @throws when it fails. */
async function run([file, ...argv]: readonly [string, ...string[]]): Promise<string> {
  const child = spawnOwned(file, argv, { env, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  let errors = "";
  child.stdout.on("data", (chunk: Buffer) => {
    output += chunk.toString();
  });
  child.stderr.on("data", (chunk: Buffer) => {
    errors += chunk.toString();
  });
  const code = await new Promise((resolve) => child.once("close", resolve));
  if (code !== 0) throw new Error(`${file} ${argv.join(" ")}: ${errors.trim()}`);
  return output;
}

function report(candidates: readonly Candidate[]): void {
  const [first] = candidates;
  const value = median(first?.times ?? []);
  const machine = `${cpus().length} x ${cpus()[0]?.model.trim() ?? "?"}, Linux ${release()}`;
  const cell = (text: string) => text.padStart(9);
  const figure = (ms: number | undefined) => cell(ms === undefined ? "n/a" : ms.toFixed(0));
  const lines = candidates.map(({ title, times }) => {
    const figures = [median(times), times.length === 0 ? undefined : Math.min(...times), quantile(times, 0.9)];
    return title.padEnd(32) + figures.map(figure).join("");
  });
  const table = [
    `${machine}; ${rounds} rounds, one command after the other in each; wall time, ms`,
    "",
    "".padEnd(32) + ["median", "least", "p90"].map(cell).join(""),
    ...lines,
    "",
    `get_hosts_ms ${value?.toFixed(0)}, at most ${limitMs}: ${value !== undefined && value <= limitMs ? "met" : "missed"}`,
  ].join("\n");
  if (values.json !== true) {
    console.log(table);
    return;
  }
  process.stderr.write(`${table}\n`);
  const medians = Object.fromEntries(candidates.map(({ title, times }) => [title, median(times) ?? null]));
  console.log(JSON.stringify({ machine, rounds, medians, bars: { get_hosts_ms: value ?? null } }, undefined, 2));
}
