import { randomUUID } from "node:crypto";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import type { DriverInstance, RecoveryHandle } from "../../../agent/drivers/driver.js";
import type { InstanceNetwork } from "../../../agent/network/instance-networks.js";
import { createQemuDriver } from "../../../agent/drivers/qemu/driver.js";
import type { MachinePolicy } from "../../../agent/drivers/qemu/hardware/part.js";
import { InstanceSpec } from "../../../proto/gen/zor/v1/instance.js";
import { Accelerator, QemuOptions } from "../../../proto/gen/zor/v1/qemu.js";
import { makeNetns } from "../../helpers/netns.js";

/** Options that most calls take. */
export const callOptions = { signal: new AbortController().signal, progress: () => undefined };

const microDirectory = "/var/lib/zor/images";

/** A qemu driver with an image directory of its own and a net namespace for its machines. */
export interface MachineFixture extends AsyncDisposable {
  readonly driver: ReturnType<typeof createQemuDriver>;
  /** Another driver takes over, as that of the next agent would. */
  nextDriver(): Promise<ReturnType<typeof createQemuDriver>>;
  readonly imageDirectory: string;
  /** Specifies and creates an instance. */
  create(
    options: Parameters<typeof QemuOptions.fromPartial>[0],
    nics?: InstanceSpec["nics"],
    size?: Partial<Pick<InstanceSpec, "cpus" | "memoryMib">>,
  ): Promise<DriverInstance>;
  /** Its taps, made when they are not there. */
  networkOf(instance: DriverInstance): Promise<InstanceNetwork>;
  /** Starts it with taps for its interfaces and waits until its guest agent answers. */
  start(instance: DriverInstance): Promise<RecoveryHandle>;
  /** Runs a shell command inside and resolves to its standard output. */
  shell(instance: DriverInstance, handle: RecoveryHandle, command: string): Promise<string>;
  /** What a screen shows of its console up to what is waited for, from the beginning; less when the console ends before. */
  heard(instance: DriverInstance, handle: RecoveryHandle, awaited: RegExp): Promise<string>;
}

/** @param policy what machines are allowed beyond the ordinary; default: nothing. */
export async function makeMachineFixture(policy?: MachinePolicy): Promise<MachineFixture> {
  const root = await mkdtemp(join(tmpdir(), "zt-"));
  const imageDirectory = join(root, "images");
  await mkdir(imageDirectory);
  const netns = await makeNetns("qemu");
  const makeDriver = () =>
    createQemuDriver({
      imageDirectories: [imageDirectory, microDirectory],
      stateDirectory: join(root, "state"),
      ...(policy === undefined ? {} : { policy }),
      log: pino({ level: "silent" }),
      // Shorter than an emulated guest takes to boot.
      silentAfterMs: 1000,
      probeKvm: async () => ({ works: false, reason: "not probed in this test" }),
    });
  let driver = makeDriver();
  const created: DriverInstance[] = [];
  const taps = new Set<string>();

  async function networkOf(instance: DriverInstance): Promise<InstanceNetwork> {
    const nics = instance.spec.nics.map(({ name, mac, addresses }, index) => ({
      nic: name,
      mac,
      mtu: 1500,
      addresses,
      port: `zt${instance.uid.slice(0, 6)}n${index}`,
    }));
    for (const { port } of nics) {
      if (taps.has(port)) continue;
      await netns.addTap(port);
      taps.add(port);
    }
    return { netns: netns.name, nics };
  }

  async function waitForAgent(instance: DriverInstance): Promise<void> {
    const limit = AbortSignal.timeout(120_000);
    for await (const event of driver.events(limit)) {
      if (event.uid === instance.uid && event.type === "exec-ready") return;
    }
    throw new Error("the guest agent did not answer");
  }

  return {
    get driver() {
      return driver;
    },
    nextDriver: async () => {
      await driver.detach();
      driver = makeDriver();
      return driver;
    },
    imageDirectory,
    networkOf,
    create: async (options, nics = [], size = {}) => {
      const uid = randomUUID();
      const value = QemuOptions.fromPartial({ accelerator: Accelerator.ACCELERATOR_TCG, ...options });
      const wanted = InstanceSpec.fromPartial({
        cpus: 1,
        memoryMib: 128n,
        ...size,
        nics,
        driver: { $case: "qemu", value },
      });
      const spec = driver.placeDevices(wanted, { isNew: true });
      const instance = { name: "hosts/h1/instances/vm1", id: "vm1", uid, spec, directory: join(root, uid) };
      await mkdir(instance.directory, { mode: 0o700 });
      await driver.validate(spec, callOptions);
      await driver.create(instance, callOptions);
      created.push(instance);
      return instance;
    },
    start: async (instance) => {
      const handle = await driver.start(instance, await networkOf(instance), callOptions);
      await waitForAgent(instance);
      return handle;
    },
    shell: async (instance, handle, command) => {
      const words = {
        command: ["sh", "-c", command],
        environment: {},
        tty: false,
        columns: 80,
        rows: 24,
        stdin: undefined,
      };
      let output = "";
      for await (const part of driver.exec(instance, handle, words, callOptions)) {
        if (part.type === "exit" && part.code !== 0) throw new Error(`${command}: exit code ${part.code}: ${output}`);
        if (part.type !== "exit") output += Buffer.from(part.data).toString();
      }
      return output;
    },
    heard: async (instance, handle, awaited) => {
      const console = await driver.openConsole(instance, handle, { ...callOptions, replayBytes: 65_536 });
      let said = Buffer.from(console.replay).toString("latin1");
      const shown = () => said.replace(/\x1b\[[0-9;?=]*[A-Za-z]/g, "");
      if (!awaited.test(shown())) {
        for await (const output of console.output) {
          said += Buffer.from(output).toString("latin1");
          if (awaited.test(shown())) break;
        }
      }
      await console.close();
      return shown();
    },
    [Symbol.asyncDispose]: async () => {
      for (const instance of created) {
        const handle = await driver.recover(instance, undefined, callOptions);
        if (handle !== undefined) await driver.stop(instance, handle, callOptions);
      }
      await driver.detach();
      await netns[Symbol.asyncDispose]();
      await rm(root, { recursive: true, force: true });
    },
  };
}
