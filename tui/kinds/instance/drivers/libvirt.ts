import type { Instance } from "../../../../proto/gen/zor/v1/instance.js";
import type { LibvirtOptions } from "../../../../proto/gen/zor/v1/libvirt.js";
import { type DescribeLine, field, heading } from "../../../kit/describe/line.js";
import { shortName } from "../../../kit/resource-name.js";

/** What is known of a domain of libvirt. */
export function describeDomain({ domain, title, hypervisor, uri, adopted }: LibvirtOptions): readonly DescribeLine[] {
  return [
    heading("libvirt"),
    field("domain", domain),
    field("title", title),
    field("hypervisor", hypervisor),
    field("connection", uri),
    field("adopted", adopted ? "yes" : { text: "no: only shown", tone: "warn" }),
  ];
}

/** It was found on its host and is only shown. */
export function isOnlyShown({ spec }: Instance): boolean {
  return spec?.driver?.$case === "libvirt" && !spec.driver.value.adopted;
}

/** Deleting it here lets go of it: others made it. */
export function isAdopted({ spec }: Instance): boolean {
  return spec?.driver?.$case === "libvirt" && spec.driver.value.adopted;
}

/** Why nothing can be done with what is only shown. */
export function notAdoptedText({ name }: Instance): string {
  return `is not adopted, so that it is only shown; zor adopt ${shortName(name)} takes it over`;
}
