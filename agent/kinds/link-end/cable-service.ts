import { AsyncQueue } from "../../../lib/async-queue.js";
import { invalidArgument, unavailable } from "../../../lib/errors.js";
import type { Handlers } from "../../../lib/grpc/service.js";
import { parseLink } from "../../../lib/names.js";
import type {
  CableServiceService,
  DropProgram,
  EndStatus,
  WatchEndsResponse,
} from "../../../proto/gen/zor/agent/v1/cable_service.js";
import type { DropFilters } from "../../cable/drop-filters.js";
import type { CableManager } from "./cable-manager.js";
import type { Hop } from "./diagnosis.js";
import type { EndView } from "../../engine/protocol/end-protocol.js";
import type { LocalLinks } from "./local-links.js";
import type { LocalLinkView } from "./local-link.js";
import type { VxlanLinks, VxlanView } from "./vxlan-links.js";
import { tokenBytes } from "../../../lib/net/test-frame.js";
import { type LinkEndSpec, type LinkPolicy, parseEndSpec, parseUid } from "./link-end-spec.js";
import { cableEndStatus, localEndStatus, toHop, vxlanEndStatus } from "./link-end-status.js";

const maxWaitingEvents = 1_000;
/** Of both directions and every step of the longest schedule, and some. */
const maxFilters = 130;

/** What the cable service works with. */
export interface CableServiceOptions extends LinkPolicy {
  readonly cables: Pick<CableManager, "ensureEnd" | "deleteEnd" | "diagnose" | "list" | "watch">;
  readonly localLinks: Pick<LocalLinks, "ensure" | "delete" | "diagnose" | "list" | "onChange" | "enginePid">;
  readonly vxlanLinks: Pick<VxlanLinks, "ensure" | "delete" | "diagnose" | "list" | "onChange">;
  readonly dropFilters: Pick<DropFilters, "check" | "programs">;
  /** Id of this host. */
  readonly host: string;
}

/** Links that are no cables, whatever they are. */
interface OtherLinks {
  list(): readonly EndStatus[];
  delete(link: string, linkUid: string): Promise<boolean>;
  diagnose(link: string, token: Buffer): AsyncIterable<Hop> | undefined;
  onChange(listener: (changed: readonly EndStatus[], removed: readonly string[]) => void): () => void;
}

/** The ends of links on this host, for hubs. */
export function cableService(options: CableServiceOptions): Handlers<typeof CableServiceService> {
  const { cables, localLinks, vxlanLinks, dropFilters, host } = options;
  const ofCable = (view: EndView): EndStatus => cableEndStatus(view, host);
  const ofLocal = (view: LocalLinkView): EndStatus => localEndStatus(view, host, localLinks.enginePid);
  const ofVxlan = (view: VxlanView): EndStatus => vxlanEndStatus(view, host);
  const others = { local: asOther(localLinks, ofLocal), vxlan: asOther(vxlanLinks, ofVxlan) };
  const all = Object.values(others);
  const ensure = async (end: LinkEndSpec, signal: AbortSignal): Promise<EndStatus> => {
    const { link } = end.spec;
    const dropPrograms = await programsOf(end, dropFilters, signal);
    // A link of the same name that was of another kind is another link.
    for (const [kind, links] of Object.entries(others)) if (kind !== end.kind) await links.delete(link, "");
    if (end.kind !== "cable") await cables.deleteEnd(link, "");
    switch (end.kind) {
      case "cable":
        return ofCable(await cables.ensureEnd({ ...end.spec, dropPrograms }));
      case "local":
        return ofLocal(await localLinks.ensure(end.spec, dropPrograms));
      case "vxlan":
        return ofVxlan(await vxlanLinks.ensure(end.spec));
    }
  };
  return {
    ensureEnd: async ({ end }, { signal }) => {
      if (end === undefined) throw invalidArgument("end", "must be given");
      return { status: await ensure(parseEndSpec(end, options), signal) };
    },
    deleteEnd: async ({ link, linkUid }) => {
      parseLink("link", link);
      const uid = linkUid === "" ? "" : parseUid("link_uid", linkUid);
      for (const links of all) if (await links.delete(link, uid)) return {};
      await cables.deleteEnd(link, uid);
      return {};
    },
    checkDropFilters: async ({ filters }, { signal }) => {
      if (filters.length > maxFilters) throw invalidArgument("filters", `must be at most ${maxFilters}`);
      await dropFilters.check(filters, signal);
      return {};
    },
    listEnds: async () => ({ ends: [...cables.list().map(ofCable), ...all.flatMap((links) => links.list())] }),
    diagnoseEnd: async function* ({ link, token }) {
      parseLink("link", link);
      if (token.length !== 0 && token.length !== tokenBytes) {
        throw invalidArgument("token", `must be of ${tokenBytes} bytes, or empty`);
      }
      const hops = all.map((links) => links.diagnose(link, token)).find((found) => found !== undefined);
      for await (const hop of hops ?? cables.diagnose(link, token)) yield { hop: toHop(hop, host) };
    },
    watchEnds: (_request, { signal }) => watchEnds({ cables, ofCable, others: all }, signal),
  };
}

/** The programs of the drop filters that an end has. */
async function programsOf(
  end: LinkEndSpec,
  dropFilters: CableServiceOptions["dropFilters"],
  signal: AbortSignal,
): Promise<DropProgram[]> {
  if (end.kind === "vxlan") return [];
  const { schedule } = end.spec;
  const ways = end.kind === "cable" ? { a: end.spec.impairment } : { a: end.spec.aToB, b: end.spec.bToA };
  return dropFilters.programs(ways, schedule, signal);
}

function asOther<View>(
  links: {
    list(): readonly View[];
    delete: OtherLinks["delete"];
    diagnose: OtherLinks["diagnose"];
    onChange(listener: (changed: readonly View[], removed: readonly string[]) => void): () => void;
  },
  toStatus: (view: View) => EndStatus,
): OtherLinks {
  return {
    list: () => links.list().map(toStatus),
    delete: (link, linkUid) => links.delete(link, linkUid),
    diagnose: (link, token) => links.diagnose(link, token),
    onChange: (listener) => links.onChange((changed, removed) => listener(changed.map(toStatus), removed)),
  };
}

/** All ends of all kinds in one stream, the snapshot first. */
async function* watchEnds(
  {
    cables,
    ofCable,
    others,
  }: Pick<CableServiceOptions, "cables"> & {
    readonly ofCable: (view: EndView) => EndStatus;
    readonly others: readonly OtherLinks[];
  },
  signal: AbortSignal,
): AsyncIterable<WatchEndsResponse> {
  const ended = new AbortController();
  const queue = new AsyncQueue<WatchEndsResponse>(maxWaitingEvents);
  const push = (event: WatchEndsResponse): void => {
    if (!queue.push(event)) queue.fail(unavailable("WATCH_OVERFLOW", "", "the watch was read too slowly; watch again"));
  };
  let stops: readonly (() => void)[] | undefined;
  const forward = async (): Promise<void> => {
    for await (const { ends, removed, snapshot } of cables.watch(AbortSignal.any([signal, ended.signal]))) {
      // An engine that was started again tells everything anew; what is not of it is told with it.
      const rest = snapshot ? others.flatMap((links) => links.list()) : [];
      push({ ends: [...ends.map(ofCable), ...rest], removed: [...removed], snapshot });
      stops ??= others.map((links) =>
        links.onChange((changed, gone) => push({ ends: [...changed], removed: [...gone], snapshot: false })),
      );
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
    for (const stop of stops ?? []) stop();
  }
}
