import { existsSync } from "node:fs";
import { pino } from "pino";
import { createQemuDriver } from "../../../agent/drivers/qemu/driver.js";
import { InstanceSpec } from "../../../proto/gen/zor/v1/instance.js";
import { Accelerator, QemuOptions } from "../../../proto/gen/zor/v1/qemu.js";
import { realProcesses, type Subject } from "./subject.js";

const microDirectory = "/var/lib/zor/images";

/** Machines of the built-in image, emulated: that works everywhere. */
export const qemuSubject: Subject = {
  kind: "qemu",
  missing: existsSync(`${microDirectory}/micro/manifest.json`)
    ? undefined
    : "the built-in guest image is missing; build it with: deploy/guest-image/build.sh",
  createDriver: ({ imageDirectory, stateDirectory }) =>
    createQemuDriver({
      imageDirectories: [imageDirectory, microDirectory],
      stateDirectory,
      log: pino({ level: "silent" }),
      probeKvm: async () => ({ works: false, reason: "not probed in this test" }),
    }),
  toSpec: (nics) =>
    InstanceSpec.fromPartial({
      cpus: 1,
      memoryMib: 128n,
      nics,
      driver: {
        $case: "qemu",
        value: QemuOptions.fromPartial({ machine: "q35", kernel: "micro", accelerator: Accelerator.ACCELERATOR_TCG }),
      },
    }),
  withImage: (spec, image) => withKernel(spec, image),
  imageField: "instance.spec.qemu.kernel",
  ...realProcesses,
};

function withKernel(spec: InstanceSpec, kernel: string): InstanceSpec {
  if (spec.driver?.$case !== "qemu") throw new Error("not a spec of this subject");
  return { ...spec, driver: { $case: "qemu", value: { ...spec.driver.value, kernel } } };
}
