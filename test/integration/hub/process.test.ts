import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { run } from "../../../agent/host/exec.js";
import { apiLevel, nodePath, programPath, version } from "../../../lib/program.js";
import { HostServiceService, ListHostsRequest } from "../../../proto/gen/zor/v1/host_service.js";
import { VersionServiceService } from "../../../proto/gen/zor/v1/version_service.js";
import { eventually } from "../../helpers/eventually.js";
import { makeNetns } from "../../helpers/netns.js";
import { runOwned, spawnOwned } from "../../helpers/owned.js";
import { HubProcess } from "./hub-process.js";

/** Runs the hub program until it ends by itself. */
async function hub(
  ...args: string[]
): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
  const argv = [programPath("hub"), "hub", ...args];
  const { exitCode = -1, ...output } = await runOwned(nodePath, argv, { timeoutMs: 90_000 });
  return { code: exitCode, ...output };
}

/** No port of this machine that something else may have. */
const anyPorts = ["--join-listen", "--reverse-listen", "--relay-listen"].flatMap((flag) => [flag, "127.0.0.1:0"]);

class Scratch implements AsyncDisposable {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  static async make(): Promise<Scratch> {
    return new Scratch(await mkdtemp(join(tmpdir(), "zt-hubp-")));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.path, { recursive: true, force: true });
  }
}

describe("the hub program", () => {
  test("ends with 0 on SIGTERM and serves again on the same state directory", async () => {
    await using process = await HubProcess.start();
    expect(await process.terminate()).toBe(0);
    await process.run();
    const admin = await process.connect();
    expect((await admin.unary(HostServiceService.listHosts, ListHostsRequest.fromPartial({}))).hosts).toEqual([]);
    expect(await admin.unary(VersionServiceService.getVersion, {})).toMatchObject({
      ...{ program: "hub", version, apiLevel },
      build: expect.stringMatching(/^[0-9a-f]{12}$/),
    });
    admin.close();
  });

  test("ends with 0 on a SIGTERM while it starts, as soon as it serves", async () => {
    await using scratch = await Scratch.make();
    const state = join(scratch.path, "state");
    const child = spawnOwned(
      nodePath,
      [programPath("hub"), "hub", "run", "--state", state, ...anyPorts, "--listen", "127.0.0.1:0"],
      {
        stdio: ["ignore", "ignore", "ignore"],
      },
    );
    const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
    // The first thing that can be seen of it.
    await eventually(() => stat(state));
    child.kill("SIGTERM");
    expect(await ended).toBe(0);
  });

  test("refuses a state directory on which another hub runs, which goes on", async () => {
    await using process = await HubProcess.start();
    const { code, stderr } = await hub("run", "--state", process.state, "--listen", "127.0.0.1:0", ...anyPorts);
    expect(code).toBe(1);
    expect(stderr).toMatch(/another hub runs on this state directory/);
    const admin = await process.connect();
    expect((await admin.unary(HostServiceService.listHosts, ListHostsRequest.fromPartial({}))).hosts).toEqual([]);
    admin.close();
  });

  test.each([
    ["a half-written file", "state: [\n", /hub\.yaml:\d+:\d+/],
    ["an unknown setting", "name: main\nlistenn: []\n", /hub\.yaml:2:\d+ listenn: unknown setting/],
    ["an address that is none", "listen:\n  - nonsense\n", /hub\.yaml:2:\d+ listen\.0: expected "ip:port"/],
  ])("refuses %s, with file, line and column", async (_what, text, message) => {
    await using scratch = await Scratch.make();
    const file = join(scratch.path, "hub.yaml");
    await writeFile(file, text);
    const { code, stderr } = await hub("run", "--config", file);
    expect(code).toBe(2);
    expect(stderr).toMatch(message);
  });

  test("init makes the state directory, the CA and the admin, and ends", async () => {
    await using scratch = await Scratch.make();
    const state = join(scratch.path, "state");
    const { code, stdout } = await hub("init", "--state", state);
    expect(code).toBe(0);
    expect(stdout).toContain(join(state, "admin"));
    for (const file of ["ca/key.pem", "admin/key.pem", "hub.db"]) {
      expect((await stat(join(state, file))).mode & 0o777).toBe(0o600);
    }
    expect((await stat(state)).mode & 0o777).toBe(0o700);
  });

  test("says what is wrong when an address cannot be bound, and leaves nothing open", async () => {
    await using process = await HubProcess.start();
    await using scratch = await Scratch.make();
    const { code, stderr } = await hub("run", "--state", scratch.path, "--listen", process.address, ...anyPorts);
    expect(code).toBe(1);
    expect(stderr).toContain(`cannot listen on ${process.address}`);
  });

  test("serves where it can, says which address is missing, and takes it when it comes", async () => {
    await using namespace = await makeNetns("hl");
    await using scratch = await Scratch.make();
    const late = ["10.208.0.1:7440", "10.208.0.1:7441", "10.208.0.1:7442", "10.208.0.1:7445"];
    const flags = ["--listen", "--join-listen", "--reverse-listen", "--relay-listen"];
    const listeners = flags.flatMap((flag, index) => [flag, "127.0.0.1:0", late[index] ?? ""]);
    const argv = ["netns", "exec", namespace.name, nodePath, programPath("hub"), "hub", "run", "--state", scratch.path];
    const child = spawnOwned("ip", [...argv, ...listeners], { stdio: "ignore" });
    const ended = new Promise((resolve) => child.once("exit", resolve));
    try {
      const facts = async () => JSON.parse(await readFile(join(scratch.path, "run.json"), "utf8").catch(() => "{}"));
      await eventually(async () => expect((await facts()).missing?.toSorted()).toEqual(late));
      expect((await facts()).listen[0]).toMatch(/^127\.0\.0\.1:\d+$/);
      await namespace.ip("addr", "add", "10.208.0.1/24", "dev", "lo");
      await eventually(async () => expect((await facts()).missing).toEqual([]));
      for (const address of late) {
        const [ip, port] = address.split(":");
        await run("bash", ["-c", `exec 3<>/dev/tcp/${ip}/${port}`], { netns: namespace.name });
      }
    } finally {
      child.kill("SIGTERM");
      await ended;
    }
  });

  test("teaches its use", async () => {
    const { code, stdout } = await hub("run", "--help");
    expect(code).toBe(0);
    expect(stdout).toMatch(/--join-listen.*Examples:.*zor agent join TOKEN.*Exit codes:/s);
    expect((await hub("run", "--nonsense")).code).toBe(2);
  });
});
