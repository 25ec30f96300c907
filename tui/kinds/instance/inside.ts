import type { Instance } from "../../../proto/gen/zor/v1/instance.js";
import type { DescribedField } from "../../kit/describe/line.js";
import type { Row } from "../../kit/row.js";
import { diskLines } from "./describe-disks.js";
import { heardOf, nicsOf } from "./nics.js";

/** The interfaces and disks of an instance. */
export function insideInstance({ resource }: Row<Instance>): readonly DescribedField[] {
  const driver = resource.spec?.driver;
  const disks = driver?.$case === "qemu" ? diskLines(driver.value.disks, driver.value.cdroms) : [];
  return [
    ...nicsOf(resource).map(({ name, lan, mac, addresses }, index) => ({
      label: `nic ${name || `eth${index}`}`,
      text: [lan === "" ? "unplugged" : lan, mac, ...addresses, ...heardOf(resource, name)]
        .filter((part) => part !== "")
        .join("  "),
    })),
    ...disks.flatMap((line) => ("label" in line ? [{ label: line.label, text: line.text }] : [])),
  ];
}
