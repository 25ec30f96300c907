import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { Host, HostState } from "../../../proto/gen/zor/v1/host.js";
import { CreateHostRequest, HostServiceService, UpdateHostRequest } from "../../../proto/gen/zor/v1/host_service.js";
import { newKey, SshServer } from "../../helpers/ssh-server.js";
import { HubFixture } from "./fixture.js";

const { HOST_STATE_READY } = HostState;

/** An ssh server and a hub whose file allows it. */
async function rig() {
  const directory = await mkdtemp(join(tmpdir(), "zt-via-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  const key = newKey();
  const options = { keys: [key.public] };
  const server = await SshServer.start(options);
  const via = `ssh://zor@127.0.0.1:${server.port}`;
  const [identity, knownHosts] = [join(directory, "key"), join(directory, "known_hosts")];
  await writeFile(identity, key.private, { mode: 0o600 });
  await writeFile(knownHosts, `[127.0.0.1]:${server.port} ${server.publicKey}\n`);
  const ssh = { via: [via], identityFiles: [identity], knownHosts: [knownHosts] };
  const fixture = await HubFixture.start({ settings: { ssh } });
  fixture.defer(() => server[Symbol.asyncDispose]());
  const again = () => SshServer.start({ ...options, port: server.port, hostKey: server.hostKey });
  return { fixture, server, via, again, knownHosts };
}

async function setVia(fixture: HubFixture, via: string): Promise<void> {
  const host = Host.fromPartial({ name: "hosts/alpha", via });
  await fixture.admin.unary(
    HostServiceService.updateHost,
    UpdateHostRequest.fromPartial({ host, updateMask: ["via"] }),
  );
}

test("a host is dialled through the ssh server that it names, and again after the server was away", async () => {
  const { fixture, server, via, again } = await rig();
  await using _ = fixture;
  await fixture.addHost("alpha");
  await fixture.hostState("alpha", HOST_STATE_READY);
  expect(server.logins).toBe(0);
  await setVia(fixture, via);
  await expect.poll(() => server.logins).toBe(1);
  await fixture.hostState("alpha", HOST_STATE_READY);
  expect(await fixture.host("alpha")).toMatchObject({ via });

  await server[Symbol.asyncDispose]();
  await expect
    .poll(async () => (await fixture.host("alpha")).reason)
    .toContain(`cannot reach zor@127.0.0.1:${server.port} by ssh`);
  const later = await again();
  fixture.defer(() => later[Symbol.asyncDispose]());
  await fixture.hostState("alpha", HOST_STATE_READY);
  await setVia(fixture, "");
  await fixture.hostState("alpha", HOST_STATE_READY);
});

test("what the agent's side of the server says is told as that", async () => {
  const { fixture, server, via } = await rig();
  await using _ = fixture;
  const { agent } = await fixture.addHost("alpha");
  await setVia(fixture, via);
  await fixture.hostState("alpha", HOST_STATE_READY);
  await agent.kill();
  await expect
    .poll(async () => (await fixture.host("alpha")).reason)
    .toContain(`zor@127.0.0.1:${server.port} cannot connect to ${agent.address}`);
  expect(server.logins).toBe(1);
});

test("a server that the hub's file does not allow, or that has another key, is never dialled", async () => {
  const { fixture, server, via, knownHosts } = await rig();
  await using _ = fixture;
  await fixture.addHost("alpha");
  const other = "ssh://zor@192.0.2.1:22";
  await expect(setVia(fixture, other)).rejects.toThrow(
    `host.via: the hub's configuration does not allow ${other}: it allows ${via}`,
  );
  await expect(setVia(fixture, "zor@192.0.2.1")).rejects.toThrow("is not of the form ssh://user@host:port");
  await expect(
    fixture.admin.unary(
      HostServiceService.createHost,
      CreateHostRequest.fromPartial({ hostId: "beta", host: { via } }),
    ),
  ).rejects.toThrow("host.addresses: say where the agent listens");
  await writeFile(knownHosts, `[127.0.0.1]:${server.port} ecdsa-sha2-nistp256 ${newKey().public.toString("base64")}\n`);
  await setVia(fixture, via);
  await expect.poll(async () => (await fixture.host("alpha")).reason).toContain("shows another key");
  expect(server.logins).toBe(0);
});
