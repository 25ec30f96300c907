import { once } from "node:events";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { installationRoot } from "../../../lib/program.js";
import { eventually } from "../../helpers/eventually.js";
import { freePort } from "../../helpers/free-port.js";
import { newKey, SshServer } from "../../helpers/ssh-server.js";
import { spawnOwned } from "../../helpers/owned.js";
import { type CliResult, CliRun } from "../../helpers/zor-cli.js";

let directory: string;
let hub: ReturnType<typeof spawnOwned>;
const zor = (argv: readonly string[], input?: string): Promise<CliResult> =>
  new CliRun(argv, { env: { ZOR_CONFIG: join(directory, "config") }, ...(input === undefined ? {} : { input }) })
    .result;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "zt-join-"));
  const state = join(directory, "state");
  const listeners = ["--listen", "--join-listen", "--reverse-listen", "--relay-listen"].flatMap((flag) => [
    flag,
    "127.0.0.1:0",
  ]);
  hub = spawnOwned(join(installationRoot, "zor"), ["hub", "run", "--state", state, ...listeners], { stdio: "ignore" });
  const { listen } = await facts(join(state, "run.json"));
  const [address = ""] = listen;
  const add = ["context", "add", "local", "--address", address, "--identity", join(state, "admin"), "--use"];
  expect((await zor(add)).code).toBe(0);
});

afterAll(async () => {
  const ended = once(hub, "exit");
  hub.kill("SIGTERM");
  await ended;
  await rm(directory, { recursive: true });
});

/** The facts a hub writes once it serves. */
async function facts(path: string): Promise<{ readonly listen: readonly string[] }> {
  const text = await eventually(() => readFile(path, "utf8"), 20_000);
  return JSON.parse(text) as { listen: string[] }; // the hub's own form
}

it("zor join turns a token into an identity of the token's role, once", async () => {
  const token = (await zor(["token", "create", "--user", "ana", "--role", "viewer"])).stdout.trim();
  const taken = await zor(["join", token, "--name", "local"]);
  expect(taken).toMatchObject({ code: 4, stderr: expect.stringContaining("choose another with --name") });

  const joined = await zor(["join", "-", "--name", "ana", "--no-use"], `${token}\n`);
  expect(joined).toMatchObject({ code: 0, stdout: expect.stringContaining("joined as zor://user/ana") });
  expect(joined.stderr).toBe(
    "context local is still the current one; for another: zor --context NAME ..., or zor context use NAME\nTry: zor --context ana get hosts\n",
  );
  const key = await stat(join(directory, "config", "identities", "ana", "key.pem"));
  expect(key.mode & 0o777).toBe(0o600);

  expect((await zor(["context", "show", "ana"])).stdout).toContain("zor://role/viewer");
  expect((await zor(["get", "hosts", "--context", "ana"])).code).toBe(0);
  expect((await zor(["host", "add", "gamma", "--context", "ana"])).code).toBe(5);

  const again = await zor(["join", token, "--name", "again"]);
  expect(again).toMatchObject({ code: 4, stderr: expect.stringContaining("works once") });
  expect((await zor(["context", "list", "-o", "name"])).stdout).toBe("local\nana\n");
});

it("zor join says that its context is the current one now", async () => {
  const token = (await zor(["token", "create", "--user", "bob"])).stdout.trim();
  const { stderr } = await zor(["join", token, "--name", "bob"]);
  expect(stderr).toBe(
    "context bob is the current one now, instead of local; back with: zor context use local\nTry: zor get hosts\n",
  );
  expect((await zor(["context", "use", "local"])).code).toBe(0);
});

it("hosts that have yet to join are shown, but nothing is said of them each time", async () => {
  expect((await zor(["host", "add", "later"])).code).toBe(0);
  expect(await zor(["get", "hosts", "later"])).toMatchObject({
    stdout: expect.stringMatching(/later +PENDING/),
    stderr: "",
  });
  for (const kind of ["hosts", "instances", "lans"]) expect((await zor(["get", kind])).stderr).not.toContain("later");
});

it("zor join refuses a host's token", async () => {
  const token = (await zor(["host", "add", "delta"])).stdout.trim();
  const { code, stderr } = await zor(["join", token, "--name", "delta"]);
  expect(code).toBe(2);
  expect(stderr).toContain("zor agent join");
  expect((await zor(["context", "list", "-o", "name"])).stdout).not.toContain("delta");
});

it("zor token revoke ends what an identity may do", async () => {
  const token = (await zor(["token", "create", "--service", "ci", "--role", "operator"])).stdout.trim();
  await zor(["join", token, "--name", "ci", "--no-use"]);
  expect((await zor(["get", "hosts", "--context", "ci"])).code).toBe(0);
  expect((await zor(["token", "revoke", "service/ci"])).code).toBe(4);
  expect((await zor(["token", "revoke", "service/ci", "--yes"])).code).toBe(0);
  const revoked = await zor(["get", "hosts", "--context", "ci"]);
  expect(revoked).toMatchObject({ code: 5, stderr: expect.stringContaining("revoked") });
});

it("zor joins through an ssh server, and goes through it from then on", async () => {
  const key = newKey();
  await using server = await SshServer.start({ keys: [key.public] });
  const home = join(directory, "home");
  await mkdir(join(home, ".ssh"), { recursive: true });
  await writeFile(join(home, ".ssh/key"), key.private, { mode: 0o600 });
  await writeFile(join(home, ".ssh/config"), "Host *\n  IdentityFile ~/.ssh/key\n  IdentityAgent none\n");
  const far = (...argv: string[]): Promise<CliResult> =>
    new CliRun(argv, { env: { ZOR_CONFIG: join(directory, "config"), HOME: home, XDG_RUNTIME_DIR: home } }).result;
  const way = `ops@127.0.0.1:${server.port}`;
  const token = (await zor(["token", "create", "--user", "cyd", "--role", "viewer"])).stdout.trim();
  const unknown = await far("join", token, "--name", "far", "--ssh", way);
  expect(unknown).toMatchObject({
    code: 4,
    stderr: expect.stringContaining("is not known: ecdsa-sha2-nistp256 SHA256:"),
  });
  await writeFile(join(home, ".ssh/known_hosts"), `[127.0.0.1]:${server.port} ${server.publicKey}\n`);
  expect(await far("join", token, "--name", "far", "--no-use", "--ssh", way)).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(new RegExp(`context far leads to .* through ${way}\n$`)),
  });
  expect((await far("get", "hosts", "--context", "far")).code).toBe(0);
  expect((await far("context", "list")).stdout).toContain(way);
  expect((await far("context", "show", "far")).stdout).toContain(`through:   ${way} (ssh)`);

  // A second one for an address where nothing listens: the fault is told as that, not as one of ssh.
  const port = await freePort();
  expect((await far("context", "add", "dead", "--ssh", way, "--address", `127.0.0.1:${port}`)).code).toBe(0);
  expect(await far("get", "hosts", "--context", "dead")).toMatchObject({
    code: 6,
    stderr: expect.stringContaining(`through ${way}: ${way} cannot connect to 127.0.0.1:${port}`),
  });
  expect((await readdir(home)).filter((name) => name.startsWith("zor-ssh-"))).toEqual([]);

  await server[Symbol.asyncDispose]();
  expect(await far("get", "hosts", "--context", "far")).toMatchObject({
    code: 6,
    stderr: expect.stringContaining(`cannot reach ${way} by ssh: nothing listens on 127.0.0.1:${server.port}`),
  });
});
