import { join } from "node:path";
import type { Log } from "../lib/log.js";
import { parseHostPort } from "../lib/socket-address.js";
import type { CablePlugger } from "./cable/plugger.js";
import type { AgentSettings } from "./config.js";
import { createDrivers } from "./drivers/registry.js";
import { storeDirectory } from "./images/store-paths.js";
import { findJoinData } from "./join-data.js";
import { Bridges } from "./network/bridges.js";
import { assertConntrack } from "./network/filters/conntrack.js";
import { NicFilters } from "./network/filters/nic-filters.js";
import { HeardAddresses } from "./network/heard/heard-addresses.js";
import { Joins } from "./network/joins/joins.js";
import { LanNetworks } from "./network/lan-networks.js";
import { LanPairs } from "./network/lan-pairs.js";
import { Nats } from "./network/nat/nats.js";
import { Outlets } from "./network/outlets/outlets.js";
import { Switch } from "./network/ovs/switch.js";
import { createSwitchTools } from "./network/ovs/tools/tools.js";
import { Ports } from "./network/ports.js";
import { Taps } from "./network/taps/taps.js";
import { Vteps } from "./network/vteps/vteps.js";
import { Forwarder } from "./network/wires/forwarder.js";
import { LanPorts } from "./network/wires/lan-ports.js";
import { NicPlugger } from "./network/wires/nic-plugger.js";
import { Phys } from "./network/phys/phys.js";
import { Wires } from "./network/wires/wires.js";
import type { AgentParts, NetworkPart } from "./parts.js";

/** What the parts of a real host are made with. */
export interface HostPartsOptions {
  readonly settings: AgentSettings;
  readonly hostUid: string;
  readonly log: Log;
  /** Ends the opening. */
  readonly signal: AbortSignal;
}

/** Opens the host's switch and makes its drivers. Disturbs nothing that runs. @throws {ZorError} */
export async function openHostParts(options: HostPartsOptions): Promise<AgentParts> {
  const { settings, log, hostUid } = options;
  const { imageDirs, state: stateDirectory, containerCapabilities, containers, engines, registries, disk } = settings;
  // What was brought here under a name comes before what lies about under it.
  const imageDirectories = [storeDirectory(stateDirectory), ...imageDirs];
  const { qemuArguments, pciDevices, usbDevices, machineShares: shares, libvirt, diskAppliance } = settings;
  const policies = { containers, machines: { qemuArguments, pciDevices, usbDevices, shares } };
  const common = { imageDirectories, stateDirectory, containerCapabilities, ...policies, engines, registries };
  const drivers = createDrivers({ ...common, disk, diskAppliance, libvirt, hostUid, log });
  const { network, plugger, udpSuperFrames } = await openNetwork(options);
  return { drivers, network, cables: { plugger, udpSuperFrames } };
}

async function openNetwork({ settings, hostUid, log, signal }: HostPartsOptions): Promise<{
  readonly network: NetworkPart;
  readonly plugger: CablePlugger;
  /** The switch takes UDP super-frames. */
  readonly udpSuperFrames: boolean;
}> {
  const { netns } = settings;
  const holdsBack = true;
  const opened = await Switch.open({
    stateDirectory: settings.state,
    agentUid: hostUid,
    netns,
    holdsBack,
    log,
    signal,
  });
  const lans = new Bridges({ switch: opened, log });
  const ports = new Ports({
    segments: lans.segments,
    netns,
    agentUid: hostUid,
    datapath: opened.datapath,
    onUnfinished: (error) =>
      log.warn(
        { err: error },
        "this kernel cannot finish checksums of datagrams: raw sockets in guests see unfinished ones",
      ),
  });
  const wires = new Wires({
    forwarder: new Forwarder({ netns, log }),
    setCarrier: (port, up) => ports.setCarrier(port, up),
    log,
  });
  const pairs = new LanPairs({ netns, lans, udpSuperFrames: opened.datapath === "system" });
  const taps = new Taps({ agentUid: hostUid, pairs, wires });
  const joins = new Joins({ agentUid: hostUid, pairs, ovsSocket: settings.hostOvsSocket });
  const vteps = new Vteps({ netns, lans, now: () => new Date() });
  const phys = new Phys({
    ...{ netns, agentUid: hostUid, state: settings.state, lans, wires },
    own: async () => ({ local: ownAddresses(settings), remote: await hubsOf(settings.state) }),
  });
  const outlets = new Outlets({
    switch: opened,
    directory: join(settings.state, "lan-relay"),
    policy: settings,
    log,
    now: () => new Date(),
  });
  const nats = new Nats({
    ...{ netns, agentUid: hostUid, lans, log },
    udpSuperFrames: opened.datapath === "system",
    hubs: () => hubsOf(settings.state),
  });
  const heard = new HeardAddresses({ switch: opened, file: join(opened.directory, "heard.json"), log });
  await heard.open();
  const filters = new NicFilters({ flows: lans.flows, assertConntrack: (lan) => assertConntrack(opened, lan), log });
  const network: NetworkPart = {
    lans,
    flows: lans.flows,
    filters,
    heard,
    wires,
    nats,
    createInstanceNetworks: (source) => new LanNetworks({ netns, ports, lans, source, wires, heard, filters }),
    ...{ taps, phys, joins, vteps, outlets, lanPorts: new LanPorts({ agentUid: hostUid, pairs, wires }) },
    onChange: (listener) => lans.onChange(listener),
    onPortChange: (listener) => lans.onPortChange(listener),
    onHealed: (listener) => lans.onHealed(listener),
    switchTools: createSwitchTools({ switch: opened, directory: opened.directory }),
    close: async () => {
      lans.close();
      outlets.close();
      await heard.close();
      await wires.close();
      await opened.close();
    },
  };
  const plugger = new NicPlugger({ lans, wires, host: settings.host });
  return { network, plugger, udpSuperFrames: opened.datapath === "system" };
}

/** Where others reach this host. */
function ownAddresses({ listen, underlay, cableListen }: AgentSettings): readonly string[] {
  return [...underlay, ...[...listen, cableListen].flatMap((each) => parseHostPort(each)?.host ?? [])];
}

/** Where the hub is, as this host was told when it joined; a hub that was moved since is asked for by its old name or address. */
async function hubsOf(stateDirectory: string): Promise<readonly string[]> {
  const joined = await findJoinData(stateDirectory, () => undefined);
  const addresses = [...(joined?.hubAddresses ?? []), ...(joined?.hubReverseAddresses ?? [])];
  return addresses.flatMap((address) => parseHostPort(address)?.host ?? []);
}
