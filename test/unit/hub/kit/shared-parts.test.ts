import { describe, expect, test } from "vitest";
import { handlersOf } from "../../../../hub/kit/handlers.js";
import { References } from "../../../../hub/kit/references.js";
import { Remarks } from "../../../../hub/kit/remarks.js";
import { HealthService } from "../../../../proto/gen/grpc/health/v1/health.js";

describe("remarks", () => {
  test("are told of when they change, each with its name", () => {
    const remarks = new Remarks();
    const told: (readonly string[])[] = [];
    remarks.onChange((names) => told.push(names));
    remarks.replace(
      new Map([
        ["links/a", "one"],
        ["links/b", "two"],
      ]),
    );
    remarks.replace(
      new Map([
        ["links/a", "one"],
        ["links/c", "three"],
      ]),
    );
    remarks.replace(
      new Map([
        ["links/c", "three"],
        ["links/a", "one"],
      ]),
    );
    expect(told).toEqual([
      ["links/a", "links/b"],
      ["links/b", "links/c"],
    ]);
    expect([remarks.of("links/a"), remarks.of("links/b")]).toEqual(["one", ""]);
  });
});

describe("references", () => {
  const dependents = (names: readonly string[], done: string[]) => ({
    of: (name: string) => (name === "hosts/a" ? names : []),
    planRemoval: (gone: readonly string[]) =>
      gone.map((key) => ({ type: "delete", collection: "links", key }) as const),
    removed: (gone: readonly string[]) => void done.push(...gone),
  });

  test("of all kinds are found, and removed together", () => {
    const [references, done] = [new References(), [] as string[]];
    references.add("link", dependents(["links/l1"], done));
    references.add("lab", dependents(["labs/x", "labs/y"], done));
    const found = references.dependentsOf("hosts/a");
    expect(found.names).toEqual(["links/l1", "labs/x", "labs/y"]);
    expect(found.kind).toBe("link");
    expect(found.changes).toHaveLength(3);
    found.removed();
    expect(done).toEqual(found.names);
  });

  test("are none of what nothing refers to", () => {
    const references = new References();
    references.add("link", dependents(["links/l1"], []));
    expect(references.dependentsOf("hosts/b")).toMatchObject({ names: [], kind: "", changes: [] });
  });
});

test("handlers are filed by the path of their method", () => {
  const handlers = handlersOf(HealthService, { check: async () => ({ status: 1 }) });
  expect(Object.keys(handlers)).toEqual(["/grpc.health.v1.Health/Check"]);
});
