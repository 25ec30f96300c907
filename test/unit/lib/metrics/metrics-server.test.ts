import { X509Certificate } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { MetricsServer } from "../../../../lib/metrics/metrics-server.js";
import type { Identity } from "../../../../lib/tls/identity.js";
import { hubServerName } from "../../../../lib/tls/join.js";
import { Role } from "../../../../proto/gen/zor/v1/token_service.js";
import { runTag } from "../../../helpers/run-tag.js";
import { TestIdentities } from "../../../helpers/test-identities.js";

let directory: string;
let server: MetricsServer;
let port: number;
let hub: Identity;
let ids: TestIdentities;
const revoked = new Set<string>();

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), `${runTag}-metrics-`));
  ids = await TestIdentities.create(directory);
  hub = (await ids.issue({ kind: "hub", id: "hub", role: Role.ROLE_UNSPECIFIED })).identity;
  const tokenFile = join(directory, "token");
  await writeFile(tokenFile, "open-sesame\n");
  server = new MetricsServer({
    identity: hub,
    tokenFile,
    isRevoked: (serial) => revoked.has(serial),
    read: async function* () {
      for (let index = 0; index < 100; index += 1) yield `zor_test{at="${index}"} ${index}\n`;
    },
    onError: () => undefined,
  });
  port = await server.bind("127.0.0.1:0");
});

afterAll(async () => {
  await server.close();
  await rm(directory, { recursive: true });
});

interface Asked {
  readonly identity?: Identity;
  readonly token?: string;
  readonly path?: string;
  readonly method?: string;
}

function ask({ identity, token, path = "/metrics", method = "GET" }: Asked): Promise<{ code: number; text: string }> {
  return new Promise((resolve, reject) => {
    const own = identity === undefined ? {} : { key: identity.keyPem, cert: identity.certificatePem };
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const options = { host: "127.0.0.1", port, path, method, ca: hub.caPem, servername: hubServerName, agent: false };
    const sent = request({ ...options, headers, ...own }, (answer) => {
      let text = "";
      answer.setEncoding("utf8").on("data", (part: string) => {
        text += part;
      });
      answer.on("end", () => resolve({ code: answer.statusCode ?? 0, text }));
    });
    sent.on("error", reject);
    sent.end();
  });
}

async function person(role: Role): Promise<Identity> {
  return (await ids.issue({ kind: "user", id: "ana", role })).identity;
}

it("gives all of it to who shows the token, or the certificate of somebody with a role", async () => {
  const { code, text } = await ask({ token: "open-sesame" });
  expect([code, text.split("\n").length]).toEqual([200, 101]);
  expect((await ask({ identity: await person(Role.ROLE_VIEWER) })).code).toBe(200);
});

it("gives nothing to anybody else", async () => {
  expect((await ask({})).code).toBe(401);
  expect((await ask({ token: "open-sesam" })).code).toBe(401);
  const host = (await ids.issue({ kind: "host", id: "alpha", role: Role.ROLE_UNSPECIFIED })).identity;
  expect((await ask({ identity: host })).code).toBe(401);
  const others = await TestIdentities.create(directory);
  const { identity: stranger } = await others.issue({ kind: "user", id: "ana", role: Role.ROLE_ADMIN });
  expect((await ask({ identity: stranger })).code).toBe(401);
  const former = await person(Role.ROLE_ADMIN);
  revoked.add(new X509Certificate(former.certificatePem).serialNumber);
  expect((await ask({ identity: former })).code).toBe(401);
});

it("has one page, which is only read", async () => {
  expect((await ask({ token: "open-sesame", path: "/" })).code).toBe(404);
  expect((await ask({ token: "open-sesame", path: "/metrics?x=1" })).code).toBe(200);
  expect((await ask({ token: "open-sesame", method: "POST" })).code).toBe(405);
});
