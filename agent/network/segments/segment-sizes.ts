import { createHash } from "node:crypto";
import { close, SystemCallError } from "../../../lib/libc.js";
import type { Log } from "../../../lib/log.js";
import { findDevice } from "../../../lib/net/device.js";
import { visitNetns } from "../../../lib/net/visit-netns.js";
import type { Switch } from "../ovs/switch.js";
import { createRecentMap, loadClassifier, openProgram } from "./bpf.js";
import { findClassifiers, setClassifiers } from "./classifier.js";
import { keyBytes, rememberSegments, restoreSegments, takeAll, valueBytes } from "./programs.js";

/** Streams whose size is known at once; what is unused for longest goes. */
const streams = 16_384;
/** Before all filters of ours, which may send frames elsewhere. */
const priority = 1_000;
/** Behind all filters. */
const last = { priority: 0xff00, name: "zor-taken" } as const;

/** What the programs are known by at a port: other ones have another name. */
const name = `zor-segments-${createHash("sha256").update(rememberSegments(0)).update(restoreSegments(0)).digest("hex").slice(0, 8)}`;

/** Descriptors of programs that have one map between them. */
interface Programs {
  readonly remember: number;
  readonly restore: number;
  /** It has no map. */
  readonly take: number;
}

/**
 * Keeps the sizes of the segments that super-frames of TCP are made of, over a switch that does not: Open vSwitch's userspace datapath
 * before 3.3 gives every super-frame segments that fill the MTU of the port it leaves by. Where it ends nobody notices. A router throws
 * it away when these segments are too large for the way on, over a tunnel, or a port of a smaller MTU, and tells the sender a size that
 * the sender keeps to already: the stream stands still.
 *
 * There the host's stack gets no frame either that the switch has read: see {@link takeAll}.
 *
 * The kernel does it, at the ports, and goes on when the agent ends. The next one takes over the programs that are there: ports that it
 * has not come to yet must know the streams of those it has.
 */
export class SegmentSizes {
  readonly #netns: string | undefined;
  readonly #log: Log;
  #programs: Programs | "failed" | undefined;

  /** Those of a switch; undefined: its datapath is the kernel's, which keeps sizes itself. */
  static of({ switch: { netns, datapath }, log }: { switch: Pick<Switch, "netns" | "datapath">; log: Log }) {
    return datapath === "netdev" ? new SegmentSizes({ netns, log }) : undefined;
  }

  /** @param options.netns net namespace of the switch. */
  constructor(options: { readonly netns: string | undefined; readonly log: Log }) {
    this.#netns = options.netns;
    this.#log = options.log;
  }

  /** Has a port of the switch keep them. Idempotent; does nothing when there is no such port. */
  attach(port: string): void {
    const ifindex = findDevice(this.#netns, port)?.index;
    if (ifindex === undefined || this.#programs === "failed") return;
    try {
      this.#programs ??= this.#takeOver() ?? load();
      const { remember, restore, take } = this.#programs;
      visitNetns(this.#netns, () =>
        setClassifiers([
          { ifindex, side: "ingress", priority, name, program: remember },
          { ifindex, side: "egress", priority, name, program: restore },
          { ifindex, side: "ingress", ...last, program: take },
        ]),
      );
    } catch (error) {
      if (findDevice(this.#netns, port)?.index !== ifindex) return;
      this.close();
      this.#programs = "failed";
      this.#log.warn(
        { err: error },
        "this kernel cannot keep the sizes of TCP segments over the switch: streams through guests that route may stand still; it needs clsact, cls_bpf and BPF",
      );
    }
  }

  /** The programs of an earlier agent; undefined: there are none, or they have gone since. */
  #takeOver(): Programs | undefined {
    const open: number[] = [];
    try {
      const found = visitNetns(this.#netns, () => findClassifiers(name, priority));
      if (found === undefined) return undefined;
      open.push(openProgram(found.ingress));
      open.push(openProgram(found.egress));
      open.push(loadClassifier("zor_taken", takeAll()));
      const [remember, restore, take] = open;
      return remember === undefined || restore === undefined || take === undefined
        ? undefined
        : { remember, restore, take };
    } catch (error) {
      for (const descriptor of open) close(descriptor);
      if (error instanceof SystemCallError) return undefined;
      throw error;
    }
  }

  /** Gives back what this process holds; ports keep what they have. */
  close(): void {
    if (this.#programs === undefined || this.#programs === "failed") return;
    close(this.#programs.remember);
    close(this.#programs.restore);
    close(this.#programs.take);
    this.#programs = undefined;
  }
}

function load(): Programs {
  const map = createRecentMap({ name: "zor_segments", keyBytes, valueBytes, entries: streams });
  const open: number[] = [];
  const loaded = (programName: string, program: Buffer): number => {
    const descriptor = loadClassifier(programName, program);
    open.push(descriptor);
    return descriptor;
  };
  try {
    return {
      remember: loaded("zor_remember", rememberSegments(map)),
      restore: loaded("zor_restore", restoreSegments(map)),
      take: loaded("zor_taken", takeAll()),
    };
  } catch (error) {
    for (const descriptor of open) close(descriptor);
    throw error;
  } finally {
    // The programs hold it.
    close(map);
  }
}
