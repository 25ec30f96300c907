import { describe, expect, it } from "vitest";
import { checkSpec } from "../../../../../agent/kinds/instance/spec-check.js";
import { InstanceSpec } from "../../../../../proto/gen/zor/v1/instance.js";
import { FakeDriver } from "../../../../fakes/driver.js";

const limits = { cpus: 4, memoryMib: 1024 };
const drivers = [new FakeDriver(), new FakeDriver({ kind: "qemu", options: { case: "qemu" }, network: "own" })];

function violationsOf(spec: object): readonly { readonly field: string; readonly description: string }[] {
  return checkSpec("instance.spec", InstanceSpec.fromJSON(spec), { limits, uid: "u1", drivers }).violations;
}

describe("the size of an instance, of whatever driver", () => {
  it.each([
    [{ cpus: 0 }, "instance.spec.cpus"],
    [{ cpus: -1 }, "instance.spec.cpus"],
    [{ cpus: 5 }, "instance.spec.cpus"],
    [{ cpus: 1.5 }, "instance.spec.cpus"],
    [{ memoryMib: "0" }, "instance.spec.memory_mib"],
    [{ memoryMib: "-1" }, "instance.spec.memory_mib"],
    [{ memoryMib: "1025" }, "instance.spec.memory_mib"],
    [{ memoryMib: String(2n ** 40n) }, "instance.spec.memory_mib"],
  ])("is refused when it is %j", (size, field) => {
    for (const driver of [{ crun: {} }, { qemu: {} }]) {
      expect(violationsOf({ ...size, ...driver }).map((violation) => violation.field)).toEqual([field]);
    }
  });

  it("may be all that the host has, and has a default", () => {
    expect(violationsOf({ cpus: 4, memoryMib: "1024", crun: {} })).toEqual([]);
    const { spec } = checkSpec("instance.spec", InstanceSpec.fromJSON({ crun: {} }), { limits, uid: "u1", drivers });
    expect(spec).toMatchObject({ cpus: 1, memoryMib: 128n });
  });
});

describe("the driver of an instance", () => {
  it("must be named, and the refusal names those that there are", () => {
    expect(violationsOf({})).toEqual([
      { field: "instance.spec.driver", description: "must be set: crun or qemu, with that driver's options" },
    ]);
  });

  it("that has a network of its own takes no NICs", () => {
    expect(violationsOf({ qemu: {}, nics: [{}] })).toEqual([
      { field: "instance.spec.nics", description: expect.stringMatching(/^must be empty: .* driver qemu/) },
    ]);
    expect(violationsOf({ qemu: {} })).toEqual([]);
    expect(violationsOf({ crun: {}, nics: [{}] })).toEqual([]);
  });
});
