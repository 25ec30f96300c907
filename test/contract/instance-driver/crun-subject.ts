import { existsSync } from "node:fs";
import { CrunDriver } from "../../../agent/drivers/crun/crun-driver.js";
import { CrunOptions } from "../../../proto/gen/zor/v1/crun.js";
import { InstanceSpec } from "../../../proto/gen/zor/v1/instance.js";
import { readMemoryMib, realProcesses, type Subject } from "./subject.js";

const microDirectory = "/var/lib/zor/images";

/** Containers of the built-in root filesystem. */
export const crunSubject: Subject = {
  kind: "crun",
  missing: existsSync(`${microDirectory}/micro/manifest.json`)
    ? undefined
    : "the built-in guest image is missing; build it with: deploy/guest-image/build.sh",
  createDriver: ({ imageDirectory, stateDirectory }) =>
    new CrunDriver({ imageDirectories: [imageDirectory, microDirectory], stateDirectory, containerCapabilities: [] }),
  toSpec: (nics) =>
    InstanceSpec.fromPartial({
      cpus: 1,
      memoryMib: 64n,
      nics,
      driver: { $case: "crun", value: CrunOptions.fromPartial({ rootfs: "micro" }) },
    }),
  withImage: (spec, image) => {
    if (spec.driver?.$case !== "crun") throw new Error("not a spec of this subject");
    return { ...spec, driver: { $case: "crun", value: { ...spec.driver.value, rootfs: image } } };
  },
  imageField: "instance.spec.crun.rootfs",
  ...realProcesses,
  readMemoryMib,
};
