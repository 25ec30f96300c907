import type { DescField, DescMessage } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ZorError } from "../../../lib/errors.js";
import { descriptors } from "../../../lib/grpc/descriptors.js";
import { parseFilter } from "../../../lib/list/filter.js";
import { parseOrder } from "../../../lib/list/order.js";
import { Host } from "../../../proto/gen/zor/v1/host.js";
import { Instance } from "../../../proto/gen/zor/v1/instance.js";
import { Link } from "../../../proto/gen/zor/v1/link.js";
import { Operation } from "../../../proto/gen/zor/v1/operation.js";

const vm = Instance.fromJSON({
  name: "hosts/alpha/instances/vm1",
  labels: { site: "lab1", "a.b/c": "dotted", "with:colon": "x", empty: "" },
  spec: {
    memoryMib: "512",
    cpus: 2,
    nics: [
      { lan: "lan1", addresses: ["10.77.0.22", "fd00::1"] },
      { lan: "lan2", addresses: [] },
    ],
    qemu: { machine: "q35" },
  },
  status: { state: "INSTANCE_STATE_RUNNING", execReady: true, startTime: "2026-03-04T05:06:07.500Z" },
  createTime: "2026-01-01T00:00:00Z",
});
const bare = Instance.fromJSON({ name: "hosts/alpha/instances/bare" });
const link = Link.fromJSON({
  name: "links/l1",
  status: { rtt: { seconds: "0", nanos: 4_200_000 }, state: "LINK_STATE_ACTIVE", lossRatio: 0.25 },
});
const others = {
  link: { type: "zor.v1.Link", resource: link },
  operation: { type: "zor.v1.Operation", resource: Operation.fromPartial({ progressPercent: 60 }) },
  host: { type: "zor.v1.Host", resource: Host.fromJSON({ name: "hosts/h1", summary: { instances: { RUNNING: 3 } } }) },
};

describe("a filter of instances", () => {
  it.each([
    ["", true],
    ["vm1", true],
    ["vm2", false],
    ["status.state = RUNNING", true],
    ["status.state = running", true],
    ["status.state : running", true],
    ["status.state = INSTANCE_STATE_RUNNING", true],
    ["status.state != RUNNING", false],
    ["status.state != STOPPED", true],
    ["spec.memory_mib >= 512", true],
    ["spec.memoryMib > 512", false],
    ["spec.memory_mib > 511.5", true],
    ["spec.memory_mib < 1000", true],
    ["spec.memory_mib < 99999999999999999999999", true],
    ["spec.nics.lan = lan2", true],
    ["spec.nics.lan = lan3", false],
    ["spec.nics.lan != lan2", false],
    ["spec.nics.lan != lan3", true],
    ['spec.nics.addresses : "10.77.0.22"', true],
    ["spec.nics.addresses : 10.77.0.22", true],
    ["spec.nics.addresses = 10.77.0.2", false],
    ['spec.nics.addresses = "fd00::1"', true],
    ["spec.nics : *", true],
    ["spec.nics.addresses : *", true],
    ['labels.site = "lab1"', true],
    ["labels.site : LAB", true],
    ["labels : site", true],
    ["labels : lab1", false],
    ["labels : constructor", false],
    ["labels.constructor : *", false],
    ["labels : *", true],
    ["labels.site : *", true],
    ["labels.empty : *", false],
    ["labels : empty", true],
    ["NOT labels : absent", true],
    ["labels.a.b/c = dotted", true],
    ['labels."a.b/c" = dotted', true],
    ['labels."with:colon" = x', true],
    ['labels : "a.b/c"', true],
    ["labels.missing = x", false],
    ["labels.missing != x", true],
    ["spec.qemu.machine = q35", true],
    ["spec.qemu : *", true],
    ["spec.crun : *", false],
    ["spec.crun != *", true],
    ["spec.crun.rootfs : *", false],
    ["status.exec_ready = true", true],
    ["status.exec_ready != true", false],
    ["status.start_time > 2026-03-04", true],
    ['status.start_time < "2026-03-04T05:06:07.501Z"', true],
    ['status.start_time = "2026-03-04T06:06:07.500+01:00"', true],
    ['status.start_time <= "2026-03-04 05:06:07Z"', false],
    ['create_time >= "2026-01-01T00:00:00Z"', true],
    ["status.start_time : *", true],
    ["name : alpha", true],
    ["NOT name : beta", true],
    ["(name : beta OR spec.cpus = 2) AND status.state = RUNNING", true],
    ["spec.cpus = 2 status.state = STOPPED", false],
    ["name : beta OR name : gamma OR spec.cpus > 1", true],
  ])("%j is %s for vm1", (filter, expected) => {
    expect(parseFilter(filter, "zor.v1.Instance").matches(vm)).toBe(expected);
  });

  it.each([
    ["status.state = UNSPECIFIED", true],
    ["status.exec_ready = false", true],
    ["spec.cpus = 0", true],
    ["spec.cpus < 1", true],
    ['labels.site = ""', true],
    ["spec.nics.lan = lan1", false],
    ['spec.nics.lan = ""', false],
    ["spec.nics.lan != lan1", true],
    ["spec.qemu.machine = q35", false],
    ["status.start_time < 2030-01-01", false],
    ["status.start_time >= 1970-01-01", false],
    ["status.start_time != 2026-01-01", true],
    ["status : *", false],
    ["spec.nics : *", false],
  ])("%j is %s for an instance of which nothing is known", (filter, expected) => {
    expect(parseFilter(filter, "zor.v1.Instance").matches(bare)).toBe(expected);
  });
});

describe("a filter of other kinds", () => {
  it.each<[keyof typeof others, string, boolean]>([
    ["link", "status.rtt > 4ms", true],
    ["link", "status.rtt > 5ms", false],
    ["link", "status.rtt = 4200us", true],
    ["link", "status.rtt < 0.005s", true],
    ["link", "status.rtt_p99 < 5ms", false],
    ["link", "status.rtt_p99 != 5ms", true],
    ["link", "status.rtt : *", true],
    ["link", "status.loss_ratio >= .25", true],
    ["link", "status.loss_ratio < 2e-1", false],
    ["operation", "progress_percent >= 50", true],
    ["host", "summary.instances.RUNNING > 2", true],
    ["host", "summary.instances.STOPPED > 0", false],
    ["host", "summary.instances : RUNNING", true],
  ])("%s: %j is %s", (kind, filter, expected) => {
    const { type, resource } = others[kind];
    expect(parseFilter(filter, type).matches(resource)).toBe(expected);
  });
});

describe("a bad filter", () => {
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
    "name = = b",
    ".name = a",
    "name. = a",
    "status..state = RUNNING",
    `${"(".repeat(30)}a${")".repeat(30)}`,
    "a".repeat(2001),
  ])("%j is refused with the place", (filter) => {
    expect(() => parseFilter(filter, "zor.v1.Instance")).toThrow(/^filter: /);
  });

  it.each([
    ["spec.memory = 5", /"spec\.memory" is not a field; .*spec has .*memory_mib/],
    ["spec.nisc.lan = a", /"spec\.nisc\.lan" is not a field; did you mean "spec\.nics"\?/],
    ["stat = RUNNING", /"stat" is not a field; instances have name, uid, .*status/],
    ["spec.driver = qemu", /spec has .*qemu, crun, .*other/],
    ["name.first = a", /"name" has no fields of its own/],
    ["labels.a = b AND labels = a", /labels is a map: "labels\.KEY = VALUE"/],
    ["spec.qemu = a", /spec\.qemu consists of fields; compare one of spec\.qemu\./],
    ["spec.nics = lan1", /spec\.nics consists of fields; compare one of spec\.nics\./],
    ["status.state = RUNING", /"RUNING" is not a value of status\.state; did you mean RUNNING\?/],
    ["status.state = UNNING", /its values are UNSPECIFIED, .* and /],
    ["status.state > RUNNING", /status\.state has no order/],
    ["status.exec_ready = yes", /status\.exec_ready is compared with true or false, not with "yes"/],
    ["status.exec_ready < true", /is true or false/],
    ["spec.cpus = two", /spec\.cpus is compared with a number, not with "two"/],
    ["create_time > yesterday", /create_time is compared with a time such as/],
    ["create_time > 2026-13-45", /create_time is compared with a time such as/],
    ["create_time > 2026-01-01T00:00:00Z", /unexpected ":".*written in quotes/],
    ["spec.cpus < *", /"\*" stands for any value/],
  ])("%j says what is wrong", (filter, message) => {
    expect(() => parseFilter(filter, "zor.v1.Instance")).toThrow(message);
  });

  it("says which times a duration is compared with", () => {
    expect(() => parseFilter("status.rtt > 5", "zor.v1.Link")).toThrow(
      /status\.rtt is compared with a time such as 200us/,
    );
  });
});

describe("any filter and order", () => {
  const types = ["Host", "Instance", "Lan", "Link", "A2b", "Operation", "Event"].map((name) => `zor.v1.${name}`);
  const word = fc.oneof(
    fc.constantFrom(
      "name",
      "labels",
      "labels.a.b",
      "spec",
      "spec.nics.lan",
      "status.state",
      "create_time",
      "status.rtt",
    ),
    fc.constantFrom(
      "RUNNING",
      "true",
      "5",
      "5ms",
      "2026-01-01",
      '"x y"',
      "*",
      "AND",
      "OR",
      "NOT",
      "(",
      ")",
      "__proto__",
    ),
    fc.constantFrom("=", "!=", "<", ">", ">=", ":", "."),
    fc.string(),
  );
  const text = fc.oneof(
    fc.string(),
    fc.array(word, { maxLength: 12 }).map((words) => words.join(" ")),
    fc.tuple(word, word, word).map((words) => words.join("")),
  );
  const resources = [vm, bare, link, {}, undefined];

  it("either works or is refused as a bad one", () => {
    fc.assert(
      fc.property(text, fc.constantFrom(...types), (written, type) => {
        try {
          const filter = parseFilter(written, type);
          for (const resource of resources) expect(typeof filter.matches(resource)).toBe("boolean");
        } catch (error) {
          expect(error).toBeInstanceOf(ZorError);
        }
        try {
          const order = parseOrder(written, type);
          for (const resource of [vm, bare, link]) expect(order.valueOf(resource)).not.toBeNaN();
        } catch (error) {
          expect(error).toBeInstanceOf(ZorError);
        }
      }),
      { numRuns: 3000 },
    );
  });
});

describe("fields", () => {
  /** Paths of all fields that lie in a message, a few levels deep. */
  function paths(message: DescMessage, depth = 4): string[] {
    return message.fields.flatMap((field: DescField) => {
      const inner = field.fieldKind === "map" ? undefined : field.message;
      const isTime = /^google\.protobuf\.(Timestamp|Duration)$/.test(inner?.typeName ?? "");
      if (inner === undefined || isTime || depth === 0) return [field.name];
      return [field.name, ...paths(inner, depth - 1).map((rest) => `${field.name}.${rest}`)];
    });
  }

  it.each(["Host", "Instance", "Lan", "Link", "A2b", "Operation", "Event"])("of %s can all be asked for", (name) => {
    const message = descriptors().registry.getMessage(`zor.v1.${name}`);
    if (message === undefined) throw new Error(name);
    for (const path of paths(message)) {
      expect(() => parseFilter(`${path} : *`, message.typeName), path).not.toThrow();
    }
  });

  it("tells which top-level fields are looked at", () => {
    const { fields } = parseFilter(
      "spec.qemu.machine = q35 OR labels.a = b AND (vm OR create_time : *)",
      "zor.v1.Instance",
    );
    expect(fields).toEqual(new Set(["spec", "labels", "name", "createTime"]));
    expect(parseOrder("status.state", "zor.v1.Instance").fields).toEqual(new Set(["status"]));
  });
});

describe("an order", () => {
  it.each<[string, "vm" | "bare", string | number]>([
    ["name", "vm", "hosts/alpha/instances/vm1"],
    ["spec.cpus", "vm", 2],
    ["spec.memory_mib desc", "vm", 512],
    ["spec.memoryMib asc", "bare", 0],
    ["status.state", "vm", "RUNNING"],
    ["status.state", "bare", "UNSPECIFIED"],
    ["status.exec_ready", "vm", 1],
    ["labels.site", "vm", "lab1"],
    ['labels."with:colon"', "vm", "x"],
    ["create_time", "vm", Date.parse("2026-01-01")],
    ["create_time", "bare", ""],
    ["spec.qemu.machine", "vm", "q35"],
  ])("by %j", (orderBy, resource, value) => {
    expect(parseOrder(orderBy, "zor.v1.Instance").valueOf({ vm, bare }[resource])).toBe(value);
  });

  it.each<[string, readonly (string | number)[], readonly boolean[]]>([
    ["status.state desc,name", ["RUNNING", "hosts/alpha/instances/vm1"], [true, false]],
    [" host , mem DESC ", ["alpha", 512], [false, true]],
    ['labels."with:colon" asc, spec.cpus desc, uid', ["x", 2, ""], [false, true, false]],
  ])("by several fields, %j", (orderBy, values, descending) => {
    const order = parseOrder(orderBy, "zor.v1.Instance");
    expect(order.valueOf(vm)).toEqual(values);
    expect(order.descending).toEqual(descending);
  });

  it("tells where it is wrong", () => {
    const metadata = { column: "11", length: "4" };
    expect(() => parseOrder("mem desc, nmae", "zor.v1.Instance")).toThrow(expect.objectContaining({ metadata }));
  });

  it("by a duration goes by how long it is", () => {
    expect(parseOrder("status.rtt", "zor.v1.Link").valueOf(link)).toBeCloseTo(4.2);
  });

  it.each([
    ["", /ends where a field was expected, at column 1/],
    ["name up", /unexpected "up" at column 6, where "asc", "desc", a comma or the end was expected/],
    ["name desc,", /ends where a field was expected, at column 11/],
    ["name,,uid", /unexpected ",uid" at column 6/],
    ["a,b,c,d,e,f,g,h,i", /sorts by more than 8 fields/],
    ["x".repeat(2001), /is longer than 2000 characters/],
    ["nmae", /"nmae" is not a field; did you mean "name"\?/],
    ["spec.nics.lan", /spec\.nics\.lan can have several values/],
    ["spec", /spec is not one value/],
    ["labels", /labels is not one value/],
  ])("by %j is refused", (orderBy, message) => {
    expect(() => parseOrder(orderBy, "zor.v1.Instance")).toThrow(message);
    expect(() => parseOrder(orderBy, "zor.v1.Instance")).toThrow(/^order_by: /);
  });
});
