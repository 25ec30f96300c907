import { randomBytes, randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { type AddressInfo, connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import type { CableIdentity } from "../../../agent/engine/protocol/cable-identity.js";
import { acceptSecure, connectSecure } from "../../../agent/engine/handshake/secure-channel.js";
import { ensureCableIdentity } from "../../../agent/cable/ensure-cable-identity.js";
import { eventually } from "../../helpers/eventually.js";
import { LoopbackHost } from "./loopback-host.js";
import { endSpec } from "../../helpers/engine-words.js";

async function makeHost(): Promise<{ readonly host: LoopbackHost; readonly peer: CableIdentity }> {
  const host = await LoopbackHost.make();
  onTestFinished(() => host[Symbol.asyncDispose]());
  const directory = await mkdtemp(join(tmpdir(), "zt-c2c-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return { host, peer: await ensureCableIdentity(directory, () => undefined) };
}

function specFor(peer: CableIdentity, options: { readonly role: "listener" | "dialer"; readonly port?: number }) {
  return {
    link: "links/demo",
    linkUid: randomUUID(),
    lan: "lan1",
    role: options.role,
    peerAddresses: options.port === undefined ? [] : [`127.0.0.1:${options.port}`],
    peerKeySha256: peer.keySha256.toString("hex"),
    ticket: randomBytes(32).toString("hex"),
    ticketTtlSeconds: 60,
  };
}

test.each([
  [
    "refuses this one's version",
    { refusal: { kind: "version", message: "cable protocol 1 is not spoken here, only 2" } },
  ],
  ["answers in a way of its own", { welcome2: { proof: "" } }],
])("a dialer whose peer %s says that the versions do not fit", async (_what, reply) => {
  const { host, peer } = await makeHost();
  const { signal } = new AbortController();
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    void acceptSecure(socket, peer, signal)
      .then(async (channel) => {
        await channel.receive(signal);
        channel.send(reply);
      })
      .catch(() => socket.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  // A server that listens on an IP address has one.
  const { port } = server.address() as AddressInfo;
  await host.cables.ensureEnd(endSpec(specFor(peer, { role: "dialer", port })));
  await eventually(() => expect(host.end()).toMatchObject({ phase: "down", cause: "version", direct: true }));
});

test("a listener tells a dialer of another version that it speaks another", async () => {
  const { host, peer } = await makeHost();
  const { linkUid } = (await host.cables.ensureEnd(endSpec(specFor(peer, { role: "listener" })))).status;
  await eventually(() => expect(host.end().tap.ready).toBe(true));
  const { port, keySha256 } = host.cables.identity();
  const { signal } = new AbortController();
  const socket = connect({ host: "127.0.0.1", port });
  onTestFinished(() => void socket.destroy());
  await once(socket, "connect");
  const channel = await connectSecure({ socket, identity: peer, peerKeySha256: keySha256, signal });
  channel.send({ version: 2, linkUid, greetings: "from the future" });
  expect(await channel.receive(signal)).toMatchObject({ refusal: { kind: "version" } });
});
