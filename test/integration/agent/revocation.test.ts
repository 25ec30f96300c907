import { X509Certificate } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { status } from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Identity } from "../../../lib/tls/identity.js";
import { AgentServiceService } from "../../../proto/gen/zor/agent/v1/agent_service.js";
import { HostServiceService } from "../../../proto/gen/zor/v1/host_service.js";
import { Role } from "../../../proto/gen/zor/v1/token_service.js";
import { WatchRequest, WatchServiceService } from "../../../proto/gen/zor/v1/watch_service.js";
import { ApiFixture, parent } from "./api-fixture.js";

let api: ApiFixture;
let thief: Identity;
beforeEach(async () => {
  api = await ApiFixture.start();
  thief = await api.pki.user("bob", Role.ROLE_ADMIN);
});
afterEach(() => api.close());

const serialOf = ({ certificatePem }: Identity): string => new X509Certificate(certificatePem).serialNumber;
const look = (identity: Identity) => api.connect(identity).unary(HostServiceService.getHost, { name: parent });
const refused = { code: status.UNAUTHENTICATED, reason: "CERTIFICATE_REVOKED" };

async function revoke(...revokedSerials: string[]): Promise<void> {
  const hub = api.connect(await api.pki.hub());
  await hub.unary(AgentServiceService.setRevocations, { revokedSerials });
}

describe("a certificate the hub has revoked", () => {
  it("is refused by the agent, and another of the same person is not", async () => {
    expect((await look(thief)).host?.name).toBe(parent);
    await revoke(serialOf(thief));
    await expect(look(thief)).rejects.toMatchObject(refused);
    expect((await look(await api.pki.user("bob", Role.ROLE_ADMIN))).host?.name).toBe(parent);
  });

  it("loses its open streams, and those of others go on", async () => {
    const watch = (identity: Identity) =>
      api.connect(identity).stream(WatchServiceService.watch, WatchRequest.fromPartial({ bookmarkSeconds: 1 }));
    const stolen = watch(thief)[Symbol.asyncIterator]();
    const others = watch(await api.pki.user("eve", Role.ROLE_VIEWER))[Symbol.asyncIterator]();
    expect((await stolen.next()).done).toBe(false);
    expect((await others.next()).done).toBe(false);
    await revoke(serialOf(thief));
    const toEnd = async () => {
      while ((await stolen.next()).done !== true);
    };
    await expect(toEnd()).rejects.toMatchObject(refused);
    expect((await others.next()).done).toBe(false);
    await others.return?.();
  });

  it("stays refused by an agent that starts without the hub, though one file is damaged", async () => {
    await revoke(serialOf(thief));
    await writeFile(join(api.state, "revoked.json"), "{");
    await api.restart();
    await expect(look(thief)).rejects.toMatchObject(refused);
    expect(await readFile(join(api.state, "revoked.json"), "utf8")).toContain(serialOf(thief));
  });

  it("is told with the greeting too, and only by a hub", async () => {
    const hub = api.connect(await api.pki.hub());
    const hello = {
      hubVersion: "9",
      minApiLevel: 1,
      maxApiLevel: 1,
      hub: "test",
      revokedSerials: [serialOf(thief)],
      refusal: "",
    };
    await hub.unary(AgentServiceService.hello, hello);
    await expect(look(thief)).rejects.toMatchObject(refused);
    const admin = api.connect(await api.pki.user("root", Role.ROLE_ADMIN));
    await expect(
      admin.unary(AgentServiceService.setRevocations, { revokedSerials: [], refusal: "" }),
    ).rejects.toMatchObject({
      code: status.PERMISSION_DENIED,
    });
    await expect(look(thief)).rejects.toMatchObject(refused);
  });

  it("stays refused when a list that is none, or too long, is refused", async () => {
    await revoke(serialOf(thief));
    const tooLong = Array.from({ length: 10_001 }, (_, index) => index.toString(16).toUpperCase());
    for (const list of [["../x"], tooLong]) {
      await expect(revoke(...list)).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
    }
    await expect(look(thief)).rejects.toMatchObject(refused);
  });
});
