import { readdir, readFile } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { splitAddress } from "../../../hub/kit/split-address.js";
import type { Connection } from "../../../lib/grpc/connection.js";
import { findIdentity, isAlive, signalProcess } from "../../../lib/process.js";
import { programPath } from "../../../lib/program.js";
import { join } from "../../../lib/tls/join.js";
import { formatToken, parseToken } from "../../../lib/tls/token.js";
import { HostServiceService, ListHostsRequest } from "../../../proto/gen/zor/v1/host_service.js";
import { CreateTokenRequest, Role, TokenServiceService } from "../../../proto/gen/zor/v1/token_service.js";
import { eventually } from "../../helpers/eventually.js";
import { flood } from "../../helpers/flood.js";
import { HubProcess } from "./hub-process.js";

let hub: HubProcess;
let admin: Connection;

beforeEach(async () => {
  hub = await HubProcess.start();
  admin = await hub.connect();
});

afterEach(async () => {
  admin.close();
  await hub[Symbol.asyncDispose]();
});

async function token(): Promise<string> {
  const subject = { $case: "userId", value: "ana" } as const;
  const request = CreateTokenRequest.fromPartial({ subject, role: Role.ROLE_VIEWER });
  return (await admin.unary(TokenServiceService.createToken, request)).token;
}

/** The hub's process that takes tokens. */
async function joinPid(): Promise<number> {
  const children = await readFile(`/proc/${hub.pid}/task/${hub.pid}/children`, "utf8");
  for (const pid of children.trim().split(" ").map(Number)) {
    const argv = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
    if (argv.split("\0").includes(programPath("join"))) return pid;
  }
  return 0;
}

const descriptors = async (pid: number): Promise<number> => (await readdir(`/proc/${pid}/fd`)).length;

async function rssMib(pid: number): Promise<number> {
  return Number(/^VmRSS:\s+(\d+)/m.exec(await readFile(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;
}

test("after a flood of bad tokens a good one from the same address is taken at once", async () => {
  const good = await token();
  const { addresses, caSha256 } = parseToken(good);
  const bad = (guess: number): string => {
    const secret = Buffer.alloc(32);
    secret.writeUInt32BE(guess);
    return formatToken({ addresses, caSha256, secret });
  };
  const reasons = new Set<unknown>();
  for (let round = 0; round < 6; round += 1) {
    const tries = Array.from({ length: 5 }, (_, each) => join(bad(round * 5 + each)));
    for (const { reason } of (await Promise.allSettled(tries)) as readonly { reason?: { reason?: unknown } }[]) {
      reasons.add(reason?.reason);
    }
  }
  // The flood was one: it is slowed down.
  expect([...reasons].sort()).toEqual(["TOKEN_UNKNOWN", "TOO_MANY_FAILURES"]);
  expect((await join(good)).response.identity).toBe("zor://user/ana");
  // One that was used is no way in, however often it is shown.
  await expect(join(good)).rejects.toMatchObject({ reason: "TOKEN_USED" });
});

test("half-open handshakes and resets at the join port take neither descriptors nor memory of the hub, and a joiner gets in", async () => {
  const before = { fds: await descriptors(hub.pid), rss: await rssMib(hub.pid) };
  const { host, port } = splitAddress(hub.joinAddress);
  const open: Socket[] = [];
  for (let index = 0; index < 600; index += 1) {
    const socket = connect({ host, port });
    socket.on("error", () => undefined);
    // A handshake that begins and goes no further.
    socket.once("connect", () => socket.write(Buffer.from([22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3])));
    open.push(socket);
  }
  const resets = flood({
    kind: "rapid-reset",
    address: hub.joinAddress,
    seconds: 1,
    connections: 4,
    path: "/zor.v1.JoinService/Join",
  });
  await expect.poll(() => open.every(({ connecting }) => !connecting)).toBe(true);
  await resets;
  // The address that sent the resets is out for a few seconds, and not longer.
  const unused = await token();
  await eventually(async () => expect((await join(unused)).response.identity).toBe("zor://user/ana"));
  const pid = await joinPid();
  expect(await descriptors(pid)).toBeLessThan(400);
  expect(await rssMib(pid)).toBeLessThan(200);
  expect((await descriptors(hub.pid)) - before.fds).toBeLessThan(50);
  expect((await rssMib(hub.pid)) - before.rss).toBeLessThan(60);
  for (const socket of open) socket.destroy();
});

test("it comes back on its port when it ends, and ends with the hub, also by SIGKILL", async () => {
  const first = await findIdentity(await joinPid());
  if (first === undefined) throw new Error("the hub has no join process");
  await signalProcess(first, "SIGKILL");
  await expect.poll(() => isAlive(first)).toBe(false);
  await expect
    .poll(
      async () =>
        join(await token()).then(
          () => "in",
          () => "out",
        ),
      { timeout: 60_000 },
    )
    .toBe("in");
  expect((await admin.unary(HostServiceService.listHosts, ListHostsRequest.fromPartial({}))).hosts).toEqual([]);
  const second = await findIdentity(await joinPid());
  if (second === undefined) throw new Error("the hub has no join process");
  await hub.kill();
  await expect.poll(() => isAlive(second)).toBe(false);
});
