import { describe, expect, it } from "vitest";
import { BootStart, Instance, RestartMode, ShutdownAction } from "../../../proto/gen/zor/v1/instance.js";
import type { FlagValues } from "../../../tui/kit/kind-commands.js";
import { instanceSpec } from "../../../tui/kinds/instance/flags.js";
import { setInstance } from "../../../tui/kinds/instance/set-flags.js";

const present = Instance.fromJSON({ etag: "e1", spec: { nics: [{ name: "eth0", lan: "lan1" }, { name: "eth1" }] } });

/** What flags change of an instance with two interfaces. */
const change = (values: FlagValues, of: Instance = present) =>
  setInstance.read({
    name: "hosts/alpha/instances/vm1",
    values,
    words: [],
    current: async () => of,
    resolve: async (_kind, text) => text,
  });

describe("zor set instance", () => {
  it("changes what is said and nothing else", async () => {
    expect(await change({ cpus: "4", memory: "2G" })).toMatchObject({
      resource: { spec: { cpus: 4, memoryMib: 2048n } },
      paths: ["spec.cpus", "spec.memory_mib"],
    });
    expect((await change({ protect: false })).paths).toEqual(["spec.delete_protection"]);
    expect((await change({ bootOrder: "-5" })).paths).toEqual(["spec.host_boot.order"]);
  });

  it("adds and removes interfaces of what is there, and only of that", async () => {
    const changed = await change({ addNic: ["lan=lan2"], removeNic: ["eth0"] });
    const { spec } = changed.resource as Instance;
    expect(spec?.nics.map(({ name, lan }) => [name, lan])).toEqual([
      ["eth1", ""],
      ["eth2", "lan2"],
    ]);
    expect(changed).toMatchObject({ paths: ["spec.nics"], etag: "e1" });
    await expect(change({ removeNic: ["eth9"] })).rejects.toMatchObject({ violations: [{ field: "--remove-nic" }] });
    await expect(change({ nic: [""], addNic: [""] })).rejects.toThrow();
  });
});

describe("zor set instance, of the screen of a machine,", () => {
  const machine = Instance.fromJSON({ spec: { qemu: { spice: { usbRedirections: 2, agent: true } } } });
  const value = (options: object) => ({ spec: { driver: { $case: "qemu", value: options } } });

  it("changes what is said, and leaves of SPICE what is not", async () => {
    expect(await change({ display: "qxl", spice: true })).toMatchObject({
      resource: value({ display: "qxl", spice: {} }),
      paths: ["spec.qemu.display", "spec.qemu.spice"],
    });
    expect(await change({ spice: true }, machine)).toMatchObject({
      resource: value({ spice: { usbRedirections: 2, agent: true } }),
    });
    expect(await change({ usbRedirections: "1" }, machine)).toMatchObject({
      resource: value({ spice: { usbRedirections: 1 } }),
      paths: ["spec.qemu.spice.usb_redirections"],
    });
    const without = await change({ spice: false }, machine);
    expect(without).toMatchObject({ resource: value({}), paths: ["spec.qemu.spice"] });
  });

  it.each([{ usbRedirections: "5" }, { usbRedirections: "x" }, { spice: false, usbRedirections: "1" }])(
    "refuses by name: %j",
    async (values) => {
      await expect(change(values)).rejects.toMatchObject({ violations: [{ field: "--usb-redirections" }] });
    },
  );
});

describe("flags about when an instance runs by itself", () => {
  const read = (values: FlagValues) => instanceSpec({ values: { kernel: "micro", ...values }, words: [] });

  it("are read", () => {
    const spec = read({
      restart: "on-failure,max=5,delay=2,longest=30,reset=120",
      bootStart: "last-state",
      bootDelay: "10",
      hostShutdown: "suspend,grace=90",
      protect: true,
    });
    expect(spec).toMatchObject({
      restart: {
        ...{ mode: RestartMode.RESTART_MODE_ON_FAILURE, maxRestarts: 5 },
        ...{ minDelaySeconds: 2, maxDelaySeconds: 30, resetAfterSeconds: 120 },
      },
      hostBoot: { start: BootStart.BOOT_START_LAST_STATE, order: 0, delaySeconds: 10 },
      hostShutdown: { action: ShutdownAction.SHUTDOWN_ACTION_SUSPEND, graceSeconds: 90 },
      deleteProtection: true,
    });
  });

  it.each([
    [{ restart: "sometimes" }, "--restart"],
    [{ restart: "always,every=3" }, "--restart"],
    [{ restart: "always,max=0" }, "--restart max"],
    [{ bootStart: "yes" }, "--boot-start"],
    [{ bootOrder: "1001" }, "--boot-order"],
    [{ hostShutdown: "kill" }, "--host-shutdown"],
  ])("are refused by name: %j", (values, field) => {
    expect(() => read(values)).toThrow(expect.objectContaining({ violations: [expect.objectContaining({ field })] }));
  });
});
