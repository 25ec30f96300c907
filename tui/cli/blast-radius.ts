import type { KnownResource } from "../../lib/kinds/resource.js";
import { invalidArgument, notFound } from "../../lib/errors.js";
import { quote } from "../../lib/names.js";
import { agreeing, listed } from "../../lib/words.js";
import type { A2b } from "../../proto/gen/zor/v1/a2b.js";
import { type Instance, InstanceState } from "../../proto/gen/zor/v1/instance.js";
import type { Lan } from "../../proto/gen/zor/v1/lan.js";
import type { Link } from "../../proto/gen/zor/v1/link.js";
import { escapeText } from "../kit/text/escape.js";
import { instanceStateName, linkStateName } from "../client/format.js";
import { shortName } from "../kit/resource-name.js";
import type { Kind } from "./kinds.js";
import { a2bStateName } from "./output/a2b-text.js";
import type { Session } from "./session.js";

/** What deleting a resource takes with it. */
export interface BlastRadius {
  readonly kind: Kind;
  readonly name: string;
  /** An instance that runs: it would be stopped. */
  readonly running: boolean;
  /** One escaped line for people. */
  readonly line: string;
}

/** Looks at a resource before it is deleted. @throws {ZorError} NOT_FOUND, and INVALID_ARGUMENT for kinds zor delete does not delete. */
export async function blastRadius(session: Session, kind: Kind, name: string): Promise<BlastRadius> {
  const resource = await kind.get(await session.connect(), name, session.readOptions());
  if (resource === undefined) throw notFound(name);
  const known = resource as KnownResource;
  switch (known.kind) {
    case "instance":
      return {
        kind,
        name,
        running: runs(known.value),
        line: escapeText(`instance ${shortName(name)}: ${instanceLoss(known.value)}`),
      };
    case "lan":
      return { kind, name, running: false, line: escapeText(`lan ${shortName(name)}: ${lanLoss(known.value)}`) };
    case "link":
      return { kind, name, running: false, line: escapeText(`link ${shortName(name)}: ${linkLoss(known.value)}`) };
    case "a2b":
      return { kind, name, running: false, line: escapeText(`a2b ${shortName(name)}: ${a2bLoss(known.value)}`) };
    default:
      throw invalidArgument(
        "kind",
        `${quote(kind.plural)} cannot be deleted like this; hosts are removed with: zor host remove`,
      );
  }
}

function runs({ status }: Instance): boolean {
  const state = status?.state ?? InstanceState.INSTANCE_STATE_UNKNOWN;
  return state !== InstanceState.INSTANCE_STATE_STOPPED && state !== InstanceState.INSTANCE_STATE_FAILED;
}

function instanceLoss(instance: Instance): string {
  const { spec, status } = instance;
  const state = status === undefined ? "UNKNOWN" : instanceStateName(status.state);
  const losses = [runs(instance) ? `${state}, is stopped` : state];
  const lans = (spec?.nics ?? []).map(({ lan }) => lan).filter((lan) => lan !== "");
  if (lans.length > 0) losses.push(`unplugged from ${listed([...new Set(lans)])}`);
  const disks =
    spec?.driver?.$case === "qemu" ? spec.driver.value.disks.filter(({ persistent }) => persistent).length : 0;
  if (disks > 0) losses.push(`what was written to ${disks === 1 ? "its disk" : `its ${disks} disks`} is lost`);
  if (spec?.driver?.$case === "crun" && spec.driver.value.persistent)
    losses.push("what was written to its files is lost");
  return losses.join(", ");
}

function lanLoss({ status }: Lan): string {
  const plugged = (status?.ports ?? []).map(({ endpoint }) => shortName(endpoint));
  if (plugged.length === 0) return "nothing is plugged in";
  const until = agreeing(plugged.length, "that is", "they are");
  return `${plugged.length} plugged in (${listed(plugged, 8)}); it is refused until ${until} unplugged`;
}

function a2bLoss({ spec, status }: A2b): string {
  const state = status === undefined ? "UNKNOWN" : a2bStateName(status.state);
  return `${state}, cuts ${spec?.lanA ?? ""} from ${spec?.lanB ?? ""}`;
}

function linkLoss({ spec, status }: Link): string {
  const state = status === undefined ? "UNKNOWN" : linkStateName(status.state);
  return `${state}, cuts ${shortName(spec?.a ?? "")} from ${shortName(spec?.b ?? "")}`;
}
