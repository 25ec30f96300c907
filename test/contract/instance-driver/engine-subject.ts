import { createDockerDriver } from "../../../agent/drivers/docker/docker-driver.js";
import { createPodmanDriver } from "../../../agent/drivers/podman/podman-driver.js";
import { ContainerEngineOptions } from "../../../proto/gen/zor/v1/container_engine.js";
import { InstanceSpec } from "../../../proto/gen/zor/v1/instance.js";
import type { TestEngine } from "../../helpers/container-engine.js";
import { readMemoryMib, realProcesses, type Subject } from "./subject.js";

const microDirectory = "/var/lib/zor/images";
const drivers = { docker: createDockerDriver, podman: createPodmanDriver } as const;

/** Containers of the built-in root filesystem in a real engine. */
export function engineSubject({ kind, socketPath }: Pick<TestEngine, "kind" | "socketPath">): Subject {
  return {
    kind,
    missing: undefined,
    createDriver: ({ imageDirectory }) =>
      drivers[kind]({
        socketPath,
        imageDirectories: [imageDirectory, microDirectory],
        containerCapabilities: [],
        registries: [],
      }),
    toSpec: (nics) =>
      InstanceSpec.fromPartial({
        cpus: 1,
        memoryMib: 64n,
        nics,
        driver: { $case: kind, value: ContainerEngineOptions.fromPartial({ image: "micro" }) },
      }),
    withImage: (spec, image) => {
      if (spec.driver?.$case !== kind) throw new Error("not a spec of this subject");
      return { ...spec, driver: { $case: kind, value: { ...spec.driver.value, image } } };
    },
    imageField: `instance.spec.${kind}.image`,
    ...realProcesses,
    readMemoryMib,
  };
}
