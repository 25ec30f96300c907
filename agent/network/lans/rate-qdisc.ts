import { failedPrecondition } from "../../../lib/errors.js";
import type { PortRate } from "../../../proto/gen/zor/v1/port.js";
import { run, runJson, ToolError } from "../../host/exec.js";
import { burstBytesOf } from "./port-rate.js";

/** By this handle a queue is known to be ours. */
const handle = "5a6f:";
/** What may wait: as much as the rate sends in this time, within bounds of which the lower holds two super-frames. */
const waitSeconds = 0.2;
const waitBytes = { min: 128 * 1024, max: 2 * 1024 * 1024 } as const;

/** A device of the switch's net namespace. */
interface Device {
  readonly netns: string;
  readonly port: string;
}

/** What tc shows of a device's queue. */
interface ShownQdisc {
  readonly kind?: string;
  readonly handle?: string;
  readonly dev?: string;
  readonly root?: boolean;
  readonly options?: object;
}

/** The words of tc-tbf(8) for a rate; pure. */
export function rateWords(rate: PortRate): readonly string[] {
  const inTime = Math.round((Number(rate.rateBps) / 8) * waitSeconds);
  const limit = Math.min(waitBytes.max, Math.max(waitBytes.min, inTime));
  return ["tbf", "rate", `${rate.rateBps}bit`, "burst", `${burstBytesOf(rate)}b`, "limit", `${limit}b`];
}

/**
 * Has the kernel send frames out of a port no faster than this. What waits there already stays. Resolves to what tc shows of it then.
 * @throws {ZorError} FAILED_PRECONDITION: the kernel cannot
 */
export async function limitRate({ netns, port }: Device, rate: PortRate): Promise<string> {
  const words = ["-n", netns, "qdisc", "replace", "dev", port, "root", "handle", handle, ...rateWords(rate)];
  await run("tc", words).catch((error: unknown) => {
    if (!(error instanceof ToolError) || !/qdisc kind is unknown|No such file or directory/.test(error.message))
      throw error;
    const what = "this host cannot limit the rate of a port: its kernel needs the module sch_tbf";
    throw failedPrecondition("RATE_LIMIT_MISSING", "", `${what}; leave rate_out out, or load it`);
  });
  return await shownRate({ netns, port });
}

/** Takes the limit back. Idempotent; a device that is gone has none. */
export async function unlimitRate({ netns, port }: Device): Promise<void> {
  await run("tc", ["-n", netns, "qdisc", "delete", "dev", port, "root", "handle", handle], {
    acceptedExitCodes: [0, 1, 2],
  });
}

/** What tc shows of the queue of a device, to be compared; "": it is none of ours. */
export async function shownRate({ netns, port }: Device): Promise<string> {
  const shown = await runJson("tc", ["-n", netns, "-j", "qdisc", "show", "dev", port], {
    acceptedExitCodes: [0, 1, 2],
  });
  const ours = ofUs(shown)[0];
  return ours === undefined ? "" : JSON.stringify(ours.options);
}

/** The devices of a namespace whose rate is limited by us. */
export async function limitedPorts(netns: string): Promise<ReadonlySet<string>> {
  return new Set(ofUs(await runJson("tc", ["-n", netns, "-j", "qdisc", "show"])).flatMap(({ dev }) => dev ?? []));
}

/** iproute2 prints an array of objects. */
function ofUs(shown: unknown): readonly ShownQdisc[] {
  return ((shown ?? []) as readonly ShownQdisc[]).filter(
    (each) => each.root === true && each.kind === "tbf" && each.handle === handle,
  );
}
