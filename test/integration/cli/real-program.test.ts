import { existsSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { installationRoot, nodePath, programPath } from "../../../lib/program.js";
import { Image } from "../../../proto/gen/zor/v1/image.js";
import { loadContext, saveContext } from "../../../tui/client/contexts.js";
import { makeNetns } from "../../helpers/netns.js";
import { spawnOwned } from "../../helpers/owned.js";
import { CliFleet } from "./fleet.js";

const launcher = join(installationRoot, "zor");

let fleet: CliFleet;
beforeAll(async () => {
  if (!existsSync(programPath("cli"))) throw new Error("dist/cli.cjs is missing: npm run build");
  fleet = await CliFleet.create(["zor.v1.ImageService"]);
  fleet.hub.put({ kind: "image", value: Image.fromPartial({ name: "hosts/alpha/images/debian" }) });
});
afterAll(async () => {
  await fleet[Symbol.asyncDispose]();
});

function start(
  command: string,
  args: readonly string[],
  stdin: "pipe" | "ignore" = "ignore",
  more: Readonly<Record<string, string>> = {},
) {
  const env = { ...process.env, ...fleet.env(), TERM: "xterm-256color", ...more };
  return spawnOwned(command, args, { env, stdio: [stdin, "pipe", "pipe"] });
}

async function finish(
  child: ReturnType<typeof start>,
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const { promise: code, resolve, reject } = Promise.withResolvers<number | null>();
  child.once("close", resolve);
  child.once("error", reject);
  const [stdout = "", stderr = ""] = await Promise.all(
    [child.stdout, child.stderr].map((stream) => (stream === null ? "" : text(stream))),
  );
  return { code: await code, stdout, stderr };
}

/** Resolves when a child has printed a text. */
async function sees(child: ReturnType<typeof start>, wanted: string): Promise<void> {
  let seen = "";
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = setTimeout(() => reject(new Error(`no ${JSON.stringify(wanted)} in ${JSON.stringify(seen)}`)), 20_000);
  child.stdout?.on("data", (chunk: Buffer) => {
    seen += chunk.toString();
    if (seen.includes(wanted)) resolve();
  });
  await promise.finally(() => clearTimeout(timer));
}

const zor = (...argv: string[]) => finish(start(launcher, argv));

describe("the zor program", () => {
  it.each([
    ["a list", ["get", "images", "-o", "json"]],
    ["help", ["--help"]],
    ["what an agent's machine can do", ["agent", "--help"]],
    ["the keys", ["tui", "--print-keymap"]],
  ])("fails with a word where the disk is full: %s", async (_what, argv) => {
    // No quotes: the words are those above.
    const child = start("sh", ["-c", `exec ${launcher} ${argv.join(" ")} >/dev/full`]);
    const { code, stderr } = await finish(child);
    expect(stderr).toMatch(/^zor: not all output was written: ENOSPC: no space left on device.*\n$/);
    expect(code).toBe(1);
  });

  it("prints on stdout, tells on stderr and ends with the documented codes", async () => {
    expect(await zor("get", "instances", "-o", "name")).toEqual({
      code: 0,
      stdout: "hosts/alpha/instances/vm1\nhosts/beta/instances/vm1\n",
      stderr: "",
    });
    expect((await zor("get", "instances", "alpha/nobody")).code).toBe(3);
    expect((await zor("exec", "alpha/vm1", "--", "exit", "17")).code).toBe(17);
  });

  it.each([
    ["through the launcher", launcher, []],
    ["started without it", nodePath, [programPath("cli")]],
  ])("speaks to its hub directly and in its own words whatever the environment says, %s", async (_, command, first) => {
    const hostile = {
      https_proxy: "http://127.0.0.1:9",
      http_proxy: "http://127.0.0.1:9",
      grpc_proxy: "socks://nowhere",
      GRPC_TRACE: "all",
      GRPC_VERBOSITY: "DEBUG",
      GRPC_SSL_CIPHER_SUITES: "none",
      GRPC_NODE_USE_ALTERNATIVE_RESOLVER: "true",
      BUF_BIGINT_DISABLE: "1",
      LOG_TOKENS: "true",
      // What Node reads before the program runs only the launcher can keep away.
      ...(command === launcher
        ? { NODE_OPTIONS: "--require /nowhere.cjs", NODE_DEBUG: "http2,tls,net", OPENSSL_CONF: "/dev/null/x" }
        : { NODE_TLS_REJECT_UNAUTHORIZED: "0" }),
    };
    const seen = await finish(start(command, [...first, "get", "instances", "-o", "name"], "ignore", hostile));
    expect(seen).toEqual({ code: 0, stdout: "hosts/alpha/instances/vm1\nhosts/beta/instances/vm1\n", stderr: "" });
  });

  it.each(["cli", "tui"])("starts with the code that V8 compiled when it was built: %s", async (program) => {
    const look = `const { script } = require(${JSON.stringify(programPath(program))}).load(); console.log(script.cachedDataRejected)`;
    const script = join(installationRoot, "deploy/compiled-code.mjs");
    const { launcherOptions } = (await import(script)) as { launcherOptions: (program: string) => readonly string[] };
    const seen = await finish(start(nodePath, [...launcherOptions(program), "-e", look]));
    expect(seen).toMatchObject({ code: 0, stdout: "false\n" });
  });

  it("ends quietly when the reader of its output leaves", async () => {
    const { code, stdout, stderr } = await finish(
      start("bash", ["-c", `set -o pipefail; '${launcher}' --help | head -1`]),
    );
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: "Usage: zor [options] COMMAND\n", stderr: "" });
  });

  it.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const)("ends a watch on %s with %i", async (signal, code) => {
    const child = start(launcher, ["get", "instances", "--watch"]);
    const result = finish(child);
    await sees(child, "beta/vm1");
    child.kill(signal);
    expect((await result).code).toBe(code);
  });

  it("gives a real terminal back after a console", async () => {
    const child = start("script", ["-qec", `stty; '${launcher}' console alpha/vm1; stty -a`, "/dev/null"], "pipe");
    const result = finish(child);
    await sees(child, "login: ");
    child.stdin?.write("\x1d");
    const { stdout } = await result;
    expect(stdout).toContain("Detach with Ctrl-]");
    const settings = stdout.slice(stdout.indexOf("detached"));
    expect(settings).toMatch(/[^-]icanon/);
    expect(settings).toMatch(/[^-]echo /);
    expect(settings).not.toMatch(/-icanon|-isig|-opost/);
  });
});

describe("a hub that does not answer", () => {
  const looks = [
    ["get", "hosts"],
    ["get", "instances", "vm1"],
    ["get", "instances", "alpha/vm1", "-o", "json"],
    ["link", "show", "demo"],
    ["host", "list"],
    ["get", "links", "--watch"],
    ["api", "list"],
    ["api", "call", "HostService/ListHosts"],
    ["doctor", "link", "demo"],
  ];

  it("because it is stopped is waited for 5 s, and said to be", async () => {
    const stopped = createServer();
    await new Promise<void>((resolve) => stopped.listen(0, "127.0.0.1", resolve));
    const { port } = stopped.address() as AddressInfo;
    const admin = await loadContext({ name: "admin", env: fleet.env() });
    await saveContext(fleet.configDirectory, { ...admin, name: "stopped", addresses: [`127.0.0.1:${port}`] }, false);
    // In this process: how long programs take to start on a busy machine is not what is asked.
    const commands = [...looks, ["start", "alpha/vm1"]];
    const env = { ZOR_CONTEXT: "stopped" };
    // None waits for it anew with a second call: each ends before one that is to wait for twice as long.
    const order: string[] = [];
    const patient = fleet.zor(["--timeout", "9s", "get", "hosts"], { env }).then(() => order.push("patient"));
    const ended = await Promise.all(commands.map((argv) => fleet.zor(argv, { env })));
    order.push("all others");
    await patient;
    expect(order).toEqual(["all others", "patient"]);
    const waiting = fleet.run(["get", "hosts", "--timeout", "1h"], { env: { ZOR_CONTEXT: "stopped" } });
    waiting.interrupt();
    expect(await waiting.result).toMatchObject({ code: 130, stderr: "" });
    stopped.close();
    for (const { code, stdout, stderr } of ended) {
      expect({ code, stdout }).toEqual({ code: 6, stdout: "" });
      expect(stderr).toContain(
        `the hub of context stopped did not answer within 4.5 s: 127.0.0.1:${port} takes connections but says nothing; what listens there is stopped or hangs`,
      );
    }
  });

  it("because nothing comes back is waited for 5 s, and said to be", async () => {
    await using netns = await makeNetns("hole");
    // Frames to neighbours that are not there go to the other end of the pair, which is nobody's.
    await netns.ip("link", "add", "near", "type", "veth", "peer", "name", "far");
    for (const device of ["near", "far"]) await netns.ip("link", "set", device, "up");
    await netns.ip("addr", "add", "192.0.2.1/24", "dev", "near");
    for (const last of ["7", "8"]) {
      await netns.ip("neigh", "add", `192.0.2.${last}`, "lladdr", `02:00:00:00:00:0${last}`, "dev", "near");
    }
    const admin = await loadContext({ name: "admin", env: fleet.env() });
    const addresses = ["192.0.2.7:7440", "192.0.2.8:7440"];
    await saveContext(fleet.configDirectory, { ...admin, name: "hole", addresses }, false);
    const inside = ["netns", "exec", netns.name, "env", "ZOR_CONTEXT=hole", launcher, "get", "hosts"];
    const { code, stderr } = await finish(start("ip", inside));
    expect(code).toBe(6);
    expect(stderr).toContain(
      "the hub of context hole did not answer within 4.5 s: nothing comes back from 192.0.2.7:7440 and 192.0.2.8:7440; the machine is down, or a firewall drops what is sent to it",
    );
  });

  it("at one address is asked at the other", async () => {
    const admin = await loadContext({ name: "admin", env: fleet.env() });
    const addresses = ["127.0.0.1:1", ...admin.addresses];
    await saveContext(fleet.configDirectory, { ...admin, name: "two", addresses }, false);
    expect(await zor("--context", "two", "get", "instances", "-o", "name")).toMatchObject({ code: 0, stderr: "" });
  });

  it("since none runs there is told at once, with what to look at", async () => {
    const admin = await loadContext({ name: "admin", env: fleet.env() });
    await saveContext(fleet.configDirectory, { ...admin, name: "none", addresses: ["127.0.0.1:1"] }, false);
    const { code, stderr } = await zor("--context", "none", "get", "hosts");
    expect(code).toBe(6);
    expect(stderr).toMatch(
      /^zor: cannot reach 127\.0\.0\.1:1: .*ECONNREFUSED.*; is the hub running there, and is context none right\? See: zor context show\n$/,
    );
  });
});

describe("completion", () => {
  it("offers commands, quietly, when the hub cannot be reached", async () => {
    fleet.hub.stop();
    const { code, stdout, stderr } = await zor("complete", "--", "start", "");
    await fleet.hub.start();
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toBe(":4\n");
  });

  it("ends when its time is over, though a hub takes the connection and says nothing", async () => {
    const silent = createServer();
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    // A server on TCP has such an address.
    const { port } = silent.address() as AddressInfo;
    const admin = await loadContext({ name: "admin", env: fleet.env() });
    await saveContext(fleet.configDirectory, { ...admin, name: "silent", addresses: [`127.0.0.1:${port}`] }, false);
    const ended = await zor("--context", "silent", "--timeout", "3s", "get", "hosts");
    silent.close();
    expect(ended).toEqual({
      code: 6,
      stdout: "",
      stderr: `zor: the hub of context silent did not answer within 3 s: 127.0.0.1:${port} takes connections but says nothing; what listens there is stopped or hangs\n`,
    });
  });

  it("works in a real bash, sourced twice, and runs nothing of the line that is typed", async () => {
    const script = `
      PATH='${installationRoot}':$PATH
      source <(zor completion bash)
      source <(zor completion bash)
      zor() { command zor --timeout 60s "$@"; }
      COMP_LINE='zor stop "$(echo ran >&2)" al'; COMP_POINT=\${#COMP_LINE}
      __zor_complete
      printf '%s\\n' "\${COMPREPLY[@]}"
      complete -p zor`;
    const { stdout, stderr } = await finish(start("bash", ["-c", script]));
    expect(stderr).toBe("");
    expect(stdout).toBe("alpha/vm1\ncomplete -o default -o nosort -F __zor_complete zor\n");
  });
});
