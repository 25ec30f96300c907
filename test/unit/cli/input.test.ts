import { describe, expect, it } from "vitest";
import "../../extension/register.js";
import { kindNamed } from "../../../lib/kinds/kinds.js";
import { nearest } from "../../../lib/nearest.js";
import type { Instance } from "../../../proto/gen/zor/v1/instance.js";
import { Accelerator } from "../../../proto/gen/zor/v1/qemu.js";
import { parseNicWords } from "../../../tui/cli/input/nic-name.js";
import { parseResource } from "../../../tui/cli/input/resource-file.js";
import { parseNewName, resolveLocally } from "../../../tui/cli/resolve.js";
import { instanceSpec } from "../../../tui/kinds/instance/flags.js";
import { parseNic } from "../../../tui/kinds/instance/nic-flag.js";
import { parseAddress } from "../../../tui/kit/input/addresses.js";
import { parseDurationMs } from "../../../tui/kit/input/durations.js";
import { parsePairs } from "../../../tui/kit/input/key-values.js";
import { parseMemoryMib } from "../../../tui/kit/input/memory.js";
import type { FlagValues } from "../../../tui/kit/kind-commands.js";
import { EchoOptions } from "../../extension/gen/zor/test/v1/echo.js";

describe("memory", () => {
  it.each([
    ["256", 256n],
    ["256M", 256n],
    ["256m", 256n],
    ["256MiB", 256n],
    ["256MB", 256n],
    ["1G", 1024n],
    ["1.5G", 1536n],
    ["2T", 2_097_152n],
    ["0.5G", 512n],
  ])("%s is %i MiB", (text, mib) => {
    expect(parseMemoryMib("--memory", text)).toBe(mib);
  });

  it.each(["0", "0G", "-1", "1.5M", "", "G", "256K", "1e3", "256 M B", "0x10", "99999999999999"])(
    "%j is refused",
    (text) => {
      expect(() => parseMemoryMib("--memory", text)).toThrow(/--memory: .* is not an amount of memory/);
    },
  );
});

describe("times", () => {
  it.each([
    ["500ms", 500],
    ["10", 10_000],
    ["10s", 10_000],
    ["1.5s", 1500],
    ["15m", 900_000],
    ["24h", 86_400_000],
  ])("%s is %i ms", (text, milliseconds) => {
    expect(parseDurationMs("--ttl", text)).toBe(milliseconds);
  });

  it.each(["0", "-1s", "soon", "1d", "s", "0.1ms", "1000000h"])("%j is refused", (text) => {
    expect(() => parseDurationMs("--ttl", text)).toThrow("is not a time");
  });
});

describe("names", () => {
  it.each([
    ["instance", "alpha/vm1", undefined, "hosts/alpha/instances/vm1"],
    ["instance", "hosts/alpha/instances/vm1", undefined, "hosts/alpha/instances/vm1"],
    ["instance", "vm1", "alpha", "hosts/alpha/instances/vm1"],
    ["instance", "vm1", undefined, undefined],
    ["lan", "beta/lan1", "alpha", "hosts/beta/lans/lan1"],
    ["operation", "operations/o1", undefined, "operations/o1"],
    ["operation", "hosts/alpha/operations/o1", undefined, "hosts/alpha/operations/o1"],
    ["link", "demo", undefined, "links/demo"],
    ["link", "links/demo", undefined, "links/demo"],
    ["host", "alpha", undefined, "hosts/alpha"],
    ["host", "hosts/alpha", undefined, "hosts/alpha"],
  ] as const)("%s %s (--host %s) is %s", (kind, text, host, name) => {
    expect(resolveLocally(kindNamed(kind), text, host)).toBe(name);
  });

  it.each([
    ["instance", "alpha/-vm"],
    ["instance", "a,b/vm1"],
    ["instance", "a=b"],
    ["instance", "a\nb"],
    ["instance", "a\0b"],
    ["instance", ""],
    ["instance", "a/b/c"],
    ["instance", "links/demo"],
    ["instance", "hosts/alpha"],
    ["instance", "hosts/alpha/lans/lan1"],
    ["link", "a/b"],
    ["host", "alpha/vm1"],
    ["lan", "../lan1"],
    ["instance", "x".repeat(64)],
  ] as const)("%s %j is refused", (kind, text) => {
    expect(() => resolveLocally(kindNamed(kind), text)).toThrow(/not a valid name|not the name of|not a resource name/);
  });

  it("of something new need a host", () => {
    expect(parseNewName("alpha/vm1", kindNamed("instance"))).toEqual({
      parent: "hosts/alpha",
      id: "vm1",
      name: "hosts/alpha/instances/vm1",
    });
    expect(parseNewName("hosts/alpha/instances/vm1", kindNamed("instance")).name).toBe("hosts/alpha/instances/vm1");
    for (const text of ["vm1", "alpha/", "/vm1", "a/b/c", "alpha/-x", "hosts/alpha/lans/vm1"]) {
      expect(() => parseNewName(text, kindNamed("instance"))).toThrow();
    }
  });

  it("of NICs come as words or as one name", () => {
    expect(parseNicWords(["vm1", "eth0", "lan1"])).toEqual({ instance: "vm1", nic: "eth0", rest: ["lan1"] });
    expect(parseNicWords(["alpha/vm1/eth0", "lan1"])).toEqual({ instance: "alpha/vm1", nic: "eth0", rest: ["lan1"] });
    expect(parseNicWords(["hosts/a/instances/v/nics/e"])).toEqual({
      instance: "hosts/a/instances/v",
      nic: "e",
      rest: [],
    });
    expect(parseNicWords(["hosts/a/instances/v", "e"])).toEqual({
      instance: "hosts/a/instances/v",
      nic: "e",
      rest: [],
    });
    expect(() => parseNicWords(["alpha/vm1"])).toThrow("say which NIC");
  });
});

describe("nearest", () => {
  const words = ["instances", "lans", "links", "hosts", "operations"];
  it.each([
    ["instnces", "instances"],
    ["isntances", "instances"],
    ["lnks", "links"],
    ["host", "hosts"],
    ["frobnicate", undefined],
    ["x", undefined],
  ])("of %s is %s", (text, word) => {
    expect(nearest(text, words)).toBe(word);
  });
});

describe("instance flags", () => {
  const read = (values: FlagValues, words: readonly string[] = []) => instanceSpec({ values, words });

  it("choose the driver they need", () => {
    expect(read({ kernel: "micro" }).driver?.$case).toBe("qemu");
    expect(read({ rootfs: "micro" }).driver?.$case).toBe("crun");
    expect(() => read({ driver: "crun" })).toThrow("--rootfs");
    const engine = { image: ["debian:12"], pull: "always", env: ["A=b"], capAdd: ["SYS_ADMIN"] };
    for (const driver of ["docker", "podman"]) {
      expect(read({ ...engine, driver }, ["sleep", "1"]).driver).toMatchObject({
        $case: driver,
        value: {
          image: "debian:12",
          command: ["sleep", "1"],
          environment: { A: "b" },
          capabilities: { add: ["SYS_ADMIN"] },
        },
      });
    }
    expect(read({ podmanImage: "debian:12" }).driver?.$case).toBe("podman");
    expect(() => read({ dockerImage: "debian:12", pull: "often" })).toThrow("--pull");
    expect(() => read({ dockerImage: "debian:12", podmanImage: "debian:12" })).toThrow("does not go with");
    expect(() => read({ driver: "docker" })).toThrow("--docker-image");
    expect(() => read({ driver: "lxd" })).toThrow("qemu, crun, docker, podman and libvirt");
    expect(() => read({ driver: "qemu", rootfs: "micro" })).toThrow("--rootfs: does not go with the qemu driver");
    expect(() => read({ kernel: "micro" }, ["sh"])).toThrow("only containers");
  });

  it("set any option of a driver by its field, and say which there are", () => {
    expect(read({ driver: "qemu", option: ["kernel=micro", "accelerator=tcg"] }).driver).toMatchObject({
      $case: "qemu",
      value: { kernel: "micro", accelerator: Accelerator.ACCELERATOR_TCG },
    });
    expect(
      read({ rootfs: "frr", option: ["capabilities.add=SYS_ADMIN,SYS_TIME", "environment.A=b=c"] }).driver,
    ).toMatchObject({
      $case: "crun",
      value: { rootfs: "frr", capabilities: { add: ["SYS_ADMIN", "SYS_TIME"], drop: [] }, environment: { A: "b=c" } },
    });
    expect(() => read({ kernel: "micro", option: ["kernle=x"] })).toThrow(
      /--option: "kernle" is not a field; did you mean "kernel"\? options of qemus have machine, accelerator, kernel/,
    );
    expect(() => read({ kernel: "micro", option: ["accelerator=xen"] })).toThrow(/one of kvm or tcg/);
    expect(() => read({ rootfs: "frr", option: ["persistent=maybe"] })).toThrow(/true or false/);
    expect(() => read({ kernel: "micro", option: ["machine"] })).toThrow(/FIELD=VALUE/);
  });

  it("pack the options of a driver that the API has no field for", () => {
    const { driver } = read({ driver: "echo", option: ["greeting=hi there"] });
    expect(driver).toMatchObject({ $case: "other", value: { typeUrl: "type.googleapis.com/zor.test.v1.EchoOptions" } });
    const packed = driver?.$case === "other" ? driver.value.value : new Uint8Array();
    expect(EchoOptions.decode(packed)).toEqual({ greeting: "hi there" });
    expect(() => read({ driver: "echo", option: ["greetings=x"] })).toThrow(/did you mean "greeting"\?/);
  });

  it("describe disks", () => {
    const { driver } = read({
      image: ["a.qcow2"],
      disk: ["image=b.raw,size=10G", "image=c.raw,persistent=false"],
      persistent: true,
    });
    expect(driver).toMatchObject({
      value: {
        disks: [
          { image: "a.qcow2", persistent: true, sizeMib: 0n },
          { image: "b.raw", persistent: true, sizeMib: 10_240n },
          { image: "c.raw", persistent: false },
        ],
      },
    });
  });

  it("describe NICs, with several addresses", () => {
    expect(parseNic("lan=lan1,addr=10.0.0.1/24,addr=fd00::1/64,mac=52:54:00:00:00:01,name=eth7")).toEqual({
      name: "eth7",
      lan: "lan1",
      mac: "52:54:00:00:00:01",
      addresses: ["10.0.0.1/24", "fd00::1/64"],
      port: "",
      deviceAddress: "",
      model: "",
      queues: 0,
    });
    expect(parseNic("name=eth1").lan).toBe("");
    for (const text of ["lan=a/b", "lan=a,lan=b", "lan1", "lan=-x", ""]) expect(() => parseNic(text)).toThrow("--nic");
  });

  it("refuse pairs that are none", () => {
    expect(parsePairs("--label", ["a=b=c", "d="])).toEqual({ a: "b=c", d: "" });
    expect(() => parsePairs("--label", ["a"])).toThrow("KEY=VALUE");
    expect(() => parsePairs("--label", ["=a"])).toThrow("KEY=VALUE");
  });
});

describe("files of resources", () => {
  // The codec of the kind gives its messages.
  const parseInstance = (place: string, text: string) => parseResource(kindNamed("instance"), place, text) as Instance;

  it("have the form of the API's JSON, in YAML, alone or as the response has it", () => {
    const text = "labels: {a: b}\nspec:\n  cpus: 2\n  memoryMib: 512\n  qemu:\n    kernel: micro\n";
    const instance = parseInstance("vm.yaml", text);
    expect(instance).toMatchObject({
      labels: { a: "b" },
      spec: { cpus: 2, memoryMib: 512n, driver: { $case: "qemu" } },
    });
    const wrapped = `instance:\n  ${text.trimEnd().replaceAll("\n", "\n  ")}\n`;
    expect(parseInstance("vm.yaml", wrapped)).toEqual(instance);
    expect(parseInstance("vm.json", JSON.stringify({ spec: { memory_mib: "64" } })).spec?.memoryMib).toBe(64n);
  });

  it.each([
    ["spec:\n  cpus: two\n", "vm.yaml:2:3: "],
    ["spec:\n  cpus: 2\n  memoy: 3\n", "vm.yaml:3:3: "],
    ["spec:\n  nics:\n    - lan: [a\n", "vm.yaml:4:1: "],
    ["- spec\n", "vm.yaml:1:1: "],
    ["", "vm.yaml:1:1: "],
    ["spec: {qemu: {}, crun: {}}\n", "vm.yaml:1:"],
  ])("%j is refused with its place", (text, place) => {
    expect(() => parseInstance("vm.yaml", text)).toThrow(place);
  });
});

describe("addresses", () => {
  it.each(["127.0.0.1:7440", "[::1]:7440", "hub.lab:7440", "hub:7440"])("%s is one", (text) => {
    expect(parseAddress("--address", text)).toBe(text);
  });
  it.each(["127.0.0.1", "hub", "::1:7440", "127.0.0.1:0", "127.0.0.1:70000", "[127.0.0.1]:1", "1.2.3.4:5 "])(
    "%j is not",
    (text) => {
      expect(() => parseAddress("--address", text)).toThrow("is not an address");
    },
  );
});
