import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { expect, onTestFinished, test } from "vitest";
import { Agent } from "../../../agent/agent.js";
import { agentConfigSchema, settle } from "../../../agent/config.js";
import { hostShellSchema } from "../../../agent/host/shell/shell-policy.js";
import { dialOutForever } from "../../../agent/dial-out.js";
import { IdentityHolder, loadHostIdentity } from "../../../agent/identity-holder.js";
import { joinAsHost } from "../../../agent/join.js";
import { findJoinData } from "../../../agent/join-data.js";
import { AsyncQueue } from "../../../lib/async-queue.js";
import { createLog } from "../../../lib/log.js";
import { installationRoot } from "../../../lib/program.js";
import { HostState } from "../../../proto/gen/zor/v1/host.js";
import { CreateHostRequest, HostServiceService } from "../../../proto/gen/zor/v1/host_service.js";
import { type OpenShellRequest, ShellOpen, ShellServiceService } from "../../../proto/gen/zor/v1/shell_service.js";
import { CreateTokenRequest, Role, TokenServiceService } from "../../../proto/gen/zor/v1/token_service.js";
import { FakeDriver } from "../../fakes/driver.js";
import { FakeHostNetwork } from "../../fakes/host-network.js";
import { eventually } from "../../helpers/eventually.js";
import { spawnOwned } from "../../helpers/owned.js";
import { Terminal } from "../../helpers/tmux.js";
import { HubFixture } from "../hub/fixture.js";
import { ApiFixture, parent } from "./api-fixture.js";

const launcher = join(installationRoot, "zor");
const log = createLog("test", { write: () => undefined });
const unexpected = (damage: string): never => {
  throw new Error(damage);
};

/** A hub with the agent of a host that gives root a shell, and what a program of an admin of theirs needs in its environment. */
async function makeFleet(): Promise<{ readonly directory: string; readonly env: Record<string, string> }> {
  const directory = await mkdtemp(join(tmpdir(), "zt-shell-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const hub = await HubFixture.start();
  onTestFinished(() => hub[Symbol.asyncDispose]());
  const state = join(directory, "agent");
  const config = agentConfigSchema.parse({
    ...{ state, listen: ["127.0.0.1:0"], dialOut: true },
    hostShell: { user: "root", command: ["/bin/sh", "-i"] },
  });
  const host = CreateHostRequest.fromPartial({ hostId: "far" });
  const { joinToken } = await hub.admin.unary(HostServiceService.createHost, host);
  await joinAsHost(joinToken, config);
  const { identity: loaded } = await loadHostIdentity(state, undefined);
  const joined = await findJoinData(state, unexpected);
  const identity = new IdentityHolder(loaded);
  const agent = await Agent.start({
    settings: settle(config, joined, "far"),
    ...{ hostUid: "uid", identity, log },
    parts: { drivers: [new FakeDriver()], network: new FakeHostNetwork().toPart(), cables: undefined },
  });
  onTestFinished(() => agent.close());
  const ending = new AbortController();
  const accept = (socket: Parameters<typeof agent.server.accept>[0]) => agent.server.accept(socket);
  const addresses = joined?.hubReverseAddresses ?? [];
  const dialling = { identity, addresses, accept, log, boot: agent.boot, onRefused: () => undefined };
  const dialled = dialOutForever(dialling, ending.signal);
  onTestFinished(async () => {
    ending.abort();
    await dialled;
  });
  const { token } = await hub.admin.unary(
    TokenServiceService.createToken,
    CreateTokenRequest.fromPartial({ subject: { $case: "userId", value: "ana" }, role: Role.ROLE_ADMIN }),
  );
  const env = { ZOR_CONFIG: join(directory, "config"), XDG_STATE_HOME: directory, LC_ALL: "C.UTF-8" };
  expect(await zor(env, "join", token)).toMatchObject({ code: 0 });
  await eventually(async () => {
    const { host: now } = await hub.admin.unary(HostServiceService.getHost, { name: "hosts/far" });
    expect(now?.state).toBe(HostState.HOST_STATE_READY);
    expect(now?.fingerprint?.capabilities.find(({ id }) => id === "shell")?.reason).toBe("as root, for admins");
  });
  return { directory, env };
}

/** Runs zor with an input; resolves to what it said and how it ended. */
async function zor(env: Record<string, string>, ...argv: readonly string[]) {
  const child = spawnOwned(launcher, [...argv], { env: { ...process.env, ...env }, stdio: ["pipe", "pipe", "pipe"] });
  child.stdin?.end("echo $((40 + 2)); exit 5\n");
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  const [stdout = "", stderr = ""] = await Promise.all(
    [child.stdout, child.stderr].map((stream) => (stream === null ? "" : text(stream))),
  );
  return { code: await ended, stdout, stderr };
}

test("a shell of a host is had through the hub by zor and in a pane, and ended with its owner told", async () => {
  const { directory, env } = await makeFleet();
  expect(await zor(env, "shell", "far")).toMatchObject({ code: 5, stdout: "42\n" });
  expect(await zor(env, "host", "shell", "far", "--", "id")).toMatchObject({
    stderr: expect.stringContaining("policy says what is run"),
  });

  const words = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  const line = `${words.join(" ")} ${launcher} tui; sleep 600`;
  const terminal = await Terminal.open(line, { columns: 100, rows: 30 }, join(directory, "recording"));
  onTestFinished(() => terminal[Symbol.asyncDispose]());
  await terminal.sees("far");
  await terminal.press("1");
  await terminal.sees(/hosts.*1/);
  await terminal.press("c");
  await terminal.sees("shell far");
  await terminal.press("stty size; echo $((40 + 3))", "Enter");
  await terminal.sees(/\d\d 100\n43/);

  const listed = await zor(env, "get", "sessions", "-o", "name");
  const [name = ""] = listed.stdout.trim().split("\n");
  expect(await zor(env, "session", "list")).toMatchObject({ stdout: expect.stringMatching(/ana .*far .*sh as root/) });
  expect(await zor(env, "session", "end", name)).toMatchObject({ code: 0 });
  await terminal.sees("zor://user/ana ended this session");
});

test("a shell ends with its agent, and so does what it left in the background, whatever that ignores", async () => {
  const fixture = await ApiFixture.start({ hostShell: hostShellSchema.parse({ user: "root", role: "operator" }) });
  onTestFinished(() => fixture.close());
  const script =
    "trap '' HUP TERM; (trap '' HUP TERM; exec setsid sleep 986) & echo pids $$ $!; while :; do sleep 1; done";
  const requests = new AsyncQueue<OpenShellRequest>(10);
  const open = { name: parent, command: ["sh", "-c", script], size: { columns: 80, rows: 24 } };
  requests.push({ message: { $case: "open", value: ShellOpen.fromPartial(open) } });
  let said = "";
  const listen = async (): Promise<void> => {
    for await (const { message } of fixture.operator.bidi(ShellServiceService.openShell, requests)) {
      if (message?.$case === "data") said += message.value.toString();
    }
  };
  const heard = listen().catch(() => undefined);
  await expect.poll(() => said).toMatch(/pids \d+ \d+\r\n/);
  const pids = /pids (\d+) (\d+)/.exec(said)?.slice(1) ?? [];
  expect(pids.filter((pid) => existsSync(`/proc/${pid}`))).toHaveLength(2);
  await fixture.restart();
  await heard;
  await expect.poll(() => pids.filter((pid) => existsSync(`/proc/${pid}`)), { timeout: 20_000 }).toEqual([]);
});
