import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { runOwned } from "../../helpers/owned.js";
import type { TestDemo } from "../test-demo.js";

const script = resolve(import.meta.dirname, "../foreign-client.py");

/** A Python client with no proto file works with the hub over mutual TLS. */
export function describeForeignClient(demo: () => TestDemo): void {
  const call = async (...argv: string[]): Promise<Record<string, unknown>> => {
    const { hub } = await demo().status();
    const identity = join(hub.stateDirectory, "admin");
    const result = await runOwned("/usr/bin/python3", ["-B", script, hub.address, identity, ...argv]);
    expect(result.stderr).toBe("");
    expect(result.exitCode).toBe(0);
    return JSON.parse(result.stdout) as Record<string, unknown>; // one JSON object, whose fields are asserted below
  };

  describe("a Python client that knows no proto file", () => {
    it("lists the services and the instances of both hosts", async () => {
      const { services, instances } = await call("list");
      expect(services).toEqual(
        expect.arrayContaining(["zor.v1.InstanceService", "zor.v1.LinkService", "grpc.health.v1.Health"]),
      );
      expect(instances).toEqual(
        expect.arrayContaining(
          ["alpha/instances/vm1", "alpha/instances/box1", "beta/instances/vm2", "beta/instances/box2"].map((name) =>
            expect.objectContaining({ name: `hosts/${name}` }),
          ),
        ),
      );
    });

    it("starts an instance", async () => {
      await demo().must(["stop", "beta/box2"]);
      const { instance } = await call("start", "hosts/beta/instances/box2");
      expect(instance).toMatchObject({
        name: "hosts/beta/instances/box2",
        status: { state: "INSTANCE_STATE_RUNNING" },
      });
    });
  });
}
