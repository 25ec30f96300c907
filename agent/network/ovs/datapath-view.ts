/** Bridges that the datapath has, each with the names of its ports, its own among them. */
export type DatapathView = ReadonlyMap<string, ReadonlySet<string>>;

/** What of the database's bridges and ports a datapath lacks. */
export interface Missing {
  readonly bridges: ReadonlySet<string>;
  readonly ports: ReadonlySet<string>;
}

/** A bridge as the database has it. */
export interface WantedBridge {
  readonly name: string;
  readonly ports: readonly string[];
}

/**
 * Reads the answer to "dpif/show" (ovs-vswitchd(8)): a line for each datapath, below it one for each bridge, and below that one for
 * each port, "name openflow-port/datapath-port: (type)". A port without datapath port is in the bridge, but no frames reach it.
 */
export function parseDatapath(text: string): DatapathView {
  const bridges = new Map<string, Set<string>>();
  let ports: Set<string> | undefined;
  for (const line of text.split("\n")) {
    const bridge = /^ {2}(\S+):$/.exec(line)?.[1];
    if (bridge !== undefined) {
      ports = new Set();
      bridges.set(bridge, ports);
      continue;
    }
    const port = /^ {4}(\S+) \d+\/\d+: \(/.exec(line)?.[1];
    if (port !== undefined) ports?.add(port);
  }
  return bridges;
}

/** Compares what should be with what is. Of a bridge that is missing all ports are. */
export function findMissing(wanted: readonly WantedBridge[], view: DatapathView): Missing {
  const bridges = wanted.filter(({ name }) => !view.has(name)).map(({ name }) => name);
  const ports = wanted.flatMap(({ name, ports: all }) => all.filter((port) => view.get(name)?.has(port) !== true));
  return { bridges: new Set(bridges), ports: new Set(ports) };
}

/**
 * What ovs-vswitchd said last about why it has no bridge or port of this name: it writes that nowhere but into its log.
 * @param log its end; lines like "TIME|NUMBER|MODULE|LEVEL|TEXT".
 */
export function findReason(log: string, name: string): string {
  const texts = log.split("\n").flatMap((line) => line.split("|").slice(4).join("|") || []);
  const own = texts.findLast((text) => namesIt(text, name));
  if (own === undefined) return "";
  // Before it gives up a bridge it says which device of the datapath is in the way.
  const device = texts.findLast((text) => text.startsWith("ovs-netdev: "));
  return device === undefined ? own : `${own} (${device})`;
}

function namesIt(text: string, name: string): boolean {
  return text.split(/[\s:,()]+/).includes(name);
}
