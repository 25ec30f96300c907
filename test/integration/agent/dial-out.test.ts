import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { createServer, type Server, type TLSSocket } from "node:tls";
import { afterEach, beforeEach, expect, it } from "vitest";
import { dialOutForever } from "../../../agent/dial-out.js";
import { IdentityHolder } from "../../../agent/identity-holder.js";
import { createLog } from "../../../lib/log.js";
import type { Identity } from "../../../lib/tls/identity.js";
import { TestPki } from "../../helpers/pki.js";

let directory: string;
let pki: TestPki;
let server: Server | undefined;
let parked: TLSSocket[];
let accepted: Duplex[];
let refusals: string[];
const abort: AbortController[] = [];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "zt-dial-"));
  pki = await TestPki.create(directory);
  parked = [];
  accepted = [];
  refusals = [];
});

afterEach(async () => {
  for (const each of abort.splice(0)) each.abort();
  for (const socket of [...parked, ...accepted]) socket.destroy();
  server?.close();
  await rm(directory, { recursive: true, force: true });
});

/** A hub's reverse listener that only keeps what connects. */
async function listen(identity: Identity, port = 0): Promise<number> {
  const { keyPem: key, certificatePem: cert, caPem: ca } = identity;
  const ALPNCallback = ({ protocols }: { protocols: string[] }): string | undefined => protocols[0];
  const made = createServer({ key, cert, ca, requestCert: true, minVersion: "TLSv1.3", ALPNCallback }, (socket) => {
    parked.push(socket);
    socket
      .on("error", () => undefined)
      .on("close", () => {
        parked = parked.filter((each) => each !== socket);
      });
  });
  server = made;
  made.listen(port, "127.0.0.1");
  await once(made, "listening");
  // A listening TCP server's address is of this type.
  return (made.address() as AddressInfo).port;
}

async function dialOut(port: number): Promise<void> {
  const ending = new AbortController();
  abort.push(ending);
  const identity = new IdentityHolder(await pki.host("far"));
  const log = createLog("test", { write: () => undefined });
  const accept = (socket: Duplex): void => {
    accepted.push(socket);
  };
  void dialOutForever(
    { identity, addresses: [`127.0.0.1:${port}`], accept, log, boot: "boot-1", onRefused: (why) => refusals.push(why) },
    ending.signal,
  );
}

it("keeps two connections waiting, hands over one that is wanted with its first byte unread, and opens another", async () => {
  await dialOut(await listen(await pki.hub()));
  await expect.poll(() => parked.length).toBe(2);
  parked[0]?.write("x");
  await expect.poll(() => accepted.length).toBe(1);
  expect(accepted[0]?.read()?.toString()).toBe("x");
  await expect.poll(() => parked.length).toBe(3);
});

it("is told why it is not used, and comes again more and more slowly", async () => {
  const port = await listen(await pki.hub());
  let comes = 0;
  const boots = new Set<string | false | null>();
  server?.on("secureConnection", (socket) => {
    comes += 1;
    boots.add(socket.alpnProtocol);
    socket.end(`refused: two live agents\u001b[2J\n`);
  });
  await dialOut(port);
  await expect.poll(() => refusals.length, { timeout: 60_000 }).toBeGreaterThan(3);
  expect(new Set(refusals)).toEqual(new Set(["two live agents [2J"]));
  expect(accepted).toEqual([]);
  // Two connections, each waiting longer every time: far from a circle without a pause.
  expect(comes).toBeLessThan(refusals.length + 4);
  expect(boots).toEqual(new Set(["zor-boot/boot-1"]));
});

it("dials again when the hub was away", async () => {
  const hub = await pki.hub();
  const port = await listen(hub);
  await dialOut(port);
  await expect.poll(() => parked.length).toBe(2);
  server?.close();
  for (const socket of parked) socket.destroy();
  await expect.poll(() => parked.length).toBe(0);
  await listen(hub, port);
  await expect.poll(() => parked.length, { timeout: 60_000 }).toBe(2);
  expect(accepted).toEqual([]);
});

it("hands nothing to somebody who is not the hub", async () => {
  const port = await listen(await pki.host("impostor"));
  await dialOut(port);
  let attempts = 0;
  server?.on("secureConnection", (socket) => {
    attempts += 1;
    socket.write("x");
  });
  server?.on("tlsClientError", () => {
    attempts += 1;
  });
  await expect.poll(() => attempts, { timeout: 60_000 }).toBeGreaterThan(2);
  expect(accepted).toEqual([]);
});
