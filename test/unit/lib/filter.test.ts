import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ZorError } from "../../../lib/errors.js";
import { parseFilter } from "../../../lib/list/filter.js";

const vm = {
  name: "hosts/alpha/instances/vm1",
  labels: { site: "lab1", "a.b/c": "dotted" },
  spec: { memoryMib: "512", cpus: 2, nics: [{ lan: "lan1" }, { lan: "lan2" }], qemu: { machine: "q35" } },
  status: { state: "INSTANCE_STATE_RUNNING", execReady: true },
};

describe("filters", () => {
  it.each([
    ["", true],
    ["vm1", true],
    ["vm2", false],
    ["status.state = RUNNING", true],
    ["status.state = running", true],
    ["status.state = INSTANCE_STATE_RUNNING", true],
    ["status.state != RUNNING", false],
    ["status.state = UNNING", false],
    ["spec.memory_mib >= 512", true],
    ["spec.memoryMib > 512", false],
    ["spec.memory_mib < 1000", true],
    ["spec.nics.lan = lan2", true],
    ["spec.nics.lan = lan3", false],
    ["spec.nics.lan != lan2", false],
    ['labels.site = "lab1"', true],
    ["labels.a.b/c = dotted", true],
    ["labels.missing = x", false],
    ["labels.missing != x", true],
    ["status.exec_ready = true", true],
    ["status.absent = false", true],
    ["name : alpha", true],
    ["NOT name : beta", true],
    ["(name : beta OR spec.cpus = 2) AND status.state = RUNNING", true],
    ["spec.cpus = 2 status.state = STOPPED", false],
    ["name : beta OR name : gamma OR spec.cpus > 1", true],
  ])("%j is %s for the instance", (filter, expected) => {
    expect(parseFilter(filter)(vm)).toBe(expected);
  });

  it.each([
    "(",
    ")",
    "a =",
    "= a",
    "a = (b)",
    'a = "open',
    "a AND",
    "OR",
    "a ! b",
    "NOT",
    `${"(".repeat(30)}a${")".repeat(30)}`,
  ])("%j is refused with the place", (filter) => {
    expect(() => parseFilter(filter)).toThrow(/^filter: /);
  });

  it("any text either parses to a matcher or is refused as a bad filter", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        try {
          expect(typeof parseFilter(text)(vm)).toBe("boolean");
        } catch (error) {
          expect(error).toBeInstanceOf(ZorError);
        }
      }),
    );
  });
});
