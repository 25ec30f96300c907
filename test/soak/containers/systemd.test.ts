import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { run } from "../../../agent/host/exec.js";
import { CrunOptions } from "../../../proto/gen/zor/v1/crun.js";
import { InstanceSpec } from "../../../proto/gen/zor/v1/instance.js";
import { eventually } from "../../helpers/eventually.js";
import { captureMachine, leftBehind } from "../../helpers/leftovers.js";
import { CrunFixture, callOptions } from "../../integration/crun/fixture.js";

const before = captureMachine();
let world: CrunFixture;

/** A Debian with systemd, as anybody would make it. */
async function makeDebian(path: string): Promise<void> {
  const options = ["--quiet", "--variant=minbase", "--mode=root", "--include=systemd,systemd-sysv,dbus,procps"];
  const lean = ['--aptopt=APT::Sandbox::User "root"', '--aptopt=APT::Install-Recommends "false"'];
  const docs = "--dpkgopt=path-exclude=/usr/share/{doc,info,man,locale}/*";
  const own = "--customize-hook=rm -f $1/etc/machine-id $1/var/lib/dbus/machine-id";
  const { stdout } = await run("sh", ["-c", ". /etc/os-release && echo $VERSION_CODENAME"]);
  const sources = ["/etc/apt/sources.list.d/debian.sources", "/etc/apt/sources.list"];
  const found = await run("sh", ["-c", `ls ${sources.join(" ")} 2>/dev/null | head -n 1`]);
  const argv = [...options, ...lean, docs, own, stdout.trim(), path, found.stdout.trim()];
  await run("mmdebstrap", argv, { timeoutMs: 900_000 });
}

beforeAll(async () => {
  world = await CrunFixture.make({ containerMib: 256 });
  await makeDebian(join(world.images, "debian.tar"));
}, 900_000);

afterAll(async () => {
  const { ownership } = world;
  await world[Symbol.asyncDispose]();
  await eventually(() => expect(leftBehind(before, captureMachine(), ownership)).toEqual([]));
}, 120_000);

describe.each([
  ["with users of its own", { userNamespace: true }],
  ["by the agent's permission", { userNamespace: false }],
])("systemd as first process, %s", (_word, { userNamespace }) => {
  it("boots, runs services in groups of their own, and shuts down when asked", async () => {
    const value = CrunOptions.fromPartial({
      rootfs: "debian.tar",
      command: ["/sbin/init"],
      init: "systemd",
      userNamespace,
    });
    const spec = InstanceSpec.fromPartial({ cpus: 1, memoryMib: 256n, driver: { $case: "crun", value } });
    const instance = { ...(await world.define({})), spec };
    await world.driver.create(instance, callOptions);
    const handle = await world.start(instance);
    const shell = (line: string) => world.shell(instance, handle, line);
    const wait =
      "for n in $(seq 120); do s=$(systemctl is-system-running 2>&1); case $s in running|degraded) break ;; esac; sleep 0.5; done; echo $s";
    const state = (await shell(wait)).trim();
    const failed = await shell("systemctl --failed --no-legend --plain; systemctl list-jobs --no-legend");
    expect(`${state} ${failed}`).toBe("running ");
    expect(await shell("cat /proc/1/cgroup")).not.toMatch(/^0::\/\.\./m);
    expect(await shell("cat /proc/1/comm; cat /etc/machine-id | wc -c")).toBe("systemd\n33\n");
    const service =
      "systemd-run --quiet --unit=mine sleep 1000 && systemctl is-active mine && grep -l mine.service /proc/$(systemctl show -P MainPID mine)/cgroup";
    expect(await shell(service)).toMatch(/^active\n\/proc\/\d+\/cgroup\n$/);
    expect(await shell("journalctl --no-pager -n 1 2>&1 | head -c 4; stat -f -c %T /run")).toContain("tmpfs");
    await world.driver.requestShutdown(instance, handle, { attempt: 0 });
    await expect
      .poll(async () => (await world.driver.inspect(instance, handle, callOptions)).state, { timeout: 60_000 })
      .toBe("stopped");
    await world.driver.destroy(instance);
  }, 300_000);
});
