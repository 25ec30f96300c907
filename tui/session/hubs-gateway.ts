import { failedPrecondition } from "../../lib/errors.js";
import type { Watched } from "../../lib/figures/decoder.js";
import type { Event } from "../../proto/gen/zor/v1/event.js";
import { type Busy, mergedBusy } from "../kit/busy/busy.js";
import { hubOf, hubsIn, idWithHub, withHub, withoutHub } from "../kit/hubs.js";
import { shortName } from "../kit/resource-name.js";
import { mergedRanks, mostRanked, type Ranked } from "../kit/usage/ranking.js";
import type { Row } from "../kit/row.js";
import type { Changes, ResourceChange } from "../screens/form/changes.js";
import type { FiguresSource, SeenFigures } from "../screens/usage/figures-source.js";
import type { WaveLook, WaveSource } from "../screens/wave/wave-source.js";
import type { FleetGateway } from "./gateway.js";
import { type HubPart, HubsWatch } from "./hubs-watch.js";

/**
 * Several hubs as one: names of what they have say whose it is, what is asked of something is asked of its hub, without the hub in any name.
 * @param logKind singular of the kind of what happened.
 */
export function createHubsGateway(parts: readonly HubPart[], logKind: string | undefined): FleetGateway {
  const watch = new HubsWatch(parts, logKind);
  const find = (hub: string): HubPart | undefined => parts.find(({ name }) => name === hub);
  const partOf = (name: string, what = shortName(name)): HubPart => {
    const part = find(hubOf(name));
    if (part !== undefined) return part;
    const names = parts.map((each) => each.name).join(" or ");
    throw failedPrecondition("WHICH_HUB", name, `${what}: at which hub, ${names}? go to one with :ctx first`);
  };
  const of = (name: string): readonly [FleetGateway, string] => {
    const { name: hub, gateway } = partOf(name);
    return [gateway, withoutHub(name, hub)];
  };
  const older = new Map(parts.map((part) => [part, true]));
  return {
    watch: (onState, signal) => watch.watch(onState, signal),
    run: (action, row, signal) => {
      const { name, gateway } = partOf(row.name);
      return gateway.run(action, rowWithoutHub(row, name), signal);
    },
    runWave: async (wave, signal) => {
      const byHub = Map.groupBy(wave.names, (name) => partOf(name));
      const begun = await Promise.all(
        [...byHub].map(async ([{ name: hub, gateway }, names]) => {
          const told = {
            onBegun: (operation: string): void => wave.onBegun(withHub(operation, hub)),
            onStarted: (name: string): void => wave.onStarted(withHub(name, hub)),
            onFailed: (name: string, error: unknown): void => wave.onFailed(withHub(name, hub), error),
            onSkipped: (skipped: readonly string[], why: string): void => wave.onSkipped(withHub(skipped, hub), why),
          };
          const maxFailures = Math.max(1, Math.ceil((wave.maxFailures * names.length) / wave.names.length));
          const bare = withoutHub(names, hub);
          return {
            hub,
            names,
            hasWaves: await gateway.runWave({ ...wave, names: bare, maxFailures, ...told }, signal),
          };
        }),
      );
      if (begun.every(({ hasWaves }) => !hasWaves)) return false;
      for (const { hub, names } of begun.filter(({ hasWaves }) => !hasWaves)) {
        const why = failedPrecondition(
          "NO_WAVES",
          hub,
          `${hub} does nothing to many at once; ask again for its own alone`,
        );
        for (const name of names) wave.onFailed(name, why);
      }
      return true;
    },
    diagnose: async function* (name, signal) {
      const [gateway, bare] = of(name);
      yield* gateway.diagnose(bare, signal);
    },
    followLog: async function* (name, options) {
      const [gateway, bare] = of(name);
      yield* gateway.followLog(bare, options);
    },
    eventsDuring: (during, signal) => mergedEvents(parts, (gateway) => gateway.eventsDuring(during, signal)),
    olderEvents: async (signal) => {
      const asked = parts.filter((part) => older.get(part) === true);
      const pages = await Promise.all(
        (asked.length === 0 ? parts : asked).map(async (part) => {
          const { events, more } = await part.gateway.olderEvents(signal);
          older.set(part, more);
          return withHub(events, part.name);
        }),
      );
      return { events: newestFirst(pages.flat()), more: [...older.values()].some((more) => more) };
    },
    changes: hubsChanges(partOf),
    capture: async (name, options) => {
      const [gateway, bare] = of(name);
      return gateway.capture(bare, options);
    },
    forward: async (name, ports, given) => {
      const [gateway, bare] = of(name);
      return gateway.forward(bare, ports, given);
    },
    runZor: async (words, signal) => {
      const hub = words.map(hubOf).find((each) => each !== "") ?? "";
      const { gateway } = partOf(idWithHub("", hub), `zor ${words.slice(0, 2).join(" ")}`);
      return gateway.runZor(
        words.map((word) => word.replaceAll(`@${hub}`, "")),
        signal,
      );
    },
    rollOut: (words, told, signal) => {
      const hub = words.map(hubOf).find((each) => each !== "") ?? "";
      const { gateway } = partOf(idWithHub("", hub), `zor ${words.slice(0, 2).join(" ")}`);
      return gateway.rollOut(
        words.map((word) => word.replaceAll(`@${hub}`, "")),
        told,
        signal,
      );
    },
    figures: hubsFigures(parts, of),
    waves: hubsWaves(partOf),
    screens: {
      commonKeys: parts[0]?.gateway.screens.commonKeys ?? [],
      open: (name, request) => {
        const [gateway, bare] = of(name);
        return gateway.screens.open(bare, request);
      },
      save: async (name, signal) => {
        const [gateway, bare] = of(name);
        return gateway.screens.save(bare, signal);
      },
    },
    frameSource: {
      watch: async (name, given) => {
        const [gateway, bare] = of(name);
        return gateway.frameSource.watch(bare, given);
      },
      save: async (name, ...rest) => {
        const [gateway, bare] = of(name);
        return gateway.frameSource.save(bare, ...rest);
      },
    },
    openConsole: (name, request) => {
      const [gateway, bare] = of(name);
      return gateway.openConsole(bare, request);
    },
    attachConsole: async (name, terminal, how) => {
      const [gateway, bare] = of(name);
      return gateway.attachConsole(bare, terminal, how);
    },
    showScreen: async (name, terminal, signal) => {
      const [gateway, bare] = of(name);
      return gateway.showScreen(bare, terminal, signal);
    },
    logIn: async (name, signal) => {
      const [gateway, bare] = of(name);
      return gateway.logIn(bare, signal);
    },
  };
}

function rowWithoutHub(row: Row, hub: string): Row {
  const { name, resource } = withoutHub({ name: row.name, resource: row.resource }, hub);
  const plain = (id: string): string => (hubOf(id) === hub ? id.slice(0, id.lastIndexOf("@")) : id);
  return { ...row, name, resource, id: plain(row.id), host: plain(row.host) };
}

/** A change goes to the hub of its name, or of what it names: a new link says its ends. */
function hubsChanges(partOf: (name: string, what?: string) => HubPart): Changes {
  const prepare = (change: ResourceChange): readonly [Changes, ResourceChange, HubPart] => {
    const { kind, name } = change;
    const hub = hubOf(name) || ([...hubsIn(change.resource)][0] ?? "");
    const part = partOf(idWithHub("", hub), `${kind.singular} ${shortName(name)}`);
    const refuse = (other: string): never => {
      throw failedPrecondition(
        "OTHER_HUB",
        name,
        `${kind.singular} ${shortName(name)} is for ${part.name}, and ${shortName(other)} is at ${hubOf(other)}: hubs have nothing in common`,
      );
    };
    return [
      part.gateway.changes,
      { ...withoutHub({ ...change, kind: undefined }, part.name, refuse), kind } as ResourceChange,
      part,
    ];
  };
  const hubOfOperation = new WeakMap<object, Changes>();
  return {
    check: async (change, signal) => {
      const [changes, bare] = prepare(change);
      await changes.check(bare, signal);
    },
    send: async (change, signal) => {
      const [changes, bare, { name }] = prepare(change);
      const sent = await changes.send(bare, signal);
      if (sent.operation !== undefined) hubOfOperation.set(sent.operation, changes);
      return { ...sent, told: withHub(sent.told, name) };
    },
    follow: async (operation, onProgress) => {
      await hubOfOperation.get(operation)?.follow(operation, onProgress);
    },
  };
}

/** A wave is of one hub, and of nothing that is at another. */
function hubsWaves(partOf: (name: string, what?: string) => HubPart): WaveSource {
  const of = (name: string): readonly [WaveSource, string, HubPart] => {
    const part = partOf(name);
    return [part.gateway.waves, withoutHub(name, part.name), part];
  };
  return {
    watch: async (name, look) => {
      const [waves, bare, { name: hub }] = of(name);
      const onNews: WaveLook["onNews"] = (wave, changed) => look.onNews(withHub(wave, hub), withHub(changed, hub));
      await waves.watch(bare, { ...look, onNews });
    },
    pause: async (name, signal) => {
      const [waves, bare] = of(name);
      await waves.pause(bare, signal);
    },
    resume: async (name, signal) => {
      const [waves, bare] = of(name);
      await waves.resume(bare, signal);
    },
    again: async (wave, signal) => {
      const [waves, , { name: hub }] = of(wave.name);
      const begun = await waves.again(withoutHub(wave, hub), signal);
      return begun === undefined ? undefined : withHub(begun, hub);
    },
  };
}

/** What all of them use, as the names here have it. */
function hubsFigures(parts: readonly HubPart[], of: (name: string) => readonly [FleetGateway, string]): FiguresSource {
  /** One that has none leaves the others theirs. */
  const together = async (follow: (part: HubPart) => Promise<void>): Promise<void> => {
    const settled = await Promise.allSettled(parts.map(follow));
    const failures = settled.filter((each) => each.status === "rejected");
    if (failures.length > 0 && failures.length === settled.length) throw failures[0]?.reason;
  };
  return {
    watch: async ({ names, figures }, onNews, signal) => {
      const seen = new Map<string, SeenFigures>();
      await together(async ({ name: hub, gateway }) => {
        const own = names.filter((name) => hubOf(name) === hub);
        if (own.length === 0) return;
        const wanted = { names: withoutHub(own, hub), figures };
        await gateway.figures.watch(
          wanted,
          (news) => {
            seen.set(hub, news);
            onNews(seenTogether(seen));
          },
          signal,
        );
      });
    },
    watchRanked: async (look, onNews, signal) => {
      const seen = new Map<string, Ranked>();
      // Which of the first ones come first of all is known here.
      const first = { from: 0, anchor: "", count: mostRanked };
      await together(async ({ name: hub, gateway }) => {
        if (look.parent !== "" && hubOf(look.parent) !== hub) return;
        const own = { ...look, ...first, parent: withoutHub(look.parent, hub) };
        await gateway.figures.watchRanked(
          own,
          ({ rows, trouble, ...rest }) => {
            seen.set(hub, { ...rest, rows: withHub(rows, hub), trouble: said(hub, trouble) });
            onNews(mergedRanks([...seen.values()], look));
          },
          signal,
        );
      });
    },
    watchBusiest: async (figures, onNews, signal) => {
      const seen = new Map<string, Busy>();
      await together(({ name, gateway }) =>
        gateway.figures.watchBusiest(
          figures,
          ({ first, trouble, ...sums }) => {
            seen.set(name, { ...sums, first: withHub(first, name), trouble: said(name, trouble) });
            onNews(mergedBusy([...seen.values()], figures));
          },
          signal,
        ),
      );
    },
    readHistory: async (name, range, signal) => {
      const [gateway, bare] = of(name);
      return gateway.figures.readHistory(bare, range, signal);
    },
  };
}

/** How what hubs tell is told together. */
function said(hub: string, trouble: string): string {
  return trouble === "" ? "" : `${hub}: ${trouble}`;
}

function seenTogether(seen: ReadonlyMap<string, SeenFigures>): SeenFigures {
  const hosts = [...seen].flatMap(([hub, part]) =>
    [...part.hosts].map(([host, { silent }]) => {
      const why = part.isLost && silent === "" ? part.trouble : silent;
      return [withHub(host, hub), { silent: why }] as const;
    }),
  );
  return {
    all: allFigures(seen),
    hosts: new Map(hosts),
    trouble: [...seen].flatMap(([hub, { trouble }]) => (trouble === "" ? [] : [said(hub, trouble)])).join("; "),
    isLost: [...seen.values()].every(({ isLost }) => isLost),
  };
}

function* allFigures(seen: ReadonlyMap<string, SeenFigures>): Iterable<Watched> {
  for (const [hub, { all }] of seen) {
    for (const each of all) yield { ...each, host: withHub(each.host, hub), name: withHub(each.name, hub) };
  }
}

function newestFirst(events: readonly Event[]): readonly Event[] {
  return [...events].sort((left, right) => (right.time?.getTime() ?? 0) - (left.time?.getTime() ?? 0));
}

/** Pages of all, as they come: whoever shows them sorts them. */
async function* mergedEvents(
  parts: readonly HubPart[],
  read: (gateway: FleetGateway) => AsyncIterable<readonly Event[]>,
): AsyncGenerator<readonly Event[]> {
  for (const { name, gateway } of parts) for await (const page of read(gateway)) yield withHub(page, name);
}
