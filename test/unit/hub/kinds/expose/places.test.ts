import { once } from "node:events";
import { createServer } from "node:net";
import { status } from "@grpc/grpc-js";
import { expect, it, onTestFinished } from "vitest";
import { choosePlace, clash, type PlaceOptions } from "../../../../../hub/kinds/expose/places.js";
import { usualListen } from "../../../../../lib/listen-policy.js";

const choose = (more: Partial<PlaceOptions>) =>
  choosePlace({
    ...{ name: "exposes/e", listen: "", allowed: usualListen },
    ...{ isOwn: () => false, holderOf: () => undefined, ...more },
  });

/** A port that another program listens at. */
async function taken(): Promise<number> {
  const server = createServer().listen({ host: "127.0.0.1", port: 0 });
  onTestFinished(() => void server.close());
  await once(server, "listening");
  const address = server.address();
  return typeof address === "object" ? (address?.port ?? 0) : 0;
}

it("finds a free port where that is asked for, of those that are given to nobody by chance", async () => {
  for (const listen of ["", "127.0.0.1:0"]) {
    const [host, port] = (await choose({ listen })).split(":");
    expect(host).toBe("127.0.0.1");
    expect(Number(port)).toBeGreaterThanOrEqual(20_000);
    expect(Number(port)).toBeLessThanOrEqual(32_767);
  }
});

it("passes over what exposes and the hub itself have, and says when there is none left", async () => {
  const port = await taken();
  const allowed = [{ address: "127.0.0.1", first: port, last: port }];
  await expect(choose({ allowed })).rejects.toMatchObject({
    reason: "NO_FREE_PORT",
    message: expect.stringContaining("another program listens there"),
  });
  await expect(choose({ allowed, holderOf: () => "exposes/other" })).rejects.toMatchObject({ reason: "NO_FREE_PORT" });
  await expect(choose({ allowed, isOwn: () => true })).rejects.toMatchObject({ reason: "NO_FREE_PORT" });
});

it.each(["127.0.0.1:80", "0.0.0.0:8080", "192.0.2.1:8080", "192.0.2.1:0"])("is not allowed %s", async (listen) => {
  await expect(choose({ listen })).rejects.toMatchObject({
    code: status.PERMISSION_DENIED,
    message: expect.stringContaining("exposeListen"),
  });
});

it("is allowed nothing where the setting says nothing", async () => {
  await expect(choose({ allowed: [] })).rejects.toMatchObject({ code: status.PERMISSION_DENIED });
});

it("says why a port cannot be listened at", async () => {
  const reason = "CANNOT_LISTEN";
  await expect(choose({ listen: `127.0.0.1:${await taken()}` })).rejects.toMatchObject({
    reason,
    message: expect.stringMatching(/another program listens there; choose another$/),
  });
  const allowed = [{ address: "192.0.2.1", first: 1024, last: 65_535 }];
  await expect(choose({ allowed, listen: "192.0.2.1:8080" })).rejects.toMatchObject({
    reason,
    message: expect.stringContaining("does not have that address"),
  });
  await expect(choose({ listen: "127.0.0.1:7440", isOwn: () => true })).rejects.toMatchObject({
    reason,
    message: expect.stringContaining("the hub itself"),
  });
  await expect(choose({ listen: "127.0.0.1:7440", holderOf: () => "exposes/other" })).rejects.toMatchObject({
    reason,
    message: expect.stringContaining("exposes/other listens there"),
  });
});

it.each([
  ["127.0.0.1:80", "127.0.0.1:80", true],
  ["127.0.0.1:80", "0.0.0.0:80", true],
  ["127.0.0.1:80", "127.0.0.1:81", false],
  ["127.0.0.1:80", "192.0.2.1:80", false],
])("tells whether %s and %s clash", (one, other, clashes) => {
  expect(clash(one, other)).toBe(clashes);
  expect(clash(other, one)).toBe(clashes);
});
