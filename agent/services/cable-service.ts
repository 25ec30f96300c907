import { AsyncQueue } from "../../lib/async-queue.js";
import { invalidArgument, unavailable } from "../../lib/errors.js";
import type { Handlers } from "../../lib/grpc/service.js";
import { parseLink } from "../../lib/names.js";
import type { CableServiceService, EndStatus, WatchEndsResponse } from "../../proto/gen/zor/agent/v1/cable_service.js";
import type { CableManager } from "../network/c2c/cable-manager.js";
import type { EndView } from "../network/c2c/engine-protocol.js";
import type { LocalLinks, LocalLinkView } from "../network/c2c/local-links.js";
import { type LinkPolicy, parseEndSpec, parseUid } from "./link-end-spec.js";
import { cableEndStatus, localEndStatus, toHop } from "./link-end-status.js";

const maxWaitingEvents = 1_000;

/** What the cable service works with. */
export interface CableServiceOptions extends LinkPolicy {
  readonly cables: Pick<CableManager, "ensureEnd" | "deleteEnd" | "diagnose" | "list" | "watch" | "enginePid">;
  readonly localLinks: Pick<LocalLinks, "ensure" | "delete" | "diagnose" | "list" | "onChange" | "enginePid">;
  /** Id of this host. */
  readonly host: string;
}

/** The ends of links on this host, for hubs. */
export function cableService(options: CableServiceOptions): Handlers<typeof CableServiceService> {
  const { cables, localLinks, host } = options;
  const ofCable = (view: EndView): EndStatus => cableEndStatus(view, host, cables.enginePid);
  const ofLocal = (view: LocalLinkView): EndStatus => localEndStatus(view, host, localLinks.enginePid);
  return {
    ensureEnd: async ({ end }) => {
      if (end === undefined) throw invalidArgument("end", "must be given");
      const wanted = parseEndSpec(end, options);
      // A link of the same name that was of the other kind is another link.
      if (wanted.kind === "local") {
        await cables.deleteEnd(wanted.spec.link, "");
        return { status: ofLocal(await localLinks.ensure(wanted.spec)) };
      }
      await localLinks.delete(wanted.spec.link, "");
      return { status: ofCable(await cables.ensureEnd(wanted.spec)) };
    },
    deleteEnd: async ({ link, linkUid }) => {
      parseLink("link", link);
      const uid = linkUid === "" ? "" : parseUid("link_uid", linkUid);
      if (!(await localLinks.delete(link, uid))) await cables.deleteEnd(link, uid);
      return {};
    },
    listEnds: async () => ({ ends: [...cables.list().map(ofCable), ...localLinks.list().map(ofLocal)] }),
    diagnoseEnd: async function* ({ link }) {
      parseLink("link", link);
      for await (const hop of localLinks.diagnose(link) ?? cables.diagnose(link)) yield { hop: toHop(hop, host) };
    },
    watchEnds: (_request, { signal }) => watchEnds({ cables, localLinks, ofCable, ofLocal }, signal),
  };
}

/** All ends of both kinds in one stream, the snapshot first. */
async function* watchEnds(
  {
    cables,
    localLinks,
    ofCable,
    ofLocal,
  }: Pick<CableServiceOptions, "cables" | "localLinks"> & {
    readonly ofCable: (view: EndView) => EndStatus;
    readonly ofLocal: (view: LocalLinkView) => EndStatus;
  },
  signal: AbortSignal,
): AsyncIterable<WatchEndsResponse> {
  const ended = new AbortController();
  const queue = new AsyncQueue<WatchEndsResponse>(maxWaitingEvents);
  const push = (event: WatchEndsResponse): void => {
    if (!queue.push(event)) queue.fail(unavailable("WATCH_OVERFLOW", "", "the watch was read too slowly; watch again"));
  };
  let stopLocal: (() => void) | undefined;
  const forward = async (): Promise<void> => {
    for await (const { ends, removed, snapshot } of cables.watch(AbortSignal.any([signal, ended.signal]))) {
      const local = snapshot ? localLinks.list().map(ofLocal) : [];
      push({ ends: [...ends.map(ofCable), ...local], removed: [...removed], snapshot });
      stopLocal ??= localLinks.onChange((changed, gone) => {
        push({ ends: changed.map(ofLocal), removed: [...gone], snapshot: false });
      });
    }
  };
  const forwarding = forward().then(
    () => queue.end(),
    (error: unknown) => queue.fail(error),
  );
  try {
    yield* queue;
  } finally {
    ended.abort();
    await forwarding;
    stopLocal?.();
  }
}
