import { describe, expect, it } from "vitest";
import { exposeCommands } from "../../../../tui/kinds/expose/flags.js";

const input = (words: readonly string[], values: object, name = "exposes/web-80") => ({
  name,
  words,
  values: values as Readonly<Record<string, unknown>>,
  current: () => Promise.reject(new Error("there is none")),
  resolve: async (_kind: string, text: string) => `hosts/${text.replace("/", "/instances/")}`,
});

describe("zor expose", () => {
  const { create } = exposeCommands;

  it.each([
    ["alpha/web:80", {}, "web-80"],
    ["web:80", {}, "web-80"],
    ["hosts/alpha/instances/web:8080", {}, "web-8080"],
    ["alpha/web:80", { name: "site" }, "site"],
  ])("calls what leads to %s %j %s", (server, values, name) => {
    expect(create?.nameOf?.([server], values)).toBe(name);
  });

  it.each([
    [{}, { listen: "" }],
    [{ listen: "127.0.0.1:8080" }, { listen: "127.0.0.1:8080" }],
    [{ listen: "8080" }, { listen: "127.0.0.1:8080" }],
    [
      { to: "10.0.0.2", nic: "eth1" },
      { address: "10.0.0.2", nic: "eth1" },
    ],
    [
      { maxConnections: "7", idleTimeout: "5m" },
      { maxConnections: 7, idleTimeout: { seconds: 300n, nanos: 0 } },
    ],
  ])("reads %j", async (values, spec) => {
    expect(await create?.read(input(["alpha/web:80"], values))).toMatchObject({
      spec: { instance: "hosts/alpha/instances/web", port: 80, ...spec },
    });
  });

  it.each([
    ["alpha/web", {}, "INSTANCE:PORT"],
    ["alpha/web:", {}, "server"],
    ["alpha/web:70000", {}, "server"],
    ["alpha/web:80", { listen: "x" }, "--listen"],
    ["alpha/web:80", { maxConnections: "1025" }, "--max-connections"],
    ["alpha/web:80", { idleTimeout: "5" }, "--idle-timeout"],
    ["alpha/web:80", { name: "other" }, "--name"],
  ])("refuses %s %j", async (server, values, why) => {
    await expect((async () => create?.read(input([server], values)))()).rejects.toThrow(why);
  });
});

it("changes only what is said", async () => {
  const { set } = exposeCommands;
  expect(await set?.read(input([], { port: "81", to: false, nic: false }))).toEqual({
    resource: { spec: { port: 81 } },
    paths: ["spec.port", "spec.address", "spec.nic"],
  });
  expect(await set?.read(input([], { nic: "eth1", maxConnections: "0" }))).toEqual({
    resource: { spec: { nic: "eth1", maxConnections: 0 } },
    paths: ["spec.nic", "spec.max_connections"],
  });
});
