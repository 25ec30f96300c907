import type { JsonValue } from "@bufbuild/protobuf";
import type { Host } from "../../../proto/gen/zor/v1/host.js";
import type { FormHints } from "../../kit/form-hints.js";
import type { MessageJson } from "../../kit/input/fields.js";

const drivers = ["qemu", "crun", "docker", "podman", "libvirt"] as const;

/** How instances are made and changed in a form. */
export const instanceForm: FormHints = {
  first: [
    "spec.driver",
    "spec.cpus",
    "spec.memory_mib",
    "spec.nics",
    "spec.qemu.kernel",
    "spec.qemu.disks",
    "spec.qemu.cdroms",
    "spec.qemu.display",
    "spec.crun.rootfs",
    "spec.crun.command",
    "spec.crun.persistent",
    "spec.docker.image",
    "spec.docker.command",
    "spec.podman.image",
    "spec.podman.command",
    "spec.nics.lan",
    "spec.nics.addresses",
    "spec.nics.name",
    "spec.nics.model",
    "spec.qemu.disks.image",
    "spec.qemu.disks.size_mib",
    "spec.qemu.disks.persistent",
    "spec.qemu.disks.volume",
    "spec.qemu.disks.bus",
  ],
  // Two with the same would be in each other's way.
  own: ["spec.nics.mac"],
  cannot: (path, { fleet, host }) => {
    const reasons = new Map<string, string>();
    if (path !== "spec.driver") return reasons;
    reasons.set("libvirt", "domains are taken over with zor adopt");
    // Rows of that kind hold such messages.
    const known = fleet.find("host", `hosts/${host}`)?.resource as Host | undefined;
    for (const { id, available, reason } of known?.fingerprint?.capabilities ?? []) {
      const [, driver = ""] = /^driver\.(\w+)$/.exec(id) ?? [];
      if (driver !== "" && !available) reasons.set(driver, reason);
    }
    return reasons;
  },
  say: (resource, assignmentsOf) => {
    const spec = asMessage(resource["spec"]);
    const driver = drivers.find((name) => spec[name] !== undefined);
    if (driver === undefined) return { words: [], flags: [], rest: resource };
    const { [driver]: options, ...others } = spec;
    const type = { qemu: "QemuOptions", crun: "CrunOptions", docker: "ContainerEngineOptions" };
    const message = `zor.v1.${driver === "podman" ? type.docker : driver === "libvirt" ? "LibvirtOptions" : type[driver]}`;
    const said = assignmentsOf(asMessage(options), message).flatMap((text) => ["--option", text]);
    return { words: [], flags: ["--driver", driver, ...said], rest: { ...resource, spec: others } };
  },
};

function asMessage(value: JsonValue | undefined): MessageJson {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? value : {};
}
