import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, it } from "vitest";
import { run } from "../../../agent/host/exec.js";
import { Nic } from "../../../proto/gen/zor/v1/instance.js";
import { Firmware } from "../../../proto/gen/zor/v1/qemu.js";
import { eventually } from "../../helpers/eventually.js";
import { spawnOwned } from "../../helpers/owned.js";
import { callOptions, type MachineFixture, makeMachineFixture } from "../../integration/qemu/machine-fixture.js";

const microDirectory = "/var/lib/zor/images/micro";

let root: string;
let fixture: MachineFixture;

beforeAll(async () => {
  await run("dnsmasq", ["--version"]).catch(() => {
    throw new Error("install what this needs with: apt-get install dnsmasq-base");
  });
  root = await mkdtemp(join(tmpdir(), "zt-"));
  fixture = await makeMachineFixture();
  const served = join(root, "served");
  await mkdir(served);
  await writeFile(join(served, "vmlinuz"), await readFile(join(microDirectory, "vmlinuz")));
  await writeFile(join(served, "initrd"), gzipSync(await readFile(join(microDirectory, "initrd.img")), { level: 1 }));
  const words = "initrd=initrd console=ttyS0 zor.hostname=from-the-network";
  await writeFile(join(served, "boot.ipxe"), `#!ipxe\nkernel vmlinuz ${words}\ninitrd initrd\nboot\n`);
}, 60_000);

afterAll(async () => {
  await fixture[Symbol.asyncDispose]();
  await rm(root, { recursive: true, force: true });
});

/** Serves addresses, a script and what it names at the other end of a tap, until it is disposed of. */
async function serve(netns: string, tap: string): Promise<AsyncDisposable> {
  await run("ip", ["-n", netns, "address", "add", "10.9.0.1/24", "dev", tap]);
  const argv = [
    ...["--conf-file=/dev/null", "--keep-in-foreground", "--port=0", "--user=root", "--group=root", "--pid-file"],
    ...[`--interface=${tap}`, "--bind-interfaces", "--log-facility=-", `--dhcp-leasefile=${join(root, "leases")}`],
    ...["--dhcp-range=10.9.0.10,10.9.0.20,5m", "--dhcp-boot=boot.ipxe"],
    ...["--enable-tftp", `--tftp-root=${join(root, "served")}`],
  ];
  const server = spawnOwned("ip", ["netns", "exec", netns, "dnsmasq", ...argv], { stdio: "ignore" });
  const ended = once(server, "exit");
  return {
    [Symbol.asyncDispose]: async () => {
      server.kill("SIGTERM");
      await ended;
      await run("ip", ["-n", netns, "address", "flush", "dev", tap]);
    },
  };
}

it.each([
  ["BIOS, virtio", Firmware.FIRMWARE_BIOS, "virtio", 128n],
  ["BIOS, e1000", Firmware.FIRMWARE_BIOS, "e1000", 128n],
  ["UEFI, virtio", Firmware.FIRMWARE_UEFI, "virtio", 512n],
])(
  "boots a kernel that a server on its lan hands out: %s",
  { timeout: 400_000 },
  async (_what, firmware, model, mib) => {
    const nic = Nic.fromPartial({ name: "eth0", mac: "02:00:00:00:0a:01", lan: "lan1", model });
    const instance = await fixture.create({ firmware, bootOrder: ["nics"] }, [nic], { memoryMib: mib });
    const { netns, nics } = await fixture.networkOf(instance);
    await using _server = await serve(netns, nics[0]?.port ?? "");
    const handle = await fixture.driver.start(instance, await fixture.networkOf(instance), callOptions);
    expect(await fixture.heard(instance, handle, /zor: userland is up/)).toContain("userland is up");
    const named = async () => await fixture.shell(instance, handle, "hostname");
    await eventually(async () => expect(await named()).toBe("from-the-network\n"), 60_000);
    await fixture.driver.stop(instance, handle, callOptions);
  },
);
